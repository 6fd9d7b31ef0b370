"""A job for a worker, and the worker's report of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .execution import Limits
from .wire.protocol import WORN, Request
from .wire.records import Record

_LARGEST_OUTPUT = 1 << 24
"""The most bytes that all cases of one process may print or return together, unless one alone may take more.

A case for which nothing is left begins another process."""

Mode = Literal["stdio", "calls", "serve", "shared"]
"""How a program is run: as `__main__` once per input; as a module whose functions are called; as a module
whose tests run in another process; or as a module whose tests run in its own process."""


@dataclass(slots=True)
class Job:
    """One program, and what a worker should do with it."""

    code: str
    limits: Limits
    """For `stdio` and `calls`, the limits of all cases together; else of each test."""
    mode: Mode = "stdio"
    prelude: str = ""
    """Code that is executed before the program, in its namespace."""
    given: Sequence[str] = ()
    """Classes of the prelude that the program cannot replace, because tests make objects of them."""
    inputs: Sequence[bytes] = ()
    """For `stdio`: one standard input per case."""
    calls: Sequence[tuple[int, list[tuple[str, bytes]]]] = ()
    """For `calls`: each case's number and its calls, as (entry, packed arguments). The arguments are the pair
    (args, kwargs), marshalled; or, where marshal lacks a type, a zero byte and the codec's text."""
    fresh: bool = False
    """For `calls`: whether the program is defined anew for every case, so that none meets another's state."""
    tests: dict[str, Any] | None = None
    """For `serve` and `shared`: the tests, as `run_beside_program` in oracle/run_tests.py takes them."""
    count: int = 1
    """For `serve` and `shared`: the number of tests; together they may use that many times the limits."""
    preload: tuple[str, ...] = ()
    """Modules that the worker should have imported before it forks."""

    def for_program(self, places: Sequence[tuple[int, int]]) -> dict[str, Any]:
        """Return what the program's process is given; `places` = each input's offset and length."""
        job = {
            "code": self.code.removeprefix("\ufeff"),  # a byte order mark, as before a file's first line
            "mode": self.mode,
            "prelude": self.prelude,
            "output": self.limits.output_bytes,
        }
        # Each further key would cost every program some pages of memory, which it has to copy.
        if self.mode == "stdio":
            return {**job, "inputs": list(places)}
        tests = self.tests if self.mode == "shared" else None
        return {
            **job,
            "given": list(self.given),
            "calls": list(self.calls),
            "fresh": self.fresh,
            "tests": tests,
        }

    def request(self) -> Request:
        """Return the limits that the worker should enforce."""
        limits = self.limits
        largest_input = max(map(len, self.inputs), default=0)
        return Request(
            cpu_s=limits.cpu_s,
            wall_s=limits.wall_s,
            job_cpu_s=limits.cpu_s * self.count,
            job_wall_s=limits.wall_s * self.count,
            memory=limits.memory_mb << 20,
            output=limits.output_bytes,
            file_size=max(self.most_output(), largest_input),
            processes=limits.processes,
            with_tests=self.mode == "serve",
        )

    def cases(self) -> int:
        """Return the number of cases or tests."""
        return max(self.count, len(self.inputs), len(self.calls))

    def most_output(self) -> int:
        """Return the bytes that all cases together may print; one more per case, so that an excess shows."""
        cases = self.cases()
        per_case = self.limits.output_bytes + 1
        return min(cases * per_case, max(_LARGEST_OUTPUT, per_case))


@dataclass(slots=True)
class Report:
    """The facts about a job that has run, without a verdict."""

    cause: int
    """Why the program ended: BY_ITSELF, CPU, WALL or SPACE; plus WORN if the worker could not tidy up."""
    status: int
    """The program's wait status, as from os.wait()."""
    cpu_s: float
    wall_s: float
    kib: int
    """Peak resident memory in KiB."""
    stdout: bytes
    stderr: bytes
    records: list[Record] = field(default_factory=list)
    """What the program's process or its tests' process wrote down."""

    @property
    def worn(self) -> bool:
        """Whether the worker could not tidy up after this job, so that it must be replaced."""
        return self.cause >= WORN
