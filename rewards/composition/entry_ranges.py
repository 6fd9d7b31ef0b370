"""The ranges of entries: of a component, of what a clip leaves of it, and of the members of a composite."""

from collections.abc import Mapping, Sequence

from ...sandbox.errors import TaskError
from ...tasks.reward_entries import RewardEntry
from ...tasks.schema import Task
from .combine import Bounds
from .entries import COMPOSITES, Entry
from .reward_functions import find_component, range_of


def member_bounds(
    task: Task, declared: Mapping[str, RewardEntry], member: Entry | RewardEntry | str, path: tuple[str, ...]
) -> Bounds:
    """Return the range of a composite's member.

    Entries that are only named may not be built yet, so their range is looked up, through other composites
    too.

    Args:
        task: the task that declares the entries.
        declared: its entries by name.
        member: a member that is built, one that is only declared, or the name of an entry or a component.
        path: the names of the entries that led there.

    Raises:
        TaskError: entries refer to each other in a circle, or a component cannot be found.
    """
    if isinstance(member, Entry):
        return member.bounds
    if isinstance(member, RewardEntry):
        entry = member
    elif member not in declared:
        entry = RewardEntry(use=member)
    elif member in path:
        raise TaskError(circle(task, (*path, member)))
    else:
        entry, path = declared[member], (*path, member)
    where = task.where("rewards", path[-1])
    if entry.use not in COMPOSITES:
        bounds = range_of(find_component(task, entry.use, where), entry.parameters)
    elif entry.of:
        ranges = [member_bounds(task, declared, one, path) for one in entry.of]
        reduce, k = entry.parameters.get("reduce", "mean"), entry.parameters.get("k", 1.0)
        bounds = combined_bounds(ranges, reduce, k if isinstance(k, int | float) else 1.0)
    else:
        return 0.0, 0.0  # building the empty composite itself is an error
    bounds = clipped(bounds, entry.clip, where)
    return union([bounds, (0.0, 0.0)]) if entry.when else bounds  # a closed gate makes it worth 0


def union(ranges: Sequence[Bounds]) -> Bounds:
    """Return the smallest range that contains all of the given ones."""
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def combined_bounds(ranges: Sequence[Bounds], reduce: str, k: float) -> Bounds:
    """Return the range of a composite's value, from those of its members."""
    low, high = union(ranges)
    if reduce != "mean_minus_std" or not k or low == high:
        return low, high
    # The std is largest, half of the range, where half of the members are at either end.
    return low - k * (high - low) / 2, high


def clipped(bounds: Bounds, clip: Bounds | None, where: str) -> Bounds:
    """Return the part of a range that an entry's `clip` leaves.

    Raises:
        TaskError: it leaves nothing.
    """
    if clip is None:
        return bounds
    if clip[0] > bounds[1] or clip[1] < bounds[0]:
        raise TaskError(
            f"{where}: {list(clip)} does not overlap the component's range {list(bounds)}; give a clip"
            " within it"
        )
    return max(clip[0], bounds[0]), min(clip[1], bounds[1])


def circle(task: Task, path: tuple[str, ...]) -> str:
    """Return the message about entries that refer to each other in a circle."""
    return f"{task.where('rewards')}: entries refer to each other: {' -> '.join(path)}; remove one reference"
