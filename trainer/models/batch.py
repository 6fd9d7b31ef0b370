"""A step's completions, split into what is computed at once: blocks of prompts, chunks of rows.

Shapes: `_B` completions, `_T` completion tokens, `_P` prompts. Prompts are padded on the left and
completions on the right, so that every completion follows its prompt without a gap.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...rewards.models.batching import by_length, right_padded
from ...tasks.problem import Completion


@dataclass(frozen=True)
class Sampled:
    """The completions of a step with what the loss needs of each, all of one length."""

    completions: Sequence[Completion]
    advantages: Sequence[Sequence[float] | None]
    """One a token; None = the row was left out."""
    old_logprobs: Sequence[Sequence[float]] | None = None
    """Under the policy before the update; None = as computed in the update itself."""
    ref_logprobs: Sequence[Sequence[float]] | None = None
    """Under the reference, where there is one."""
    exact: bool = False
    """Whether the sampler's own log-probabilities are the trainer's, to rounding."""


@dataclass(frozen=True)
class Batch:
    """A chunk: what one forward and backward pass needs."""

    rows: tuple[int, ...]
    """Which completions these are."""
    prompt_B: Tensor
    """`[B]`, which prompt of the block each continues."""
    ids_BT: Tensor
    """`[B, T]`, the completions' tokens."""
    real_BT: Tensor
    """`[B, T]`, true where there is a token."""
    mask_BT: Tensor
    """`[B, T]`, 1 for the policy's own tokens; 0 for padding and what a tool or template wrote."""
    sampled_logprobs_BT: Tensor
    """`[B, T]`, as the sampler gave them."""
    old_logprobs_BT: Tensor | None
    """`[B, T]`."""
    ref_logprobs_BT: Tensor | None
    """`[B, T]`."""
    advantages_BT: Tensor
    """`[B, T]`."""
    exact: bool = False
    """As in `Sampled`."""


@dataclass
class Block:
    """Prompts that are computed together, and the completions that follow them."""

    prompts: list[Sequence[int]] = field(default_factory=list)
    """Token ids, each prompt once."""
    rows: list[int] = field(default_factory=list)
    """Completions."""
    prompt_of: dict[int, int] = field(default_factory=dict)
    """From a completion to its prompt's place."""

    @property
    def width(self) -> int:
        """Tokens of the longest prompt."""
        return max(map(len, self.prompts), default=0)


def make_batch(sampled: Sampled, block: Block, rows: Sequence[int], device: torch.device) -> Batch:
    """Pad some of a block's completions into one chunk."""
    some = [sampled.completions[i] for i in rows]

    def padded(values: Sequence[Sequence[Any]], dtype: torch.dtype) -> Tensor:
        return right_padded(values, dtype).to(device)

    def chosen(values: Sequence[Sequence[float]] | None) -> Tensor | None:
        return None if values is None else padded([values[i] for i in rows], torch.float32)

    ids_BT = padded([c.token_ids for c in some], torch.long)
    real_BT = padded([[True] * len(c.token_ids) for c in some], torch.bool)
    return Batch(
        rows=tuple(rows),
        prompt_B=torch.tensor([block.prompt_of[i] for i in rows], device=device),
        ids_BT=ids_BT,
        real_BT=real_BT,
        mask_BT=padded([c.loss_mask or [1] * len(c.token_ids) for c in some], torch.long),
        sampled_logprobs_BT=padded([c.logprobs for c in some], torch.float32),
        old_logprobs_BT=chosen(sampled.old_logprobs),
        ref_logprobs_BT=chosen(sampled.ref_logprobs),
        advantages_BT=padded([sampled.advantages[i] or [] for i in rows], torch.float32),
        exact=sampled.exact,
    )


def repeated(completions: Sequence[Completion], advantages: Sequence[float]) -> list[list[float] | None]:
    """Give every token of a completion its one advantage; NaN leaves the row out."""
    return [
        None if math.isnan(advantage) else [advantage] * len(completion.token_ids)
        for completion, advantage in zip(completions, advantages, strict=True)
    ]


def left_padded(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ids and mask `[P, T]`, padded on the left."""
    width = max(len(row) for row in rows)
    ids = [[pad_id] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def blocks(completions: Sequence[Completion], rows: Sequence[int], budget: int) -> Iterator[Block]:
    """Split rows by their prompts, as many as fit into `budget` tokens, padding included."""
    places: dict[tuple[int, ...], int] = {}
    block = Block()
    for i in rows:
        prompt = tuple(completions[i].prompt_token_ids)
        if prompt not in places:
            if block.prompts and (len(block.prompts) + 1) * max(block.width, len(prompt)) > budget:
                yield block
                places, block = {}, Block()
            places[prompt] = len(block.prompts)
            block.prompts.append(prompt)
        block.rows.append(i)
        block.prompt_of[i] = places[prompt]
    if block.rows:
        yield block


def chunks(completions: Sequence[Completion], block: Block, budget: int) -> Iterator[list[int]]:
    """Split a block's rows, the longest first, into chunks of at most `budget` tokens.

    Prompts and padding count. A chunk also ends where its padding would pass a sixteenth of the budget:
    about there, one more pass costs less than the padding.
    """
    rows = sorted(block.rows)
    lengths = [len(completions[i].token_ids) for i in rows]
    for places in by_length(lengths, budget, shared=block.width, most_padding=budget / 16):
        yield [rows[place] for place in places]
