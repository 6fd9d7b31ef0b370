"""How process reward models are asked, as data: what they read, where a step's score stands, what it is.

Every family has its own conventions, and an input that misses them by one token is scored without a word.
So the ids and the places of the scores are made here, for scoring and training alike, and checked: there
are as many places as steps, and each holds the token that it should.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jinja2 import TemplateError

from ...sandbox.errors import RewardError, UnknownNameError
from ...tasks.problem import Problem, said_by
from ...verifiers.steps.token_positions import last_before

MOST_UNREAD = 0.1
"""Share of unknown tokens from which on a model judges something else than was written."""
_OWN_NUMBER = re.compile(r"\A[#*_ \t]{0,8}step[ \t]{1,4}\d{1,4}[ \t]{0,4}[:.)][*_]{0,4}[ \t]*", re.IGNORECASE)


@dataclass(frozen=True)
class PrmFormat:
    """What one family of process reward models expects."""

    name: str
    layout: Literal["text", "pieces", "chat", "turns"]
    """`text`: prompt and steps are one text; `pieces`: they are encoded one by one; `chat`: the steps are
    one assistant message; `turns`: each step is a user's turn, which the assistant answers with `good`."""
    head: Literal["tokens", "classes", "value"]
    """What is read there: logits of the tokens `bad` and `good`; logits of the classes 0 (bad) and 1; or
    one value, whose sigmoid is the probability."""
    tag: str
    """Follows every step. The score stands at its last id; with `turns`, where the answer is predicted."""
    tag_is_one_token: bool = False
    """Whether a tokenizer that writes the tag with several tokens is not that of such a model."""
    prompt: str = "{prompt}"
    """What the prompt is written as."""
    step: str = "{step}"
    """What a step is written as, before its tag; `{n}` counts from 1."""
    between: str = ""
    """Stands between a tag and the next step."""
    system: str = ""
    """Of `chat`."""
    bos: bool = False
    """With `pieces`, begin with the tokenizer's own start token, where it has one."""
    good: str = "+"
    bad: str = "-"
    threshold: float = 0.5
    """A step counts as right from this probability on."""


FORMATS = {
    made.name: made
    for made in (
        # peiyi9979/math-shepherd-mistral-7b-prm (arXiv 2312.08935)
        PrmFormat(
            "math_shepherd", "text", "tokens", " ки",
            prompt="{prompt} ", step="Step {n}: {step}", between="\n",
        ),
        # RLHFlow/Llama3.1-8B-PRM (arXiv 2405.07863)
        PrmFormat("rlhflow", "turns", "tokens", "+", prompt="{prompt} "),
        # Qwen/Qwen2.5-Math-PRM (arXiv 2501.07301)
        PrmFormat(
            "qwen", "chat", "classes", "<extra_0>", tag_is_one_token=True,
            system="Please reason step by step, and put your final answer within \\boxed{}.",
        ),
        # Skywork/Skywork-o1-Open-PRM
        PrmFormat("skywork", "pieces", "value", "\n", prompt="{prompt}\n", bos=True),
        # TRL's PRMTrainer: no separator between prompt and first step, steps encoded one by one
        PrmFormat("trl", "pieces", "classes", "\n", bos=True),
        # any token classification; what `train_prm` makes
        PrmFormat("classes", "text", "classes", "\n", prompt="{prompt}\n"),
    )
}  # fmt: skip


def find_format(name: str) -> PrmFormat:
    """Return a format by name.

    Raises:
        UnknownNameError: there is none; close matches are shown.
    """
    if name not in FORMATS:
        raise UnknownNameError.of("format of process reward models", name, FORMATS)
    return FORMATS[name]


@dataclass(frozen=True, slots=True)
class PrmInput:
    """What a model reads of one completion."""

    ids: list[int]
    places: list[int]
    """One a step: the position that its score is read from."""


class Encoder:
    """Makes a model's inputs with its tokenizer.

    Raises:
        RewardError: the tokenizer has no token for the format's tag, or for its answers.
    """

    def __init__(self, form: PrmFormat, tokenizer: Any, name: str = "the reward model"):
        self.form, self.tokenizer, self.name = form, tokenizer, name
        self.by_tag = form.layout != "text" or form.head == "tokens"
        """Whether a score stands at a token of its own; else at the step's last one, whichever it is."""
        self.tag_id = self._last_id(form.tag) if self.by_tag else -1
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        special = [*tokenizer.all_special_tokens, *(token.content for token in added if token.special)]
        self._marks = [mark for mark in (form.tag.strip(), *special) if len(mark) > 1]
        """Texts that would end a step or a turn where the policy wants it."""
        self.answer_ids = (0, 1)
        """Columns of the bad and the good one in what the head gives."""
        if form.head == "tokens":
            self.answer_ids = self._last_id(form.bad), self._last_id(form.good)
            if self.answer_ids[0] == self.answer_ids[1]:
                raise RewardError(f"{name}: {form.good!r} and {form.bad!r} are one token to its tokenizer")

    def _last_id(self, text: str) -> int:
        text = text.strip() or text
        ids = self._ids(text)
        unknown = self.tokenizer.unk_token_id
        missing = not ids or (unknown is not None and unknown in ids)
        if missing or (text == self.form.tag and self.form.tag_is_one_token and len(ids) > 1):
            raise RewardError(
                f"{self.name}: its tokenizer has no token for {text!r}, which marks the steps of format"
                f" {self.form.name!r} (it gives {ids}); is this the tokenizer of such a model?"
            )
        return ids[-1]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def __call__(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        """Return the input for a prompt and the steps that answer it.

        Raises:
            RewardError: a step holds the tag or a special token, or the places are not as they should be.
        """
        for number, step in enumerate(steps, 1):
            if found := next((mark for mark in self._marks if mark in step), None):
                raise RewardError(f"step {number} holds {found!r}, which means something to the model")
        made = {"text": self._text, "pieces": self._pieces, "chat": self._chat, "turns": self._turns}
        found = made[self.form.layout](self.form.prompt.format(prompt=prompt), steps)
        self._check(found, steps)
        return found

    def unread(self, made: PrmInput) -> float:
        """Return the share of an input that the tokenizer has no tokens for."""
        unknown = self.tokenizer.unk_token_id
        return 0.0 if unknown is None else made.ids.count(unknown) / max(len(made.ids), 1)

    def _check(self, found: PrmInput, steps: Sequence[str]) -> None:
        """Refuse inputs whose places are not one a step, in order, each at its tag."""
        shift = 1 if self.form.layout == "turns" else 0
        at = [found.ids[place + shift] for place in found.places]
        wanted = self.answer_ids[1] if self.form.layout == "turns" else self.tag_id
        ascending = all(a < b for a, b in zip(found.places, found.places[1:], strict=False))
        if len(found.places) != len(steps) or not ascending or (self.by_tag and any(i != wanted for i in at)):
            there = sum(i == wanted for i in at)
            raise RewardError(
                f"{self.name}: {len(steps)} steps, and {there} of their marks {self.form.tag!r} where format"
                f" {self.form.name!r} has them: its tokenizer writes them otherwise in this text"
            )

    def _written(self, steps: Sequence[str]) -> list[str]:
        numbered = "{n}" in self.form.step
        bare = [_OWN_NUMBER.sub("", step, count=1) if numbered else step for step in steps]
        return [self.form.step.replace("{n}", str(n)).replace("{step}", s) for n, s in enumerate(bare, 1)]

    def _text(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        text, ends = prompt, []
        for place, step in enumerate(self._written(steps)):
            text += (self.form.between if place else "") + step + self.form.tag
            ends.append(len(text))
        return self._encoded(text, ends, special=True)

    def _pieces(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        start = self.tokenizer.bos_token_id if self.form.bos else None
        ids = ([] if start is None else [start]) + self._ids(prompt)
        tag, places = self._ids(self.form.tag), []
        for step in steps:
            ids += self._ids(step) + tag
            places.append(len(ids) - 1)
        return PrmInput(ids, places)

    def _chat(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        answer = "".join(step + self.form.tag for step in steps)
        messages = [("system", self.form.system), ("user", prompt), ("assistant", answer)]
        text = self._rendered([{"role": role, "content": said} for role, said in messages if said])
        begin = self._found(text, answer)
        ends = [
            begin + len("".join(step + self.form.tag for step in steps[: i + 1])) for i in range(len(steps))
        ]
        return self._encoded(text, ends, special=False)

    def _turns(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        messages: list[dict[str, str]] = []
        ends = []
        text = ""
        for place, step in enumerate(steps):
            said = prompt + step if place == 0 else step
            messages += [{"role": "user", "content": said}, {"role": "assistant", "content": self.form.good}]
            text = self._rendered(messages)
            ends.append(self._found(text, self.form.good) + len(self.form.good))
        found = self._encoded(text, ends, special=False)
        return PrmInput(found.ids, [place - 1 for place in found.places])

    def _found(self, text: str, part: str) -> int:
        if (at := text.rfind(part)) < 0:
            raise RewardError(f"{self.name}: its chat template does not write {part[:60]!r} as it is given")
        return at

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        if not self.tokenizer.chat_template:
            raise RewardError(
                f"{self.name}: format {self.form.name!r} needs a tokenizer with a chat template"
            )
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False)
        except TemplateError as error:
            raise RewardError(f"{self.name}: its chat template refuses the messages: {error}") from error

    def _encoded(self, text: str, ends: Sequence[int], *, special: bool) -> PrmInput:
        """Encode a text; a place is the last token that starts before its end."""
        made = self.tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
        offsets = [(a, b) for a, b in made["offset_mapping"]]
        real = [i for i, (a, b) in enumerate(offsets) if b > a]
        starts = [offsets[i][0] for i in real]
        return PrmInput(list(made["input_ids"]), [real[last_before(starts, end)] for end in ends])


def question_of(problem: Problem) -> str:
    """Return a problem's prompt as one text: what the user said."""
    if isinstance(problem.prompt, str):
        return problem.prompt
    return said_by("user", problem.prompt, between="\n")
