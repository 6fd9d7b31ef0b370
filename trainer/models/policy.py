"""The model that learns, with its tokenizer: precision and context length."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from ...verifiers.decoding import decoded


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
    """The folder or hub id that it was loaded from; if that is an adapter's, the model that it belongs to."""
    template: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the chat template."""
    brought_adapter: bool = False
    """Whether it trains an adapter that it was loaded with."""

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

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return generated ids as the text that rewards see; `decoded` says which special tokens it has."""
        return decoded(token_ids, self.tokenizer, end_ids=self.eos_ids)
