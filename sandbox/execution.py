"""The limits that a program runs under (`Limits`), and the result of running it once (`Execution`)."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from .display import html_table, shortened
from .errors import LimitsError

_HIGHEST = {"cpu_s": 3600.0, "wall_s": 36000.0, "memory_mb": 1 << 20, "output_mb": 1024, "processes": 4096}
"""The highest value that each limit may have."""
_WHOLE = ("memory_mb", "processes")
"""Limits that must be whole numbers."""


@dataclass(frozen=True)
class Limits:
    """The resources that one program may use. If it is run on several test cases, they hold for each case.

    >>> Limits(cpu_s=2)
    Limits(cpu_s=2, wall_s=6, memory_mb=1024, output_mb=8.0, processes=1)
    >>> Limits(cpu_s=2, wall_s=1)
    Traceback (most recent call last):
    markscheme.sandbox.errors.LimitsError: limits: wall_s must be at least cpu_s (given: wall_s 1, cpu_s 2);
        raise wall_s, or leave it out for three times cpu_s
    """

    # A task file may give limits: pydantic turns the field docstrings into descriptions in its schema.
    __pydantic_config__: ClassVar[dict[str, bool]] = {"use_attribute_docstrings": True}

    cpu_s: float = 4.0
    """CPU seconds, enforced to within 50 ms. Programs are judged by CPU time because, unlike wall time, it
    does not depend on how busy the machine is."""
    wall_s: float = 0.0
    """Wall-clock seconds, not counting those spent waiting for a processor; 0 = three times `cpu_s`."""
    memory_mb: int = 1024
    """MiB of address space for each process, beyond what an idle interpreter takes."""
    output_mb: float = 8.0
    """MiB of standard output, of standard error, and of each file that the program writes."""
    processes: int = 1
    """1: the program may start threads but no processes. Above 1: the most processes and threads in all."""

    @property
    def output_bytes(self) -> int:
        """`output_mb` in bytes."""
        return int(self.output_mb * (1 << 20))

    def __post_init__(self) -> None:
        for name, highest in _HIGHEST.items():
            _check(name, getattr(self, name), highest)
        if not self.wall_s:
            object.__setattr__(self, "wall_s", 3 * self.cpu_s)
        if self.wall_s < self.cpu_s:
            raise LimitsError(
                f"limits: wall_s must be at least cpu_s (given: wall_s {self.wall_s:g}, cpu_s"
                f" {self.cpu_s:g}); raise wall_s, or leave it out for three times cpu_s"
            )


def _check(name: str, value: Any, highest: float) -> None:
    """Check one limit's type and range.

    Raises:
        LimitsError: it is not a finite number, is out of range, or must be whole and is not.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if name in _WHOLE:
        good = number and isinstance(value, int) and 1 <= value <= highest
        expected = f"a whole number above 0 and up to {highest}"
    elif name == "wall_s":
        good = number and 0 <= value <= highest
        expected = f"a number of seconds from 0 (three times cpu_s) up to {highest}"
    else:
        good = number and 0 < value <= highest
        unit = "seconds" if name == "cpu_s" else "MiB"
        expected = f"a number of {unit} above 0 and up to {highest}"
    if not good:
        raise LimitsError(f"limits: {name} must be {expected} (given: {value!r})")


class RunVerdict(StrEnum):
    """How a run of a program ended."""

    OK = "ok"  # it exited with status 0
    ERROR = "error"  # it raised an exception or exited with another status
    COMPILE_ERROR = "compile_error"  # its text is not a Python program
    TIMEOUT = "timeout"  # it exceeded its CPU limit
    WALL_TIMEOUT = "wall_timeout"  # it exceeded its wall-clock limit: it slept, or waited for something
    MEMORY = "memory"  # it exceeded its memory limit
    OUTPUT_LIMIT = "output_limit"  # it exceeded its output limit
    KILLED = "killed"  # a signal ended it, as after a crash
    SANDBOX_ERROR = "sandbox_error"  # the sandbox failed repeatedly, which says nothing about the program


@dataclass(slots=True, repr=False)
class Execution:
    r"""The result of one run of a program.

    >>> from markscheme.sandbox import Sandbox
    >>> with Sandbox(workers=1) as sandbox:
    ...     execution = sandbox.run("print(int(input()) ** 2)", "12")
    >>> execution.verdict == "ok", execution.stdout
    (True, '144\n')
    """

    verdict: RunVerdict
    """How the run ended. It compares equal to its text, such as `"ok"`."""
    stdout: str = ""
    """Decoded as UTF-8 with invalid bytes replaced; at most `output_mb` MiB."""
    stderr: str = ""
    """As `stdout`."""
    exit_code: int | None = None
    """None if a signal ended the program."""
    signal: int | None = None
    """The signal that ended the program, if one did."""
    cpu_s: float = 0.0
    """CPU seconds, including the 1 to 2 ms that it takes to start the program."""
    wall_s: float = 0.0
    """Wall-clock seconds, including those spent waiting for a processor."""
    memory_mb: float = 0.0
    """Peak resident memory in MiB, including about 15 MiB of the interpreter."""
    tier: str = ""
    """The tier that confined the program; `markscheme doctor` describes the tiers."""
    detail: dict[str, str] = field(default_factory=dict)
    """Further facts, such as the exception that ended the program (`error`)."""

    def __repr__(self) -> str:
        text = self.stdout or self.stderr or self.detail.get("error", "")
        shown = f", {shortened(text)}" if text else ""
        return f"Execution({self.verdict}, {self.cpu_s:.3f} s CPU{shown})"

    def _repr_html_(self) -> str:
        fields = ("stdout", "stderr", "exit_code", "signal", "cpu_s", "wall_s", "memory_mb", "tier", "detail")
        return html_table(f"Execution: {self.verdict}", {name: getattr(self, name) for name in fields})
