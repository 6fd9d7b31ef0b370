"""Keys and values of transformers' attention layers, kept in two ways of our own.

`sampling_cache` grows without copying; `SharedPrompts` gives the prompts of a batch to many rows, with
gradient. Both stand in for transformers' `DynamicLayer`, whose interface the models call. Layers of
any other kind (sliding windows while sampling, recurrent states) stay transformers' own.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


class GrowingLayer(DynamicLayer):
    """A layer in a buffer with room to spare: a token costs a write, and not a copy of all before it."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Start empty."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._buffers: list[Tensor] = []
        self._used = 0
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append `[B, heads, T, size]` and return all of it, as views."""
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
        """Make room for a quarter more than there is, in steps of 64."""
        room = -(-(self._used + self._used // 4) // 64) * 64
        old, self._buffers = self._buffers, []
        for i, states in enumerate((key_states, value_states)):
            buffer = states.new_empty(*states.shape[:-2], room, states.shape[-1])
            if start:
                buffer[..., :start, :] = old[i][..., :start, :]
            self._buffers.append(buffer)

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Take some rows, as `index_select` would."""
        if self.is_initialized and self._used:
            kept = self._buffers
            self._buffers = []
            for buffer in kept:
                taken = buffer.new_empty(len(beam_idx), *buffer.shape[1:])
                taken[..., : self._used, :] = buffer[..., : self._used, :].index_select(0, beam_idx)
                self._buffers.append(taken)
            self.keys, self.values = (buffer[..., : self._used, :] for buffer in self._buffers)


def sampling_cache(model: Any) -> Cache:
    """Return an empty cache for sampling: transformers' own, its plain layers growing without copies."""
    layers = DynamicCache(config=model.config).layers
    return Cache(layers=[GrowingLayer() if type(layer) is DynamicLayer else layer for layer in layers])


class _Recorded(DynamicLayer):
    """A layer that keeps what the prompts' forward computes, with its gradient history."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        self.keys, self.values = key_states, value_states
        return key_states, value_states

    def get_seq_length(self) -> int:
        return 0  # the prompts are the beginning


class _Prefixed(DynamicLayer):
    """A layer that puts prompts before what it is given and keeps nothing.

    So it can be computed twice: gradient checkpointing runs a layer again in the backward pass.
    """

    def __init__(self, keys: Tensor, values: Tensor, prompt_R: Tensor):
        super().__init__()
        self.keys, self.values, self.prompt_R = keys, values, prompt_R
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Return each row's prompt followed by what is given."""
        assert self.keys is not None
        assert self.values is not None
        keys, values = self.keys.index_select(0, self.prompt_R), self.values.index_select(0, self.prompt_R)
        return torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)


def can_share_prompts(model: Any) -> bool:
    """Whether every layer of the model's cache is plain attention, sliding windows included."""
    layers = DynamicCache(config=model.config).layers
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers)


def recording_cache(model: Any) -> Cache:
    """Return a cache that keeps the prompts' keys and values whole, also under a sliding window."""
    return Cache(layers=[_Recorded() for _ in DynamicCache(config=model.config).layers])


def recorded(cache: Cache) -> list[Tensor]:
    """Return what a recording cache holds: each layer's keys and values, in turn."""
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]  # pyright: ignore


def prefix_cache(recorded: list[Tensor], prompt_R: Tensor) -> Cache:
    """Return a cache in which row r continues prompt `prompt_R[r]`."""
    pairs = zip(recorded[::2], recorded[1::2], strict=True)
    return Cache(layers=[_Prefixed(keys, values, prompt_R) for keys, values in pairs])
