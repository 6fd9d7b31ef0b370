"""Choosing the device that a model runs on, and silencing transformers while it loads models."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

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
