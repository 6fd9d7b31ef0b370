"""What a person sees of a run: a bar on a terminal, plain lines when nobody watches."""

import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from tqdm import tqdm

SHOWN = (
    ("reward", "reward", "{:.3f}"), ("accuracy", "acc", "{:.3f}"),
    ("step_mark", "marks", "{:.3f}"), ("flat_groups", "flat", "{:.2f}"),
    ("kl", "kl", "{:.4f}"), ("entropy", "ent", "{:.3f}"), ("time_tokens_per_second", "tok/s", "{:.0f}"),
)  # fmt: skip
"""Metric, its short name, its format."""


class Progress(Protocol):
    """What `train` tells of."""

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Take in a finished step."""

    def say(self, line: str) -> None:
        """Take in a line for the reader."""

    def warm_start(self, done: int, total: int) -> None:
        """Take in how far the tiny policy's warm start is."""

    def close(self) -> None:
        """End."""


def summary_line(metrics: Mapping[str, Any]) -> str:
    """Return the shown metrics of a step in one line; what is not there is left out."""
    known = {name: value for name, value in metrics.items() if value is not None}
    shown = [f"{short} {form.format(known[name])}" for name, short, form in SHOWN if name in known]
    watched = [f"{name} {value:.3f}" for name, value in known.items() if name.startswith("watch/")]
    return " ".join([*shown[:2], *watched, *shown[2:]])


class Bar:
    """A bar with the time left, for a terminal."""

    def __init__(self, total: int, stream: TextIO):
        self.stream, self.total = stream, total
        self._bar: tqdm | None = None
        self._unit = ""

    def _get(self, unit: str, total: int, initial: int = 0) -> tqdm:
        if self._bar is None or self._unit != unit:
            self.close()
            self._bar = tqdm(total=total, initial=initial, unit=unit, file=self.stream, dynamic_ncols=True)
            self._unit = unit
        return self._bar

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Move the bar."""
        bar = self._get("step", self.total, number - 1)
        bar.set_postfix_str(summary_line(metrics), refresh=False)
        bar.update(number - bar.n)

    def say(self, line: str) -> None:
        """Write a line above the bar."""
        tqdm.write(line, file=self.stream)

    def warm_start(self, done: int, total: int) -> None:
        """Move the warm start's bar."""
        bar = self._get("warm start", total)
        bar.update(done - bar.n)

    def close(self) -> None:
        """Close the bar that is open."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Lines:
    """A line now and then: about forty in a run."""

    def __init__(self, total: int, stream: TextIO):
        self.total, self.stream = total, stream
        self.every = max(1, total // 40)
        self._seconds = 0.0
        self._steps = 0

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Count, and write a line when it is time."""
        self._seconds += metrics.get("time_step", 0.0)
        self._steps += 1
        if number % self.every == 0 or number == self.total:
            left = (self.total - number) * self._seconds / self._steps
            self.say(f"step {number}/{self.total} {summary_line(metrics)} left {left:.0f}s")

    def say(self, line: str) -> None:
        """Write a line."""
        print(line, file=self.stream, flush=True)

    def warm_start(self, done: int, total: int) -> None:
        """Write a line every 200 steps."""
        if done == 1 or done % 200 == 0 or done == total:
            self.say(f"warm start {done}/{total}")

    def close(self) -> None:
        """Nothing is open."""


class Silent:
    """Tells nothing: for runs from Python."""

    def step(self, number: int, metrics: Mapping[str, Any]) -> None:
        """Nothing."""

    def say(self, line: str) -> None:
        """Nothing."""

    def warm_start(self, done: int, total: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def terminal_progress(total: int) -> Progress:
    """Return a bar if a person is watching standard error, else plain lines."""
    stream = sys.stderr
    return Bar(total, stream) if stream.isatty() else Lines(total, stream)
