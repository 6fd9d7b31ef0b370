"""`ScoreTable`: the score rows of one task as columns, so that any number of them takes little memory."""

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...sandbox.errors import DataError
from ..rows.read_scores import ReadRow
from .step_metrics import StepTally

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]
UNREAD = ("no_answer", "unparsable")
"""Statuses of completions without a readable answer."""
_MARK = {True: 1, False: 0, None: -1}


@dataclass
class ScoreTable:
    """The rows of one task. Marks and labels are 1 (right), 0 (wrong) or -1 (not known)."""

    task: str
    hash: str
    header: Mapping[str, Any]
    """What the header of the file says of the task; empty for rows of version 1."""
    problem: Integers
    """The number of the problem, from 0."""
    problem_hashes: Integers
    """A hash of each problem's id, by its number."""
    group: Integers
    """The number of the group, from 0: by step and group, or else by problem."""
    key: Integers
    """A hash of problem, completion, step, and how often they came before, by which files are compared."""
    step: Integers
    """The training step; 0 outside training."""
    mark: Integers
    label: Integers
    value: Floats
    """NaN where there is none."""
    logged: Floats
    """The advantage that the row states; NaN where it states none."""
    unread: Integers
    """1 for completions without a readable answer (status no_answer or unparsable)."""
    length: Integers
    """In tokens, or in characters where no row has its tokens."""
    parts: dict[str, Floats]
    """The values of each entry; NaN where there is none."""
    shares: dict[str, Floats]
    """What each entry adds to a sum: its weight times its value, 0 where it does not count."""
    status: Counter[str]
    stratum: Integers
    strata: list[str]
    """The names of the strata, by their numbers; empty if rows name none."""
    ids: dict[int, str]
    """For rows of a stratum called `Ties`: the row's id, by group."""
    steps: StepTally
    files: list[str]
    file: Integers
    line: Integers

    def __len__(self) -> int:
        return len(self.mark)

    def place(self, row: int) -> str:
        """Return the place of a row, such as `scores.jsonl:61`."""
        return f"{self.files[self.file[row]]}:{self.line[row]}"

    @property
    def groups(self) -> int:
        """The number of groups."""
        return int(self.group.max(initial=-1)) + 1

    def advantages(self) -> Floats:
        """Return the advantages: those of a run as it logged them, else `group_advantages` of the values."""
        if np.isfinite(self.logged).all():
            return self.logged
        return group_advantages(self.value, self.group)

    def counts(self, marks: Integers) -> tuple[Integers, Integers]:
        """Return how many marks are right, and how many known, of each problem of which some are known."""
        known = marks >= 0
        size = len(self.problem_hashes)
        total = np.bincount(self.problem[known], minlength=size)
        right = np.bincount(self.problem[marks == 1], minlength=size)
        return right[total > 0], total[total > 0]


def group_advantages(values: Floats, group: Integers) -> Floats:
    """Return (value - mean) / population std within each group; 0 where all known values are equal, or none.

    DeepSeekMath (arXiv 2402.03300), section 4.1.2; a row without a value gets 0 and counts for nothing.
    """
    known = np.isfinite(values)
    advantages = np.zeros(len(values))
    mean, centred = centred_in_groups(np.where(known, values, 0.0), group, known)
    variance = np.bincount(group, centred**2, len(mean)) / np.maximum(np.bincount(group, known, len(mean)), 1)
    scale = np.where(varied(values, group, known), np.sqrt(variance), np.inf)
    advantages[known] = (centred / scale[group])[known]
    return advantages


def centred_in_groups(values: Floats, group: Integers, known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return each group's mean of known values, and the values less that mean; 0 where unknown."""
    size = int(group.max(initial=-1)) + 1
    count = np.maximum(np.bincount(group, known, size), 1)
    mean = np.bincount(group, np.where(known, values, 0.0), size) / count
    return mean, np.where(known, values - mean[group], 0.0)


def varied(values: Floats, group: Integers, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether the known values of each group differ by more than rounding, as in the trainer.

    Rounding is that of the values' type: 4 eps of the largest, see `equal_to_rounding` there.
    """
    size = int(group.max(initial=-1)) + 1
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, group[known], values[known])
    np.maximum.at(high, group[known], values[known])
    largest = np.maximum(np.abs(low), np.abs(high))
    return (high > low) & (high - low > 4 * np.finfo(values.dtype).eps * largest)


@dataclass
class _Columns:
    """The columns of a table while it is read, as compact arrays."""

    task_hash: str
    header: Mapping[str, Any]
    first_place: str
    by_name: dict[str, Any] = field(default_factory=lambda: {name: array(kind) for name, kind in KINDS})
    """An array per column of `KINDS`."""
    parts: dict[str, "array[float]"] = field(default_factory=dict)
    """By entry, two per row: its value, and what it adds to a sum."""
    status: Counter[str] = field(default_factory=Counter)
    strata: dict[str, int] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)
    steps: StepTally = field(default_factory=StepTally)
    rows: int = 0


KINDS = (
    ("problem", "q"), ("group", "q"), ("key", "q"), ("step", "i"), ("mark", "b"), ("label", "b"),
    ("length", "i"), ("stratum", "i"), ("file", "i"), ("line", "i"), ("unread", "b"),
    ("value", "d"), ("logged", "f"),
)  # fmt: skip
"""The columns that are collected, in the smallest type that holds them; the first three as hashes."""


LARGEST = 2**31 - 1
"""The largest number that the columns of steps and lengths hold."""


def _hash(*content: Any) -> int:
    digest = hashlib.blake2b("\0".join(map(str, content)).encode(errors="backslashreplace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big", signed=True)


def read_tables(rows: Iterable[ReadRow], *, part: str | None = None) -> dict[str, ScoreTable]:
    """Read score rows into one table per task.

    Args:
        rows: of one file or of several that belong together.
        part: take the values of this entry, and not the total.

    Raises:
        DataError: rows of one task were scored with different versions of it, or no row has the entry.
    """
    columns: dict[str, _Columns] = {}
    files: dict[str, int] = {}
    for read in rows:
        row = read.row
        mine = columns.setdefault(row.task, _Columns(row.task_hash, read.task_header, read.place))
        if row.task_hash != mine.task_hash:
            raise DataError(
                f"{read.place}: task {row.task!r} has the hash {row.task_hash[:12]} here and"
                f" {mine.task_hash[:12]} at {mine.first_place}, so that these marks do not belong together;"
                " give the files one by one, `markscheme compare` them, or `rescore` the older one"
            )
        if part is not None and part not in row.parts:
            known = ", ".join(row.parts)
            raise DataError(f"{read.place}: the row has no entry {part!r} (it has: {known})")
        _append(mine, read, part, files)
    return {task: _table(task, mine, list(files)) for task, mine in columns.items()}


def _append(mine: _Columns, read: ReadRow, part: str | None, files: dict[str, int]) -> None:
    row = read.row
    file, _, line = read.place.rpartition(":")
    # Groups are numbered in their file; completions without a number belong to the group of their problem.
    own = ("group", file, row.group) if row.group is not None else ("problem", row.problem)
    group = _hash(row.step, *own)
    stratum = -1 if row.stratum is None else mine.strata.setdefault(row.stratum, len(mine.strata))
    given_columns = {
        "problem": _hash(row.problem),
        "group": group,
        "key": _hash(row.problem, row.completion, row.step),
        "step": min(row.step or 0, LARGEST),
        "mark": _MARK[row.right],
        "label": _MARK[row.label],
        "length": min(row.tokens or -len(row.completion), LARGEST),
        "stratum": stratum,
        "file": files.setdefault(file, len(files)),
        "line": int(line),
        "unread": row.status in UNREAD,
        "value": _number(row.value if part is None else row.parts[part]["value"]),
        "logged": _number(row.advantage if part is None else None),
    }
    for name, column in mine.by_name.items():
        column.append(given_columns[name])
    for name, given in row.parts.items():
        if name not in mine.parts:
            mine.parts[name] = array("f", [np.nan, 0.0] * mine.rows)
        worth = given["value"]
        counts = worth is not None and given["weight"] and part is None
        adds = worth * given["weight"] if counts else 0.0
        mine.parts[name].extend((_number(worth), adds))
    mine.rows += 1
    for column in mine.parts.values():
        if len(column) < 2 * mine.rows:
            column.extend((np.nan, 0.0))
    mine.status[row.status] += 1
    if row.stratum == "Ties" and re.fullmatch(r"(ref|tied):\d+", str(row.id)):
        mine.ids[group] = str(row.id)
    if row.steps and any("label" in step for step in row.steps):
        low, high = mine.header.get("step_range") or (0.0, 1.0)
        marks = [None if s["value"] is None else (s["value"] - low) / (high - low) for s in row.steps]
        mine.steps.add(marks, [step.get("label") for step in row.steps])


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _table(task: str, mine: _Columns, files: list[str]) -> ScoreTable:
    columns: dict[str, Any] = {
        name: np.frombuffer(column, column.typecode) for name, column in mine.by_name.items()
    }
    parts = {name: np.frombuffer(column, "f").reshape(-1, 2).T for name, column in mine.parts.items()}
    mine.by_name.clear()
    length = columns.pop("length")  # in tokens, or below 0 in characters
    problem_hashes, problem = _numbered(columns.pop("problem"))
    hashes, group = _numbered(columns.pop("group"))
    number_of = {int(value): number for number, value in enumerate(hashes)} if mine.ids else {}
    return ScoreTable(
        task=task,
        hash=mine.task_hash,
        header=mine.header,
        problem=problem,
        problem_hashes=problem_hashes,
        group=group,
        key=_occurrences(columns.pop("key")),
        length=np.maximum(length, 0) if length.max(initial=0) > 0 else -length,
        **{
            name: columns[name]
            for name in ("step", "mark", "label", "value", "logged", "stratum", "file", "line", "unread")
        },
        parts={name: column[0] for name, column in parts.items()},
        shares={name: column[1] for name, column in parts.items()},
        status=mine.status,
        strata=list(mine.strata),
        ids={number_of[value]: name for value, name in mine.ids.items()},
        steps=mine.steps,
        files=files,
    )


def _numbered(hashes: Integers) -> tuple[Integers, Integers]:
    """Return the distinct values in the order in which they first came, and each row's number among them."""
    distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return distinct[order], rank[inverse]


def _occurrences(keys: Integers) -> Integers:
    """Return the keys, changed so that equal ones differ by how often they came before."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(keys) else np.array([], int)
    before = np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
    changed = np.empty_like(keys)
    with np.errstate(over="ignore"):
        changed[order] = ordered + before * np.int64(0x1E3779B97F4A7C15)
    return changed
