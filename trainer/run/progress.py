"""The output of a run on standard error: a progress bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

SHOWN = (
    ("reward", "reward", "{:.3f}"), ("accuracy", "acc", "{:.3f}"),
    ("step_mark", "marks", "{:.3f}"), ("flat_groups", "flat", "{:.2f}"),
    ("kl", "kl", "{:.4f}"), ("entropy", "ent", "{:.3f}"), ("time_tokens_per_second", "tok/s", "{:.0f}"),
)  # fmt: skip
"""The metrics that are shown for a step: name, short name, format."""


class Progress(Protocol):
    """Shows a run to its reader while it lasts."""

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Show a finished step."""

    def say(self, line: str) -> None:
        """Show a line of text."""

    def warm_start(self, done: int, total: int) -> None:
        """Show how many steps of the tiny policy's warm start are done."""

    def close(self) -> None:
        """Finish the output."""


def summary_line(metrics: Mapping[str, Any]) -> str:
    """Return a step's metrics as one line: reward and accuracy, watched entries, the rest of `SHOWN`.

    Metrics that a step does not have are omitted.
    """
    known = {name: value for name, value in metrics.items() if value is not None}
    shown = [f"{short} {form.format(known[name])}" for name, short, form in SHOWN if name in known]
    watched = [f"{name} {value:.3f}" for name, value in known.items() if name.startswith("watch/")]
    return " ".join([*shown[:2], *watched, *shown[2:]])


def bar_of(unit: str, stream: TextIO, *, hidden: bool = False) -> rich.progress.Progress:
    """Return a progress bar that fits the width of the terminal: what is done, the time left, and a text.

    Its tasks have a field `shown`, the text at the end, which is cut where the line ends.
    """
    return rich.progress.Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(compact=True),
        TextColumn(
            "{task.fields[shown]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        console=Console(file=stream, highlight=False, emoji=False),
        disable=hidden,
        expand=True,
    )


class Bar:
    """A progress bar with the remaining time, for a terminal."""

    def __init__(self, total: int, stream: TextIO):
        self.stream, self.total = stream, total
        self._bar: rich.progress.Progress | None = None
        self._unit = ""

    def _get(self, unit: str, total: int, initial: int = 0) -> rich.progress.Progress:
        """Return the open bar; a bar of another unit (the warm start's) is closed first."""
        if self._bar is None or self._unit != unit:
            self.close()
            self._bar, self._unit = bar_of(unit, self.stream), unit
            self._bar.add_task("", total=total, completed=initial, shown="")
            self._bar.start()
        return self._bar

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Advance the bar to a step, with the step's metrics after it."""
        bar = self._get("steps", self.total, number - 1)
        bar.update(TaskID(0), completed=number, shown=summary_line(metrics))

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        console = (
            Console(file=self.stream, highlight=False, emoji=False)
            if self._bar is None
            else self._bar.console
        )
        style = "bold red" if line.startswith(("ALARM", "warning")) else None
        console.print(line, style=style, markup=False)

    def warm_start(self, done: int, total: int) -> None:
        """Advance the bar of the warm start."""
        self._get("steps of warm start", total).update(TaskID(0), completed=done)

    def close(self) -> None:
        """Close the open bar, if there is one."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class Lines:
    """Plain lines, for a log file; in a long run, not for every step."""

    def __init__(self, total: int, stream: TextIO):
        self.total, self.stream = total, stream
        self.every = max(1, total // 40)
        self._seconds = 0.0
        self._steps = 0

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Print a line for every `every`-th step and the last one."""
        self._seconds += metrics.get("time_step", 0.0)
        self._steps += 1
        if number % self.every == 0 or number == self.total:
            remaining = (self.total - number) * self._seconds / self._steps
            self.say(f"step {number}/{self.total} {summary_line(metrics)} remaining {remaining:.0f}s")

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=self.stream, flush=True)

    def warm_start(self, done: int, total: int) -> None:
        """Print a line for every 200th and the last step."""
        if done % 200 == 0 or done == total:
            self.say(f"warm start {done}/{total}")

    def close(self) -> None:
        """Do nothing: every line is already written."""


class Silent:
    """Shows nothing: the default of runs that are started from Python."""

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Do nothing."""

    def say(self, line: str) -> None:
        """Do nothing."""

    def warm_start(self, done: int, total: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def terminal_progress(total: int) -> Progress:
    """Return a bar of `total` steps if standard error is a terminal, else plain lines."""
    stream = sys.stderr
    return Bar(total, stream) if stream.isatty() else Lines(total, stream)
