"""The model that learns, with its tokenizer: precision, context length, and prompts as token ids."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import TemplateError

from ...sandbox.errors import PolicyError
from ...tasks.problem import Problem
from ...tasks.schema import Task
from ...verifiers.steps.token_positions import common_length


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as token ids."""

    token_ids: list[int]
    prefill: str = ""
    """The start of the answer that the chat template already wrote; see `Completion.prefill`."""


@dataclass
class Policy:
    """A causal language model with everything needed to prompt it and to recognise the end of an answer."""

    model: Any
    tokenizer: Any
    eos_ids: tuple[int, ...]
    """Ids of all tokens that end a completion."""
    name: str
    """The model as the run file or the command line names it, for messages."""
    use_chat_template: bool = True
    dtype: torch.dtype = torch.float32
    """Of the computation only. The weights are float32, because bfloat16 would round small updates away."""
    source: str = ""
    """The folder or hub id that it was loaded from."""

    @property
    def device(self) -> torch.device:
        """The device of the model's weights."""
        return self.model.device

    def computing(self) -> AbstractContextManager[Any]:
        """Return the context to call the model in: autocast to `dtype`, unless that is float32."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """Compute in float32 inside a `with` block, for comparisons that allow no more than its rounding."""
        before, self.dtype = self.dtype, torch.float32
        try:
            yield
        finally:
            self.dtype = before

    @property
    def pad_id(self) -> int:
        """The id for padding; padding is masked, so any id will do."""
        pad = self.tokenizer.pad_token_id
        return self.eos_ids[0] if pad is None else pad

    @property
    def context(self) -> int | None:
        """The most tokens of prompt and completion together; None if the model does not limit them.

        Longrope models rescale the positions of a whole batch once any of its rows exceeds their original
        context. A completion's log-probabilities would then depend on the rows it is computed with, so for
        these models the original context is the limit.
        """
        config = self.model.config.get_text_config()
        limit = getattr(config, "max_position_embeddings", None)
        rope = getattr(config, "rope_parameters", None) or {}
        original = rope.get("original_max_position_embeddings")
        if not original:
            original = getattr(config, "original_max_position_embeddings", None)
        if "longrope" in str(rope) and original is not None:
            return original if limit is None else min(limit, original)
        return limit

    def render(self, task: Task, problem: Problem) -> tuple[str, str]:
        """Return the prompt's text as the policy reads it, and its `prefill` (see `EncodedPrompt`).

        Raises:
            PolicyError: the task has chat messages or a system text, and the tokenizer no chat template.
        """
        has_template = bool(self.tokenizer.chat_template)
        is_chat = not isinstance(problem.prompt, str)
        needs_template = is_chat or bool(task.system)
        if needs_template and not has_template:
            reason = "prompts are chat messages" if is_chat else "has a system text"
            raise PolicyError(
                f"task {task.name!r} {reason}, and the tokenizer of {self.name!r} has no chat template;"
                " give a chat model, or make the prompt one text and drop `system:`"
            )
        if not needs_template and not (has_template and self.use_chat_template):
            return str(problem.prompt), ""
        messages: list[Any] = [{"role": "system", "content": task.system}] if task.system else []
        if isinstance(problem.prompt, str):
            messages.append({"role": "user", "content": problem.prompt})
        else:
            messages += problem.prompt
        with_opening = self._templated(task, messages, opening=True)
        without_opening = self._templated(task, messages, opening=False)
        opening = with_opening[common_length(with_opening, without_opening) :]
        return with_opening, _unclosed_thinking(opening)

    def _templated(self, task: Task, messages: Sequence[Any], *, opening: bool) -> str:
        """Return messages as the chat template renders them, with or without the opening of an answer."""
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opening)
        except TemplateError as error:
            raise PolicyError(
                f"task {task.name!r}: the chat template of {self.name!r} rejects the messages: {error};"
                " change the prompt or `system:`"
            ) from error

    def encode(self, task: Task, problem: Problem, *, max_new_tokens: int) -> EncodedPrompt:
        """Return a problem's prompt as token ids.

        Raises:
            PolicyError: the prompt is empty, does not fit into the context together with `max_new_tokens`,
                or cannot be written in the tokenizer's tokens.
        """
        text, prefill = self.render(task, problem)
        from_template = bool(self.tokenizer.chat_template) and text != problem.prompt
        # A chat template writes the special tokens itself; adding them again would double BOS.
        ids = self.tokenizer(text, add_special_tokens=not from_template)["input_ids"]
        where = f"problem {problem.id} of {task.name!r}"
        if not ids:
            raise PolicyError(f"{where}: the prompt {text!r} has no tokens; drop the row or give it a prompt")
        if self.context is not None and len(ids) + max_new_tokens > self.context:
            raise PolicyError(
                f"{where}: a prompt of {len(ids)} tokens and {max_new_tokens} new tokens exceed the context"
                f" of {self.context}; lower sampling.max_new_tokens or drop long prompts"
            )
        self._check_tokenizer(text, ids, where)
        return EncodedPrompt(list(ids), prefill)

    def _check_tokenizer(self, text: str, ids: Sequence[int], where: str) -> None:
        """Reject a tokenizer that loses parts of a prompt, because the policy would be asked something else.

        Raises:
            PolicyError: a part has become the unknown token, or most spaces are gone.
        """
        unknown = self.tokenizer.unk_token_id
        if unknown is not None and unknown in ids and self.tokenizer.unk_token not in text:
            raise PolicyError(
                f"{where}: the tokenizer of {self.name!r} has no tokens for parts of the prompt"
                f" {text[:80]!r}; give another policy.model"
            )
        # Decoding may tidy a few spaces, so they only count as lost if fewer than half of the words return.
        words = len(text.split())
        if words >= 4 and 2 * len(self.tokenizer.decode(list(ids)).split()) < words:
            raise PolicyError(
                f"{where}: the tokenizer of {self.name!r} ({type(self.tokenizer).__name__}) drops the spaces"
                f" of the prompt {text[:80]!r}; transformers chose this class by the model's type, but the"
                " tokenizer files belong to another class: give a model whose files fit its type"
            )

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return generated ids as text, without special tokens."""
        return self.tokenizer.decode(
            list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )


def _unclosed_thinking(opening: str) -> str:
    """Return `opening` from its last `<think>` on, or an empty string if there is none or it is closed."""
    _, tag, rest = opening.rpartition("<think>")
    return tag + rest if tag and "</think>" not in rest else ""
