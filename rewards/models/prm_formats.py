"""The input formats of process reward models, and the encoder that makes a model's input from them.

Every family of models has its own conventions, and a model raises no error for an input that misses them by
one token, but scores it. Token ids and the places of the scores are therefore made here, for scoring and
training alike, and checked: there must be one place per step, each at the token that the format expects.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from jinja2 import TemplateError

from ...sandbox.errors import RewardError, UnknownNameError
from ...verifiers.steps.token_positions import last_before
from .readable import UnfitCompletion, fault_of

Dtype = Literal["float32", "bfloat16", "float16"]
"""The types that a model's weights may have."""
_OWN_NUMBER = re.compile(r"\A[#*_ \t]{0,8}step[ \t]{1,4}\d{1,4}[ \t]{0,4}[:.)][*_]{0,4}[ \t]*", re.IGNORECASE)
"""A step's own number (`Step 3: ...`), which would be doubled in a format that numbers steps."""


@dataclass(frozen=True)
class PrmFormat:
    """The input format of one family of process reward models, and how a score is read from the model."""

    name: str
    layout: Literal["text", "pieces", "chat", "turns"]
    """How the input is laid out. `text`: prompt and steps are encoded as one text. `pieces`: each is encoded
    on its own. `chat`: the steps are one assistant message. `turns`: each step is a user message, which the
    assistant answers with `good`."""
    head: Literal["tokens", "classes", "value"]
    """The model's output at a step's place. `tokens`: the logits of the tokens `bad` and `good`. `classes`:
    the logits of class 0 (bad) and class 1 (good). `value`: one number, whose sigmoid is the probability."""
    tag: str
    """Text that follows every step. The score is read at its last token; with `turns`, at the token before
    it, where the model predicts the assistant's answer."""
    tag_is_one_token: bool = False
    """Whether such models have the tag as one token, so that a tokenizer that splits it is rejected."""
    prompt: str = "{prompt}"
    """Template of the prompt."""
    step: str = "{step}"
    """Template of a step, without its tag; `{n}` is the step's number, from 1."""
    between: str = ""
    """Text between a tag and the next step."""
    system: str = ""
    """With `chat`: the system message; empty = none."""
    bos: bool = False
    """With `pieces`: whether to begin with the tokenizer's start token, if it has one."""
    good: str = "+"
    """With `tokens`: the answer for a step that is right."""
    bad: str = "-"
    """With `tokens`: the answer for a step that is wrong."""
    threshold: float = 0.5
    """The lowest probability with which a step counts as right."""


FORMATS = {
    form.name: form
    for form in (
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
        # Models trained with TRL's PRMTrainer: no separator between prompt and first step
        PrmFormat("trl", "pieces", "classes", "\n", bos=True),
        # Any token classifier with two classes, such as those that `train_prm` trains
        PrmFormat("classes", "text", "classes", "\n", prompt="{prompt}\n"),
    )
}  # fmt: skip


def find_format(name: str) -> PrmFormat:
    """Return a format by its name.

    Raises:
        UnknownNameError: no format has this name; close matches are shown.
    """
    if name not in FORMATS:
        raise UnknownNameError.of("format of process reward models", name, FORMATS)
    return FORMATS[name]


def special_texts(tokenizer: Any) -> list[str]:
    """Return the texts that a tokenizer reads as special tokens."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    special = [*tokenizer.all_special_tokens, *(token.content for token in added if token.special)]
    return list(dict.fromkeys(text for text in special if len(text) > 1))


@dataclass(frozen=True, slots=True)
class PrmInput:
    """A model's input for one completion."""

    ids: list[int]
    """The token ids."""
    places: list[int]
    """The position, one per step, at which the step's score is read."""


class Encoder:
    """A callable that makes a model's inputs, in one format and with the model's own tokenizer.

    Args:
        form: the model's format.
        tokenizer: the model's tokenizer, of transformers.
        name: the model's name, for error messages.

    Raises:
        RewardError: the tokenizer has no token for the format's tag or answers, so it is not that of such a
            model.
    """

    def __init__(self, form: PrmFormat, tokenizer: Any, name: str = "the reward model"):
        self.form, self.tokenizer, self.name = form, tokenizer, name
        self.by_tag = form.layout != "text" or form.head == "tokens"
        """Whether the tag has a token of its own; otherwise it may be part of the step's last token."""
        self.tag_id = self._last_id(form.tag) if self.by_tag else -1
        tag = form.tag.strip()
        self._reserved = [*([tag] if len(tag) > 1 else []), *special_texts(tokenizer)]
        """Texts that no step may contain, because with them the policy could end a step or a turn at will."""
        self.answer_ids = (0, 1)
        """The columns of bad and good in the head's output: token ids or classes."""
        if form.head == "tokens":
            self.answer_ids = self._last_id(form.bad), self._last_id(form.good)
            if self.answer_ids[0] == self.answer_ids[1]:
                raise RewardError(
                    f"{name}: its tokenizer encodes {form.good!r} and {form.bad!r} as the same token; is this"
                    f" the tokenizer of a model of format {form.name!r}?"
                )

    def _last_id(self, text: str) -> int:
        """Return the last token id of the tag or of an answer."""
        text = text.strip() or text
        ids = self._ids(text)
        unknown = self.tokenizer.unk_token_id
        is_missing = not ids or (unknown is not None and unknown in ids)
        is_split = text == self.form.tag and self.form.tag_is_one_token and len(ids) > 1
        if is_missing or is_split:
            raise RewardError(
                f"{self.name}: its tokenizer has no token for {text!r}, which marks the steps of format"
                f" {self.form.name!r} (it encodes it as {ids}); is this the tokenizer of such a model?"
            )
        return ids[-1]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def __call__(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        """Return the model's input for a prompt and the steps that answer it.

        Raises:
            UnfitCompletion: a step contains the tag or a special token, or is not valid Unicode; or the
                places are not where the format expects them.
            RewardError: the chat template is missing or unusable.
        """
        for number, step in enumerate(steps, 1):
            if fault := fault_of(step, self._reserved):
                raise UnfitCompletion(f"step {number} {fault}")
        layouts = {"text": self._text, "pieces": self._pieces, "chat": self._chat, "turns": self._turns}
        encoded = layouts[self.form.layout](self.form.prompt.format(prompt=prompt), steps)
        self._check(encoded, steps)
        return encoded

    def _check(self, encoded: PrmInput, steps: Sequence[str]) -> None:
        """Check that there is one place per step, in order, each at the token that the format expects."""
        # With `turns`, the place is one token before the assistant's answer, where the model predicts it.
        shift, expected = (1, self.answer_ids[1]) if self.form.layout == "turns" else (0, self.tag_id)
        matching = sum(encoded.ids[place + shift] == expected for place in encoded.places)
        ascending = all(a < b for a, b in pairwise(encoded.places))
        one_per_step = len(encoded.places) == len(steps) and ascending
        if not one_per_step or (self.by_tag and matching < len(encoded.places)):
            raise UnfitCompletion(
                f"{self.name}: {len(steps)} steps, but only {matching} of their marks {self.form.tag!r} are"
                f" where format {self.form.name!r} expects them; the tokenizer encodes the marks differently"
                " in this text"
            )

    def _written(self, steps: Sequence[str]) -> list[str]:
        """Return the steps as the format writes them, without their tags."""
        template = self.form.step
        if "{n}" in template:
            steps = [_OWN_NUMBER.sub("", step, count=1) for step in steps]
        return [template.replace("{n}", str(n)).replace("{step}", step) for n, step in enumerate(steps, 1)]

    def _text(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        text = prompt
        ends: list[int] = []
        for index, step in enumerate(self._written(steps)):
            if index > 0:
                text += self.form.between
            text += step + self.form.tag
            ends.append(len(text))
        return self._encoded(text, ends, special=True)

    def _pieces(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        start = self.tokenizer.bos_token_id if self.form.bos else None
        ids = [] if start is None else [start]
        ids += self._ids(prompt)
        tag = self._ids(self.form.tag)
        places: list[int] = []
        for step in steps:
            ids += self._ids(step) + tag
            places.append(len(ids) - 1)
        return PrmInput(ids, places)

    def _chat(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        answer = "".join(step + self.form.tag for step in steps)
        contents = [("system", self.form.system), ("user", prompt), ("assistant", answer)]
        text = self._rendered([{"role": role, "content": content} for role, content in contents if content])
        end = self._start_of(answer, text)
        ends: list[int] = []
        for step in steps:
            end += len(step) + len(self.form.tag)
            ends.append(end)
        return self._encoded(text, ends, special=False)

    def _turns(self, prompt: str, steps: Sequence[str]) -> PrmInput:
        messages: list[dict[str, str]] = []
        ends: list[int] = []
        text = ""
        for index, step in enumerate(steps):
            content = prompt + step if index == 0 else step
            messages += [
                {"role": "user", "content": content},
                {"role": "assistant", "content": self.form.good},
            ]
            text = self._rendered(messages)
            ends.append(self._start_of(self.form.good, text) + len(self.form.good))
        encoded = self._encoded(text, ends, special=False)
        return PrmInput(encoded.ids, [place - 1 for place in encoded.places])

    def _start_of(self, part: str, text: str) -> int:
        """Return where the last occurrence of a message's content starts in the rendered text."""
        start = text.rfind(part)
        if start < 0:
            raise RewardError(
                f"{self.name}: its chat template changes the text of messages (it does not write"
                f" {part[:60]!r} as given), so the steps cannot be located in it"
            )
        return start

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        if not self.tokenizer.chat_template:
            raise RewardError(
                f"{self.name}: format {self.form.name!r} needs a tokenizer with a chat template, and this one"
                " has none"
            )
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False)
        except TemplateError as error:
            raise RewardError(f"{self.name}: its chat template refuses the messages: {error}") from error

    def _encoded(self, text: str, ends: Sequence[int], *, special: bool) -> PrmInput:
        """Encode a text; the place for each of `ends` is the last token that starts before it."""
        encoded = self.tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
        # Special tokens that the tokenizer adds have empty spans and are no places for scores.
        tokens = [(i, start) for i, (start, end) in enumerate(encoded["offset_mapping"]) if end > start]
        starts = [start for _, start in tokens]
        places = [tokens[last_before(starts, end)][0] for end in ends]
        return PrmInput(list(encoded["input_ids"]), places)
