"""The inputs of outcome reward models: prompt and completion as token ids, for training and scoring alike.

A reward model raises no error for an input that was built in another way than in its training, but scores it.
So there is one function for both, and a model's folder keeps a hash of what it gives on samples.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from jinja2 import TemplateError

from ...sandbox.errors import RewardError
from ...tasks.problem import Prompt, said_by
from .prm_formats import special_texts
from .readable import UnfitCompletion, fault_of

Form = Literal["chat", "text", "pair"]
"""How an input is laid out. `chat`: by the tokenizer's chat template, with the completion as the assistant's
message. `text`: prompt and completion as one text, with the end token. `pair`: the two segments of an
encoder, such as `[CLS] prompt [SEP] completion [SEP]`."""
Pooling = Literal["last", "mean", "own"]
"""Which hidden state is scored: that of the `last` token, the `mean` over the completion's tokens, or what
the model itself pools (`own`: the first token, for an encoder like BERT)."""
SAMPLES: list[tuple[Prompt, str]] = [
    (prompt, completion * times)
    for prompt in ("What is 12 + 30?", "a=[1,2]\n")
    for times in (1, 3)
    for completion in ("2+0=2 4\nso it is \\boxed{42}.", "<code>def f(a):\n return a</code>")
]
"""Eight inputs, by which models and engines are compared: their texts do not matter."""


@dataclass(frozen=True, slots=True)
class RmInput:
    """The input for one completion."""

    ids: list[int]
    answer: tuple[int, int]
    """The places [start, end) of the completion's tokens."""
    types: list[int] | None = None
    """The segment of each token, for models that take it."""


class RmEncoder:
    """A callable that makes a model's inputs with the model's own tokenizer.

    Args:
        form: the layout.
        tokenizer: the model's tokenizer, of transformers.
        name: the model's name, for messages.

    Raises:
        RewardError: the tokenizer cannot make this layout.
    """

    def __init__(self, form: Form, tokenizer: Any, name: str = "the reward model"):
        if form not in get_args(Form):
            raise RewardError(f"{name}: form must be {', '.join(get_args(Form))} (given: {form!r})")
        if form == "chat" and not tokenizer.chat_template:
            raise RewardError(
                f"{name}: its tokenizer has no chat template; give `form: text` (prompt and completion as one"
                " text) or `form: pair` (two segments), whichever the model was trained with"
            )
        if not tokenizer.is_fast:
            raise RewardError(f"{name}: needs a fast tokenizer, one with a tokenizer.json")
        self.form, self.tokenizer, self.name = form, tokenizer, name
        self._special = special_texts(tokenizer)

    def __call__(self, prompt: Prompt, completion: str) -> RmInput:
        """Return the input for a completion of a prompt.

        Raises:
            UnfitCompletion: the completion contains a special token, with which it could end its turn and
                write another, or is not valid Unicode.
            RewardError: so does the prompt, or the chat template refuses the messages or changes the
                completion.
        """
        messages = _plain(prompt)
        question = "\n".join(message["content"] for message in messages)
        if fault := fault_of(question, self._special):
            raise RewardError(f"{self.name}: the prompt {fault}")
        # With the end of the prompt, because a token could begin there.
        own_text = question[-80:] + completion if self.form == "text" else completion
        if fault := fault_of(own_text, self._special):
            raise UnfitCompletion(f"the completion {fault}")
        if self.form == "chat":
            return self._chat(messages, completion)
        if self.form == "pair":
            encoded = self.tokenizer(question, completion)
            own = [i for i, segment in enumerate(encoded.sequence_ids()) if segment == 1]
            return RmInput(list(encoded["input_ids"]), _span(own), encoded.get("token_type_ids"))
        encoded = self.tokenizer(question + completion, return_offsets_mapping=True)
        own = [i for i, (_, end) in enumerate(encoded["offset_mapping"]) if end > len(question)]
        ids, last = list(encoded["input_ids"]), self.tokenizer.eos_token_id
        return RmInput(ids if last is None or ids[-1:] == [last] else [*ids, last], _span(own))

    def _chat(self, messages: list[dict[str, str]], completion: str) -> RmInput:
        text = self._rendered([*messages, {"role": "assistant", "content": completion}])
        # The place of the completion is where the template puts a text that stands nowhere else.
        start = self._rendered([*messages, {"role": "assistant", "content": _PLACE}]).find(_PLACE)
        body = completion if start >= 0 and text.startswith(completion, start) else completion.strip()
        end = start + len(body)
        if start < 0 or text[start:end] != body:
            raise RewardError(
                f"{self.name}: its chat template changes the completion's text (it may drop a thinking part);"
                " give `form: text`, or another model"
            )
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        own = [i for i, (a, b) in enumerate(encoded["offset_mapping"]) if b > start and a < end]
        return RmInput(list(encoded["input_ids"]), _span(own))

    def _rendered(self, messages: list[dict[str, str]]) -> str:
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False)
        except TemplateError as error:
            raise RewardError(f"{self.name}: its chat template refuses the messages: {error}") from error

    def fingerprint(self, pooling: Pooling) -> str:
        """Return a hash of what this encoder makes of samples, and of the pooling."""
        made = [(one.ids, one.answer, one.types) for one in (self(*sample) for sample in SAMPLES)]
        content = json.dumps([self.form, pooling, made])
        return hashlib.sha256(content.encode()).hexdigest()[:16]


_PLACE = "\ue0f0place\ue0f1"


def _plain(prompt: Prompt) -> list[dict[str, str]]:
    """Return a prompt as chat messages whose contents are texts."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [{"role": one["role"], "content": said_by(one["role"], [one])} for one in prompt]


def _span(places: Sequence[int]) -> tuple[int, int]:
    return (places[0], places[-1] + 1) if places else (0, 0)
