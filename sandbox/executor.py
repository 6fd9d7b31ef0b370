"""`Executor`, the base class of the sandboxes: `Sandbox` runs programs here, `RemoteSandbox` on a server.

A subclass turns a `Job` into a `Report` of facts. This file turns that into the verdict on the program.
"""

import os
import signal
from asyncio import to_thread
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .errors import DataError, InfraError
from .execution import Execution, Limits, RunVerdict
from .isolation.tiers import Tier
from .job import Job, Report
from .wire.protocol import CPU, SPACE, WALL, WORN
from .wire.records import COMPILE, FAILED, MEMORY

Program = str | tuple[str, str]
"""Code, or code and its standard input."""


class Executor:
    """A runner of untrusted Python programs. Safe to share between threads; a `with` block closes it.

    A subclass provides `do` and the attributes below; everything else is built on them.
    """

    tier: Tier
    limits: Limits
    workers: int
    serves_tests = True
    """Whether tests can run in a second process, next to the program's."""

    def do(self, job: Job) -> Report:
        """Run one job and return the facts about it, without a verdict.

        Raises:
            InfraError: the executor itself failed, and failed again when it retried.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release what the executor holds: by default nothing; a local sandbox ends its workers."""

    def run(self, code: str, stdin: str = "", *, limits: Limits | None = None) -> Execution:
        """Run a program once, as `__main__`.

        Args:
            code: Python source.
            stdin: the program's standard input.
            limits: the limits of this run; None = the executor's own.

        Returns:
            The execution. If the executor itself failed, its verdict is `sandbox_error`.

        Raises:
            DataError: code or input is not text.
            SandboxError: the sandbox is closed, or `limits.processes` is above 1 in a tier that cannot
                confine several processes.
        """
        limits = limits or self.limits
        job = Job(text_of(code, "code"), limits, inputs=(encoded(stdin),))
        try:
            return self.execution(self.do(job), limits)
        except InfraError as error:
            return Execution(RunVerdict.SANDBOX_ERROR, tier=self.tier, detail={"error": str(error)})

    def run_batch(self, programs: Iterable[Program], *, limits: Limits | None = None) -> list[Execution]:
        """Run programs, as many at a time as there are workers, and return their executions in order."""
        pairs = [(program, "") if isinstance(program, str) else program for program in programs]
        return self.map(lambda pair: self.run(*pair, limits=limits), pairs)

    async def run_async(self, code: str, stdin: str = "", *, limits: Limits | None = None) -> Execution:
        """Run a program without blocking the event loop."""
        return await to_thread(self.run, code, stdin, limits=limits)

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Call a function that uses this executor on each item, with one thread per worker."""
        if len(items) < 2 or self.workers == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(self.workers, len(items))) as threads:
            return list(threads.map(function, items))

    def execution(self, report: Report, limits: Limits) -> Execution:
        """Return the execution that the report of a single run describes."""
        most = limits.output_bytes
        code = os.waitstatus_to_exitcode(report.status)
        failure = next((record for record in report.records if record.kind == FAILED), None)
        what, error = failure.parts() if failure is not None else ("", "")
        return Execution(
            _verdict(report, limits, code, what),
            stdout=report.stdout[:most].decode(errors="replace"),
            stderr=report.stderr[:most].decode(errors="replace"),
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            cpu_s=report.cpu_s,
            wall_s=report.wall_s,
            memory_mb=report.kib / 1024,
            tier=self.tier,
            detail={"error": error} if failure is not None else {},
        )

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def text_of(value: object, what: str) -> str:
    """Return `value` if it is text; `what` names it in the message.

    Raises:
        DataError: it is not text.
    """
    if not isinstance(value, str):
        raise DataError(f"{what} must be text (given: {type(value).__name__}); pass a str")
    return value


def encoded(text: str) -> bytes:
    """Return text as the bytes of a program's standard input."""
    return text_of(text, "stdin").encode(errors="surrogatepass")


def _verdict(report: Report, limits: Limits, code: int, failed: str) -> RunVerdict:
    """Return the verdict on a run.

    Args:
        report: the facts about the run.
        limits: the limits that it ran under.
        code: the exit status, or minus the number of the signal that ended the program.
        failed: what failed, if a record says so (see `wire/records.py`); else empty.
    """
    cause = report.cause % WORN
    too_much_output = max(len(report.stdout), len(report.stderr)) > limits.output_bytes
    if cause == SPACE or code == -signal.SIGXFSZ or too_much_output:
        return RunVerdict.OUTPUT_LIMIT
    if cause == CPU or code == -signal.SIGXCPU:
        return RunVerdict.TIMEOUT
    if cause == WALL:
        return RunVerdict.WALL_TIMEOUT
    # A crash close to the memory limit counts as running out of memory: C code rarely raises MemoryError.
    if failed == MEMORY or (code < 0 and (report.kib >> 10) > 0.8 * limits.memory_mb):
        return RunVerdict.MEMORY
    if code < 0:
        return RunVerdict.KILLED
    if code == 0:
        return RunVerdict.OK
    return RunVerdict.COMPILE_ERROR if failed == COMPILE else RunVerdict.ERROR
