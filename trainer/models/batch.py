"""Splitting a training step's completions into the forward passes that compute them.

Completions are grouped into blocks by their prompts, and each block into chunks of rows; one chunk is one
forward and backward pass. Prompts are padded on the left and completions on the right, so that every
completion follows its prompt without a gap.

Shapes: `_B` completions of a chunk, `_T` completion tokens, `_P` prompts of a block.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ...rewards.models.torch_runtime import by_length, right_padded
from ...tasks.problem import Completion


@dataclass(frozen=True)
class Sampled:
    """One step's completions with everything the loss needs; all sequences have one entry per completion."""

    completions: Sequence[Completion]
    advantages: Sequence[Sequence[float] | None]
    """One advantage per token; None = the row is left out of the update."""
    old_logprobs: Sequence[Sequence[float]] | None = None
    """Log-probabilities under the policy before the update; None = use those that the update computes."""
    ref_logprobs: Sequence[Sequence[float]] | None = None
    """Log-probabilities under the reference; None = there is no KL term."""
    exact: bool = False
    """Whether the sampler's log-probabilities are the trainer's own, up to rounding."""


@dataclass(frozen=True)
class Batch:
    """One chunk: the padded tensors of one forward and backward pass."""

    rows: tuple[int, ...]
    """Index of each row's completion in `Sampled`."""
    prompt_B: Tensor
    """`[B]`, the index in the block of the prompt that each row continues."""
    ids_BT: Tensor
    """`[B, T]`, token ids of the completions."""
    real_BT: Tensor
    """`[B, T]`, true where there is a token, false for padding."""
    mask_BT: Tensor
    """`[B, T]`, 1 for tokens that the policy wrote, 0 for padding and for text of a tool or a template."""
    sampled_logprobs_BT: Tensor
    """`[B, T]`, log-probabilities as the sampler reported them."""
    old_logprobs_BT: Tensor | None
    """`[B, T]`, as in `Sampled`."""
    ref_logprobs_BT: Tensor | None
    """`[B, T]`, as in `Sampled`."""
    advantages_BT: Tensor
    """`[B, T]`."""
    exact: bool = False
    """As in `Sampled`."""


@dataclass
class Block:
    """Prompts that are computed together, and the completions that follow them."""

    prompts: list[Sequence[int]] = field(default_factory=list)
    """Token ids of the prompts, each different prompt once."""
    rows: list[int] = field(default_factory=list)
    """Indices of the completions."""
    prompt_of: dict[int, int] = field(default_factory=dict)
    """From the index of a completion to the index of its prompt in `prompts`."""

    @property
    def width(self) -> int:
        """Tokens of the longest prompt."""
        return max(map(len, self.prompts), default=0)


def make_batch(sampled: Sampled, block: Block, rows: Sequence[int], device: torch.device) -> Batch:
    """Return the padded chunk of some of a block's rows."""
    completions = [sampled.completions[i] for i in rows]

    def padded(values: Sequence[Sequence[Any]], dtype: torch.dtype) -> Tensor:
        return right_padded(values, dtype).to(device)

    def padded_rows_of(values: Sequence[Sequence[float]] | None) -> Tensor | None:
        if values is None:
            return None
        return padded([values[i] for i in rows], torch.float32)

    return Batch(
        rows=tuple(rows),
        prompt_B=torch.tensor([block.prompt_of[i] for i in rows], device=device),
        ids_BT=padded([c.token_ids for c in completions], torch.long),
        real_BT=padded([[True] * len(c.token_ids) for c in completions], torch.bool),
        mask_BT=padded([c.loss_mask or [1] * len(c.token_ids) for c in completions], torch.long),
        sampled_logprobs_BT=padded([c.logprobs for c in completions], torch.float32),
        old_logprobs_BT=padded_rows_of(sampled.old_logprobs),
        ref_logprobs_BT=padded_rows_of(sampled.ref_logprobs),
        advantages_BT=padded([sampled.advantages[i] or [] for i in rows], torch.float32),
        exact=sampled.exact,
    )


def for_each_token(
    completions: Sequence[Completion], advantages: Sequence[float]
) -> list[list[float] | None]:
    """Return each completion's advantage once per token, and None (left out) where the advantage is NaN."""
    return [
        None if math.isnan(advantage) else [advantage] * len(completion.token_ids)
        for completion, advantage in zip(completions, advantages, strict=True)
    ]


def left_padded(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask (1 for tokens, 0 for padding), `[P, T]`, padded on the left."""
    width = max(len(row) for row in rows)
    ids = [[pad_id] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def blocks(completions: Sequence[Completion], rows: Sequence[int], budget: int) -> Iterator[Block]:
    """Yield `rows` in blocks by prompt; the padded prompts of a block fit into `budget` tokens.

    A single prompt longer than the budget is a block of its own. Rows with the same prompt should be
    neighbours, as a group's rows are: a prompt that returns after its block was yielded is computed again.
    """
    index_of: dict[tuple[int, ...], int] = {}
    block = Block()
    for i in rows:
        prompt = tuple(completions[i].prompt_token_ids)
        if prompt not in index_of:
            padded_width = max(block.width, len(prompt))
            if block.prompts and (len(block.prompts) + 1) * padded_width > budget:
                yield block
                index_of, block = {}, Block()
            index_of[prompt] = len(block.prompts)
            block.prompts.append(prompt)
        block.rows.append(i)
        block.prompt_of[i] = index_of[prompt]
    if block.rows:
        yield block


def chunks(completions: Sequence[Completion], block: Block, budget: int) -> Iterator[list[int]]:
    """Yield a block's rows, the longest first, in chunks of at most `budget` tokens.

    Prompts and padding count towards the budget; a single row over the budget is still a chunk. A chunk
    also ends where its padding would exceed a sixteenth of the budget: from about there on, computing the
    padding costs more than another pass.
    """
    rows = sorted(block.rows)
    lengths = [len(completions[i].token_ids) for i in rows]
    for chunk in by_length(lengths, budget, shared=block.width, most_padding=budget / 16):
        yield [rows[i] for i in chunk]
