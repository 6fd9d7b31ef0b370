"""`Problem`, which a policy is asked to solve, and `Completion`, its answer."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..sandbox.display import html_table, shortened

Message = dict[str, Any]
Prompt = str | tuple[Message, ...]


class Problem(BaseModel):
    """One problem: a prompt, and what its answers are judged by.

    >>> from markscheme.tasks import Problem
    >>> Problem(prompt="What is 6 * 7?", reference=42).references
    ('42',)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str = ""
    """A stable name; by default 16 hex digits of a hash of prompt and reference."""
    prompt: Prompt
    """Text, or chat messages (`{"role": ..., "content": ...}`) without the task's system text."""
    reference: str | tuple[str, ...] | None = None
    """The accepted answer, or several, any of which is accepted."""
    tests: Any = None
    """Tests for a program, as plain data."""
    solution: str | None = None
    """A correct completion, never shown to the policy: for `markscheme check`, and for checks of steps that
    compare with it."""
    info: Mapping[str, Any] = Field(default_factory=dict)
    """The row's own columns, and those that the task's `info:` templates add. `when: {column: value}` of an
    entry reads them."""

    @model_validator(mode="before")
    @classmethod
    def _normalised(cls, data: Any) -> Any:
        """Turn numbers into text and lists into tuples, and fill in the id."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        for key in ("prompt", "reference"):
            if isinstance(data.get(key), list):
                data[key] = tuple(data[key])
        reference = data.get("reference")
        if isinstance(reference, tuple):
            data["reference"] = tuple(_text(item) for item in reference)
        elif reference is not None:
            data["reference"] = _text(reference)
        given = data.get("id")
        if given in (None, ""):
            data["id"] = content_id(data.get("prompt"), data.get("reference"))
        else:
            data["id"] = str(given)
        return data

    @property
    def references(self) -> tuple[str, ...]:
        """Every accepted answer; empty when the problem has none."""
        if self.reference is None:
            return ()
        return (self.reference,) if isinstance(self.reference, str) else self.reference


def _text(value: Any) -> Any:
    """Return a number as text, without a point if it is whole; leave anything else to the validation."""
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def content_id(prompt: Any, reference: Any = None) -> str:
    """Return 16 hex digits that identify this content, on every machine and whatever the order of keys."""
    canonical = json.dumps([prompt, reference], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode(errors="backslashreplace")).hexdigest()[:16]


def said_by(role: str, messages: Iterable[Message], *, between: str = "") -> str:
    """Return the joined text of all chat messages of one role; a message without content adds nothing.

    Content may also be a list of parts (`{"type": "text", "text": ...}`), whose texts are joined.

        >>> from markscheme.tasks.problem import said_by
        >>> said_by("user", [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2?"}])
        '2 + 2?'
    """
    contents = []
    for message in messages:
        if message.get("role") == role:
            content = message.get("content")
            parts = content if isinstance(content, list) else [content]
            texts = (part.get("text") if isinstance(part, Mapping) else part for part in parts)
            contents.append("".join(str(text) for text in texts if text is not None))
    return between.join(contents)


def asked_in(prompt: Prompt) -> str:
    """Return the text that a prompt asks: of chat messages, what the user says, a line for each message."""
    return prompt if isinstance(prompt, str) else said_by("user", prompt, between="\n")


def prompt_key(prompt: Prompt) -> str:
    """Return 16 hex digits that are the same for prompts that differ in white space and case only.

    >>> from markscheme.tasks.problem import prompt_key
    >>> prompt_key("What is  2 + 2?") == prompt_key("what is 2 + 2? ")
    True
    """
    if not isinstance(prompt, str):
        roles = [str(message.get("role")) for message in prompt]
        said = [said_by(role, [message]) for role, message in zip(roles, prompt, strict=True)]
        prompt = "\n".join(
            text if role == "user" else f"{role}: {text}" for role, text in zip(roles, said, strict=True)
        )
    return content_id(" ".join(prompt.casefold().split()))


@dataclass(slots=True, repr=False)
class Completion:
    """One answer of a policy, with what is needed to score it and to learn from it.

    Only `text` is needed for scoring; an engine fills in the rest.

    >>> from markscheme.tasks import Completion
    >>> Completion("The answer is 42.")
    Completion('The answer is 42.')
    """

    text: str
    """The generated text, without the end-of-sequence token."""
    token_ids: list[int] = field(default_factory=list)
    """The generated token ids, including the end-of-sequence token if one was sampled."""
    logprobs: list[float] = field(default_factory=list)
    """Log-probability of each generated token, in nats, under the distribution that it was sampled from."""
    loss_mask: list[int] | None = None
    """1 for each token that the policy wrote, 0 for those of a tool or a template; None = all ones."""
    prompt_token_ids: list[int] = field(default_factory=list)
    """The token ids of the prompt."""
    finish_reason: str | None = None
    """`stop` (an end-of-sequence token was sampled) or `length` (cut off at max_new_tokens)."""
    weight_version: int | None = None
    """How many updates the sampling weights had had."""
    prefill: str = ""
    """The start of the answer, if the chat template put it at the end of the prompt.

    R1-style templates end the prompt in `<think>` and a line break, so that the completion has only the
    closing tag. Format checks and extraction read `prefill + text`.
    """

    def __repr__(self) -> str:
        tokens = f", {len(self.token_ids)} tokens" if self.token_ids else ""
        finish = f", {self.finish_reason}" if self.finish_reason else ""
        return f"Completion({shortened(self.text)}{tokens}{finish})"

    def _repr_html_(self) -> str:
        shown = {"text": self.prefill + self.text, "tokens": len(self.token_ids) or "not known"}
        return html_table("Completion", {**shown, "finish_reason": self.finish_reason or "not known"})
