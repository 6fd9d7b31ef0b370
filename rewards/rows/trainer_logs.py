"""Completions in the logs of other tools: TRL, verl, lm-eval and Inspect, each read as that tool writes them.

Seen in files of TRL 1.16, verl 0.9.1, lm-eval 0.4.13 and Inspect 0.3.285. What a log lacks stays None.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from numbers import Real
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError
from ...tasks.problem import said_by
from ...tasks.rows.row_files import Located, OnBad, Row, read_rows


@dataclass
class LoggedRow:
    """A completion as another tool logged it."""

    place: str
    prompt: Any
    """Text or chat messages."""
    completion: str
    reference: Any
    """The right answer or answers, if the log has them."""
    recorded: dict[str, float | None]
    """The scores by name; None = not scored."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the log says of the row, for a task's templates."""
    step: int | None = None
    group: int = 0
    """The number of its group, from 1; completions of one prompt that were sampled together."""
    advantage: float | None = None


def read_log(
    path: Path, source: str, *, only_filter: str | None = None, on_bad: OnBad | None = None
) -> Iterator[LoggedRow]:
    """Yield the completions of a log.

    Args:
        path: one of its files, or a folder of them.
        source: `trl`, `verl`, `lm-eval` or `inspect`.
        only_filter: for lm-eval, which logs each document once per filter: the one to read; None = the first.
        on_bad: takes the errors of malformed rows; None = raise them.

    Raises:
        DataError: there are no such files, or their rows have another form.
    """
    if source == "inspect":
        yield from _inspect(path)
        return
    pattern = {"trl": "completions_*.parquet", "verl": "*.jsonl", "lm-eval": "samples_*.jsonl"}[source]
    files = sorted(path.rglob(pattern), key=_natural) if path.is_dir() else [path]
    if not files or not path.exists():
        raise DataError(f"{path}: there is no log of {source} ({pattern}); give its files or their folder")
    rows = (located for file in files for located in read_rows(file, on_bad=on_bad))
    readers = {"trl": _TrlReader, "verl": _VerlReader, "lm-eval": lambda: _LmEvalReader(only_filter)}
    read = readers[source]()
    for place, row in _different_batches(rows) if source == "trl" else rows:
        try:
            logged = list(read(place, row))
        except DataError as error:
            _report(error, on_bad)
        except (LookupError, TypeError, AttributeError, ValueError, StopIteration) as error:
            said = f"{type(error).__name__}: {error}"
            _report(DataError(f"{place}: is not a row that {source} logs ({said})"), on_bad)
        else:
            yield from logged


def _report(error: DataError, on_bad: OnBad | None) -> None:
    if on_bad is None:
        raise error
    on_bad(error)


def _natural(path: Path) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def _number(value: Any) -> float | None:
    """Return a recorded score as a number; None for one that is missing, NaN or no number."""
    if isinstance(value, bool | Real):
        return None if math.isnan(float(value)) else float(value)
    return None


class _TrlReader:
    """Reads TRL's parquet files: `step, prompt, completion, <rewards>, <columns logged by them>, advantage`.

    A group has no number there; the completions of a prompt follow each other.
    """

    def __init__(self) -> None:
        self._group, self._before = 0, None

    def __call__(self, place: str, row: Row) -> Iterator[LoggedRow]:
        asked = (row["step"], row["prompt"])
        self._group, self._before = self._group + (asked != self._before), asked
        inner = {name: row[name] for name in row if name not in ("step", "prompt", "completion", "advantage")}
        is_reward = {name: value is None or isinstance(value, float) for name, value in inner.items()}
        text = row["completion"]
        yield LoggedRow(
            place,
            _prompt(row["prompt"]),
            text if isinstance(text, str) else said_by("assistant", text),
            inner.get("answer", inner.get("solution")),
            {name: _number(value) for name, value in inner.items() if is_reward[name]},
            inner,
            int(row["step"]),
            self._group,
            row["advantage"],
        )


def _prompt(given: Any) -> Any:
    """Return a prompt that is a text or chat messages.

    Raises:
        TypeError: it is neither.
    """
    is_chat = isinstance(given, list) and all(isinstance(message, Mapping) for message in given)
    if is_chat or isinstance(given, str):
        return given
    raise TypeError(f"a prompt must be a text or chat messages (given: {given!r})")


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError(f"a completion must be a text (given: {given!r})")
    return given


def _different_batches(rows: Iterator[Located]) -> Iterator[Located]:
    """Yield the rows of each file that differs from the one before in more than the step.

    With `steps_per_generation` above 1, TRL logs the same batch again at every step, in a file of its own.
    """
    last = ""
    for _, batch in groupby(rows, key=lambda located: located[0].rpartition(":")[0]):
        located = list(batch)
        content = json.dumps([{**row, "step": None} for _, row in located], default=str)
        if content != last:
            yield from located
        last = content


class _VerlReader:
    """Reads verl's dumps: `input, output, gts, score, step`, perhaps `reward`, `uid` and what a reward adds.

    A group is the part of `uid` before its two numbers; without one, the rows of a step with the same input.
    With several data sets `score` may be null, and `reward` has the value.
    """

    KNOWN = ("input", "output", "gts", "step", "uid", "request_id", "score", "reward")

    def __init__(self) -> None:
        self._groups: dict[str, int] = {}

    def __call__(self, place: str, row: Row) -> Iterator[LoggedRow]:
        uid, main = row.get("uid"), row.get("reward")
        prompt = str(uid).rsplit("_", 2)[0] if uid else row["input"]
        key = json.dumps([row["step"], prompt, row.get("gts")], default=str)
        extra = {name: _number(value) for name, value in row.items() if name not in self.KNOWN}
        recorded = {"score": _number(row["score"] if main is None else main)}
        yield LoggedRow(
            place,
            _prompt(row["input"]),
            _text(row["output"]),
            row.get("gts"),
            recorded | {name: value for name, value in extra.items() if value is not None},
            {**row, "answer": row.get("gts"), "ground_truth": row.get("gts")},
            int(row["step"]),
            self._groups.setdefault(key, len(self._groups) + 1),
        )


class _LmEvalReader:
    """Reads lm-eval's samples: a row per document and filter, with all repeats in `resps`.

    The recorded score is the filter's for the document; it is given to the first repeat.
    """

    def __init__(self, only_filter: str | None):
        self._filter = only_filter
        self._groups: dict[str, int] = {}

    def __call__(self, place: str, row: Row) -> Iterator[LoggedRow]:
        self._filter = self._filter or row["filter"]
        if row["filter"] != self._filter:
            return
        if any(isinstance(text, list) for text in row["resps"][0]):
            raise DataError(f"{place}: the log holds likelihoods of choices, and no completions to look at")
        document = f"{place.rpartition(':')[0]}/{row['doc_id']}"
        group = self._groups.setdefault(document, len(self._groups) + 1)
        prompt = next(iter(row["arguments"].values()))["arg_0"]
        if isinstance(prompt, list):  # behind a chat API: the JSON of the messages
            prompt = json.loads(prompt[0])
        reference = row["target"]
        columns = {**(row["doc"] if isinstance(row["doc"], Mapping) else {}), "target": reference}
        for number, text in enumerate(row["resps"][0]):
            scores = {name: _number(row[name]) for name in row["metrics"]} if number == 0 else {}
            repeat = f"{place}#{number + 1}" if number else place
            yield LoggedRow(repeat, _prompt(prompt), _text(text), reference, scores, columns, group=group)


def _inspect(path: Path) -> Iterator[LoggedRow]:
    """Read Inspect's logs by its own reader; the epochs of a sample are a group.

    Raises:
        DataError: inspect-ai is not installed, or cannot read the log.
    """
    try:
        from inspect_ai.log import read_eval_log_samples  # pyright: ignore[reportMissingImports]
        from inspect_ai.scorer import value_to_float  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise DataError("--from inspect needs Inspect's own reader: pip install inspect-ai") from error
    files = sorted(path.rglob("*.eval")) if path.is_dir() else [path]
    if not files or not path.exists():
        raise DataError(f"{path}: there is no log of inspect (*.eval); give its files or their folder")
    worth = value_to_float()
    heavy = {"events", "events_data", "store", "attachments"}
    groups: dict[str, int] = {}
    for file in files:
        samples = read_eval_log_samples(str(file), all_samples_required=False, exclude_fields=heavy)
        for number, sample in enumerate(samples, 1):
            recorded: dict[str, float | None] = {}
            for name, score in (sample.scores or {}).items():
                values = score.value if isinstance(score.value, Mapping) else {"": score.value}
                for key, value in values.items():
                    is_nan = isinstance(value, float) and math.isnan(value)
                    recorded[f"{name}.{key}".rstrip(".")] = None if is_nan else worth(value)
            asked = sample.input
            prompt = asked if isinstance(asked, str) else [{"role": m.role, "content": m.text} for m in asked]
            yield LoggedRow(
                f"{file}:{number}",
                prompt,
                sample.output.completion,
                sample.target,
                recorded,
                {**(sample.metadata or {}), "target": sample.target},
                group=groups.setdefault(f"{file}/{sample.id}", len(groups) + 1),
            )
