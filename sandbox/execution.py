"""`Limits` that a program runs under, and `Execution`: what became of it."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from .display import html_table, shortened
from .errors import LimitsError

_MOST = {"cpu_s": 3600.0, "wall_s": 36000.0, "memory_mb": 1 << 20, "output_mb": 1024, "processes": 4096}


@dataclass(frozen=True)
class Limits:
    """What one program may take. Of several cases, each may take as much."""

    # Read by pydantic, where a task file gives limits: the texts below become descriptions in its schema.
    __pydantic_config__: ClassVar[dict[str, bool]] = {"use_attribute_docstrings": True}

    cpu_s: float = 4.0
    """CPU seconds, kept to within 50 ms: what a program is judged by, since load does not change it."""
    wall_s: float = 0.0
    """Wall seconds, those not counted in which it waited for a processor; 0 = three times `cpu_s`."""
    memory_mb: int = 1024
    """MiB of address space for each process, beyond what an idle interpreter takes."""
    output_mb: float = 8.0
    """MiB of standard output, of standard error, and of any file that is written."""
    processes: int = 1
    """1: no process but its own (threads it may have); more: so many processes and threads in all."""

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            least = 1 if name in ("memory_mb", "processes") else 0
            whole = isinstance(value, int) or name not in ("memory_mb", "processes")
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            zero_is_wrong = name != "wall_s" and number and value == 0
            if not (number and whole and least <= value <= most) or zero_is_wrong:
                kind = (
                    "a whole number"
                    if least
                    else "a number of seconds"
                    if name.endswith("_s")
                    else "a number"
                )
                raise LimitsError(
                    f"limits: {name} must be {kind} above 0 and up to {most} (given: {value!r})"
                )
        if not self.wall_s:
            object.__setattr__(self, "wall_s", 3 * self.cpu_s)
        if self.wall_s < self.cpu_s:
            raise LimitsError(
                f"limits: wall_s must be at least cpu_s (given: wall_s {self.wall_s:g}, cpu_s {self.cpu_s:g})"
            )


class RunVerdict(StrEnum):
    """What became of a program."""

    OK = "ok"  # ended with status 0
    ERROR = "error"  # an exception, or another status
    COMPILE_ERROR = "compile_error"  # was no program
    TIMEOUT = "timeout"  # passed its CPU limit
    WALL_TIMEOUT = "wall_timeout"  # slept, or waited for what never came
    MEMORY = "memory"  # wanted more than it was given
    OUTPUT_LIMIT = "output_limit"  # wrote more than it may
    KILLED = "killed"  # by a signal: a crash
    SANDBOX_ERROR = "sandbox_error"  # ours, twice: says nothing about the program


@dataclass(slots=True, repr=False)
class Execution:
    r"""One run of a program.

    >>> from markscheme.sandbox import Sandbox
    >>> with Sandbox(workers=1) as sandbox:
    ...     execution = sandbox.run("print(int(input()) ** 2)", "12")
    >>> execution.verdict == "ok", execution.stdout
    (True, '144\n')
    """

    verdict: RunVerdict
    """Compares equal to its text, such as `"ok"`."""
    stdout: str = ""
    """UTF-8; what is not valid is replaced. At most `output_mb`."""
    stderr: str = ""
    exit_code: int | None = None
    """None where a signal ended it."""
    signal: int | None = None
    cpu_s: float = 0.0
    """CPU seconds, ours for starting it included (1 to 2 ms)."""
    wall_s: float = 0.0
    memory_mb: float = 0.0
    """Peak resident memory, the interpreter's 15 MiB included."""
    tier: str = ""
    """What held it; see `markscheme doctor`."""
    detail: dict[str, str] = field(default_factory=dict)
    """What else is known, such as the exception that ended it."""

    def __repr__(self) -> str:
        said = self.stdout or self.stderr or self.detail.get("error", "")
        shown = f", {shortened(said)}" if said else ""
        return f"Execution({self.verdict}, {self.cpu_s:.3f} s CPU{shown})"

    def _repr_html_(self) -> str:
        fields = ("stdout", "stderr", "exit_code", "signal", "cpu_s", "wall_s", "memory_mb", "tier", "detail")
        return html_table(f"Execution: {self.verdict}", {name: getattr(self, name) for name in fields})
