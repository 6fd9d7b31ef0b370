"""What is asked and what was answered: `Problem` and `Completion`."""

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
    """One thing that is asked, and what a right answer is judged by.

    >>> from markscheme.tasks import Problem
    >>> Problem(prompt="What is 6 * 7?", reference=42).references
    ('42',)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: str = ""
    """A stable name. If it is left empty: the first 16 hex digits of a hash of prompt and reference."""
    prompt: Prompt
    """Text, or chat messages (`{"role": ..., "content": ...}`) without the task's system text."""
    reference: str | tuple[str, ...] | None = None
    """The accepted answer, or several of which any one is right."""
    tests: Any = None
    """Tests for a program, as plain data."""
    solution: str | None = None
    """A correct completion, never shown to the policy: for `markscheme check`, and for checks of steps that
    compare with it."""
    info: Mapping[str, Any] = Field(default_factory=dict)
    """The row's own columns, and what the task's `info:` templates add. Routing by row reads it."""

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
    """Return a number as text, whole ones without a point; leave all else to the model's own check."""
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def content_id(prompt: Any, reference: Any = None) -> str:
    """Return 16 hex digits that name this content: the same on every machine and in every order."""
    canonical = json.dumps([prompt, reference], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode(errors="backslashreplace")).hexdigest()[:16]


def said_by(role: str, messages: Iterable[Message], *, between: str = "") -> str:
    """Return what one role said in chat messages, joined; a message without content adds nothing.

    Content may also be a list of parts (`{"type": "text", "text": ...}`), of which the texts count.

        >>> from markscheme.tasks.problem import said_by
        >>> said_by("user", [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2?"}])
        '2 + 2?'
    """
    said = []
    for message in messages:
        if message.get("role") == role:
            content = message.get("content")
            parts = content if isinstance(content, list) else [content]
            texts = (part.get("text") if isinstance(part, Mapping) else part for part in parts)
            said.append("".join(str(text) for text in texts if text is not None))
    return between.join(said)


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
    """The generated ids, the end-of-sequence token included where one was sampled."""
    logprobs: list[float] = field(default_factory=list)
    """Nats, one per generated id: log-probability under the distribution that was sampled from."""
    loss_mask: list[int] | None = None
    """1 where the policy wrote the token, 0 where a tool or a template put it; None = all ones."""
    prompt_token_ids: list[int] = field(default_factory=list)
    """The ids that the policy was given."""
    finish_reason: str | None = None
    """`stop` (an end token was sampled) or `length` (cut off at max_new_tokens)."""
    weight_version: int | None = None
    """How many updates the sampling weights had seen."""
    prefill: str = ""
    """The start of the answer that the chat template already put into the prompt.

    R1-style templates end the prompt in `<think>` and a line break, so the completion holds only
    the closing tag; format checks and extraction read `prefill + text`.
    """

    def __repr__(self) -> str:
        tokens = f", {len(self.token_ids)} tokens" if self.token_ids else ""
        finish = f", {self.finish_reason}" if self.finish_reason else ""
        return f"Completion({shortened(self.text)}{tokens}{finish})"

    def _repr_html_(self) -> str:
        shown = {"text": self.prefill + self.text, "tokens": len(self.token_ids) or "not known"}
        return html_table("Completion", {**shown, "finish_reason": self.finish_reason or "not known"})
