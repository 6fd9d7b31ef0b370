"""Key and value caches for transformers' attention layers: one kind for sampling, one for the update.

Sampling uses `sampling_cache`, which rarely copies what it holds when it grows. The update uses
`recording_cache` and `prefix_cache`, which let many rows continue the same prompts, with gradient. Both
replace transformers' `DynamicLayer` behind the interface that models call. While sampling, layers of any
other kind (sliding windows, recurrent states) stay transformers' own.

Shapes: `_P` prompts, `_R` rows; keys and values are `[rows, heads, tokens, head size]`.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


class GrowingLayer(DynamicLayer):
    """One layer's keys and values in buffers with spare room.

    Appending a token writes that token only; transformers' layer copies everything before it, too.
    """

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Start empty, with the dtype and device of the first states."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._buffers: list[Tensor] = []
        self._used = 0
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append new keys and values, and return all of them so far as views of the buffers."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self._used = self._used, self._used + key_states.shape[-2]
        if not self._buffers or self._used > self._buffers[0].shape[-2]:
            self._grow(key_states, value_states, start)
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., start : self._used, :] = states
        self.keys, self.values = (buffer[..., : self._used, :] for buffer in self._buffers)
        return self.keys, self.values

    def _grow(self, key_states: Tensor, value_states: Tensor, start: int) -> None:
        """Move the first `start` tokens to buffers with room for `_used` tokens and a quarter more."""
        needed = self._used + self._used // 4
        capacity = -(-needed // 64) * 64  # rounded up to a multiple of 64
        old, self._buffers = self._buffers, []
        for i, states in enumerate((key_states, value_states)):
            buffer = states.new_empty(*states.shape[:-2], capacity, states.shape[-1])
            if start:
                buffer[..., :start, :] = old[i][..., :start, :]
            self._buffers.append(buffer)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Replace the rows by those with the given indices; a row may be dropped or repeated."""
        if self.is_initialized and self._used:
            old, self._buffers = self._buffers, []
            for buffer in old:
                taken = buffer.new_empty(len(beam_idx), *buffer.shape[1:])
                taken[..., : self._used, :] = buffer[..., : self._used, :].index_select(0, beam_idx)
                self._buffers.append(taken)
            self.keys, self.values = (buffer[..., : self._used, :] for buffer in self._buffers)


def sampling_cache(model: Any) -> Cache:
    """Return an empty cache for sampling: transformers' own, with `GrowingLayer` for its plain layers."""
    layers = DynamicCache(config=model.config).layers
    return Cache(layers=[GrowingLayer() if type(layer) is DynamicLayer else layer for layer in layers])


class _Recorded(DynamicLayer):
    """Keeps the keys and values of the prompts as they are computed, with gradient."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        self.keys, self.values = key_states, value_states
        return key_states, value_states

    def get_seq_length(self) -> int:
        # Nothing precedes a prompt, even when gradient checkpointing computes a layer a second time.
        return 0


class _Prefixed(DynamicLayer):
    """Puts each row's prompt before the keys and values that it is given, and keeps nothing.

    Gradient checkpointing computes each layer again in the backward pass, and this second computation must
    see the same cache as the first.
    """

    def __init__(self, keys_P: Tensor, values_P: Tensor, prompt_R: Tensor):
        super().__init__()
        self.keys, self.values, self.prompt_R = keys_P, values_P, prompt_R
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        keys, values = self.keys.index_select(0, self.prompt_R), self.values.index_select(0, self.prompt_R)
        return torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)


def can_share_prompts(model: Any) -> bool:
    """Return whether every layer of the model caches attention keys and values only.

    Layers with a sliding window are among these.
    """
    layers = DynamicCache(config=model.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def recording_cache(model: Any) -> Cache:
    """Return a cache that keeps all of the prompts' keys and values.

    Layers with a sliding window keep all of them, too; the attention mask applies the window.
    """
    return Cache(layers=[_Recorded() for _ in DynamicCache(config=model.config).layers])


def recorded(cache: Cache) -> list[Tensor]:
    """Return what a recording cache holds: keys, values of the first layer, then of the next, and so on."""
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]  # pyright: ignore


def prefix_cache(keys_and_values: list[Tensor], prompt_R: Tensor) -> Cache:
    """Return a cache in which row r continues prompt `prompt_R[r]`.

    Args:
        keys_and_values: of the prompts, in the order of `recorded`.
        prompt_R: `[R]`, the index of each row's prompt.
    """
    pairs = zip(keys_and_values[::2], keys_and_values[1::2], strict=True)
    return Cache(layers=[_Prefixed(keys_P, values_P, prompt_R) for keys_P, values_P in pairs])
