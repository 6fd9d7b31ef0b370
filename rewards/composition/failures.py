"""What a failure is worth: the lowest value, one that the task sets, or none, which leaves the row out."""

import math

from ...sandbox.errors import RewardError
from ..score import COMPLETIONS_FAULT, Part
from .entries import Entry


def set_worth_of_failure(part: Part, entry: Entry) -> None:
    """Give a failed part what its failure is worth: by the entry's `on_failure`, or else by its status.

    Raises:
        RewardError: `on_failure` is `stop` for this status.
    """
    worth = entry.declared.on_failure.get(part.status.value)
    if worth == "stop":
        raise RewardError(
            f"{entry.where}: {part.status}: {part.reason} (on_failure says stop); fix the cause, or give"
            f" {part.status} a number or leave_out in `on_failure`"
        )
    if worth == "leave_out":
        part.value = None
    elif worth is not None:
        part.value = float(worth)
    elif part.status in COMPLETIONS_FAULT:
        # A range without a lowest value cannot punish a failure, so the row is left out.
        part.value = entry.bounds[0] if math.isfinite(entry.bounds[0]) else None
