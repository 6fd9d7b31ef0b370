"""The model that learns, with its tokenizer: how it computes, and how it reads a prompt."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import TemplateError

from ...sandbox.errors import PolicyError
from ...tasks.problem import Problem
from ...tasks.schema import Task


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as the policy gets it."""

    token_ids: list[int]
    prefill: str = ""
    """What the template already opened of the answer; see `Completion.prefill`."""


@dataclass
class Policy:
    """A causal language model with what is needed to prompt it and to know when it ends."""

    model: Any
    tokenizer: Any
    eos_ids: tuple[int, ...]
    name: str
    use_chat_template: bool = True
    dtype: torch.dtype = torch.float32
    """Of the computation; the weights are float32, or small updates would be rounded away."""
    source: str = ""
    """The folder or hub id that it was loaded from."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    def computing(self) -> AbstractContextManager[Any]:
        """Return the context in which the model is called."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """Compute in full precision for a while: what is compared should differ by rounding only."""
        before, self.dtype = self.dtype, torch.float32
        try:
            yield
        finally:
            self.dtype = before

    @property
    def pad_id(self) -> int:
        """An id for padding; its positions are masked, so any id serves."""
        pad = self.tokenizer.pad_token_id
        return self.eos_ids[0] if pad is None else pad

    @property
    def context(self) -> int | None:
        """The most positions that the model takes, prompt and completion together.

        Where longer ones change the scaling of all positions (longrope), as many as change nothing: beyond,
        a completion's log-probabilities would depend on what it is computed beside.
        """
        config = self.model.config.get_text_config()
        most = getattr(config, "max_position_embeddings", None)
        rope = getattr(config, "rope_parameters", None) or {}
        original = rope.get("original_max_position_embeddings") or getattr(
            config, "original_max_position_embeddings", None
        )
        if "longrope" in str(rope) and original is not None:
            return original if most is None else min(most, original)
        return most

    def render(self, task: Task, problem: Problem) -> tuple[str, str]:
        """Return the prompt's text as the policy reads it, and the `prefill` at its end.

        Raises:
            PolicyError: chat messages or a system text, and the tokenizer has no chat template.
        """
        has_template = bool(self.tokenizer.chat_template)
        is_chat = not isinstance(problem.prompt, str)
        if not has_template and (is_chat or task.system):
            what = "prompts are chat messages" if is_chat else "has a system text"
            raise PolicyError(
                f"task {task.name!r} {what}, and the tokenizer of {self.name!r} has no chat template;"
                " give a chat model, or make the prompt one text and drop `system:`"
            )
        if not has_template or not (is_chat or task.system or self.use_chat_template):
            return str(problem.prompt), ""
        messages = [{"role": "user", "content": problem.prompt}] if not is_chat else list(problem.prompt)
        if task.system:
            messages = [{"role": "system", "content": task.system}, *messages]
        with_opening, without = (self._templated(task, messages, opening) for opening in (True, False))
        opening = with_opening[_common_start(with_opening, without) :]
        opened = opening.rfind("<think>")
        prefill = opening[opened:] if opened >= 0 and "</think>" not in opening[opened:] else ""
        return with_opening, prefill

    def _templated(self, task: Task, messages: Sequence[Any], opening: bool) -> str:
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opening)
        except TemplateError as error:
            raise PolicyError(
                f"task {task.name!r}: the chat template of {self.name!r} refuses the messages: {error};"
                " change the prompt or `system:`"
            ) from error

    def encode(self, task: Task, problem: Problem, *, max_new_tokens: int) -> EncodedPrompt:
        """Return a problem's prompt as ids.

        Raises:
            PolicyError: the prompt is empty, or with `max_new_tokens` exceeds the context.
        """
        text, prefill = self.render(task, problem)
        from_template = bool(self.tokenizer.chat_template) and text != problem.prompt
        # A chat template writes the special tokens itself; adding them again would double BOS.
        ids = self.tokenizer(text, add_special_tokens=not from_template)["input_ids"]
        if not ids:
            raise PolicyError(f"problem {problem.id} of {task.name!r}: the prompt has no tokens ({text!r})")
        if self.context is not None and len(ids) + max_new_tokens > self.context:
            raise PolicyError(
                f"problem {problem.id} of {task.name!r}: prompt of {len(ids)} tokens and"
                f" {max_new_tokens} new ones"
                f" exceed the context of {self.context}; lower sampling.max_new_tokens or drop long prompts"
            )
        self._check_round_trip(text, ids, problem, task)
        return EncodedPrompt(list(ids), prefill)

    def _check_round_trip(self, text: str, ids: Sequence[int], problem: Problem, task: Task) -> None:
        """Refuse a tokenizer that has no tokens for a prompt: its ids would mean something else."""
        unknown = self.tokenizer.unk_token_id
        if unknown is not None and unknown in ids and self.tokenizer.unk_token not in text:
            raise PolicyError(
                f"problem {problem.id} of {task.name!r}: the tokenizer of {self.name!r} has"
                f" no tokens for parts of the prompt {text[:80]!r}; give another policy.model"
            )
        words = len(text.split())
        if words >= 4 and 2 * len(self.tokenizer.decode(list(ids)).split()) < words:
            raise PolicyError(
                f"problem {problem.id} of {task.name!r}: the tokenizer of {self.name!r}"
                f" ({type(self.tokenizer).__name__}) drops the spaces of the prompt {text[:80]!r};"
                " transformers chose it by the model's type: its files fit another one"
            )

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return generated ids as text, without special tokens."""
        return self.tokenizer.decode(
            list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )


def _common_start(one: str, two: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(two)))
