"""Which rows are computed together, and how they are padded.

Shapes: `_B` rows of a batch, `_T` tokens.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor


def by_length(
    lengths: Sequence[int], budget: int, *, shared: int = 0, most_padding: float = float("inf")
) -> Iterator[list[int]]:
    """Split rows, the longest first, into batches.

    A batch is full when another row would take it over `budget` tokens, padding included, or its padding
    alone over `most_padding`. A single row over the budget is still a batch.

    Args:
        lengths: tokens of each row.
        budget: tokens of one batch.
        shared: further tokens that every row needs, such as its prompt's.
        most_padding: tokens of padding that are cheaper to compute than another pass.

    Yields:
        Indices of rows; every row is in one batch.
    """
    batch: list[int] = []
    padding = 0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[batch[0]] if batch else lengths[i]
        padding += longest - lengths[i]
        if batch and ((len(batch) + 1) * (shared + longest) > budget or padding > most_padding):
            yield batch
            batch, padding = [], 0
        batch.append(i)
    if batch:
        yield batch


def right_padded(rows: Sequence[Sequence[Any]], dtype: torch.dtype, *, fill: float = 0) -> Tensor:
    """Return `[B, T]`, padded on the right."""
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows], dtype=dtype)
