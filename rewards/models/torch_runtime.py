"""Where a model runs, and how quietly transformers loads it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ...sandbox.errors import PolicyError


def choose_device(name: str) -> torch.device:
    """Return the device that `auto` (CUDA if there is one, else the CPU) or a torch name means.

    Raises:
        PolicyError: torch does not know it, or the machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("mps"):
        raise PolicyError(f"device {name!r} has no float64, in which the loss is computed; use device: cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise PolicyError(
            f"device {name!r} cannot be used: {str(error).splitlines()[0]}; try device: auto"
        ) from error


@contextmanager
def quiet(*, reports: bool = False) -> Iterator[None]:
    """Hide transformers' progress bars for loading and saving; with `reports`, its loading reports too."""
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
