"""Batching rows of token ids by length, and padding them.

Shape suffixes: `_B` rows of a batch, `_T` tokens.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def by_length(
    lengths: Sequence[int], budget: int, *, shared: int = 0, most_padding: float = float("inf")
) -> Iterator[list[int]]:
    """Split rows into batches of similar length, the longest rows first.

    A batch ends before the row that would take it over `budget` tokens, padding included, or its padding
    over `most_padding` tokens. A single row over the budget is a batch of its own.

    Args:
        lengths: number of tokens of each row.
        budget: the most tokens of one batch.
        shared: tokens that every row needs besides its own, such as those of its prompt.
        most_padding: the most padding tokens of one batch; beyond that, another forward pass is cheaper.

    Yields:
        The indices of a batch's rows; every row is in exactly one batch.
    """
    batch: list[int] = []
    padding = 0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[batch[0]] if batch else lengths[i]
        padding += longest - lengths[i]
        over_budget = (len(batch) + 1) * (shared + longest) > budget
        if batch and (over_budget or padding > most_padding):
            yield batch
            batch, padding = [], 0
        batch.append(i)
    if batch:
        yield batch


def right_padded(rows: Sequence[Sequence[Any]], dtype: torch.dtype, *, fill: float = 0) -> Tensor:
    """Return rows of different length as a tensor `[B, T]`, with `fill` to the right of the shorter ones."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=dtype)
