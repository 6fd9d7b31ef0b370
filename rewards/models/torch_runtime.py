"""What models on torch need: a device, silence while they are loaded, batches by length, and padding.

Shape suffixes: `_B` rows of a batch, `_T` tokens.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ...sandbox.errors import PolicyError, first_line


def choose_device(name: str) -> torch.device:
    """Return the device for a name: `auto` (CUDA if there is a GPU, else the CPU) or a torch device's.

    Raises:
        PolicyError: torch does not know the device, this machine does not have it, or it has no float64.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("mps"):
        raise PolicyError(f"device {name!r} has no float64, in which the loss is computed; use device: cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a device that cannot be used warns before it raises
            return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise PolicyError(f"device {name!r} cannot be used: {first_line(error)}; try device: auto") from error


@contextmanager
def quiet(*, reports: bool = False) -> Iterator[None]:
    """Hide transformers' progress bars while the block runs; with `reports`, also its loading reports."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    if reports:
        logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


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
