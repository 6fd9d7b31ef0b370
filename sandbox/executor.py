"""`Executor`, the base of every class that runs programs, here or on another machine, and their verdicts."""

import os
import signal
from asyncio import to_thread
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .errors import DataError, InfraError
from .execution import Execution, Limits, RunVerdict
from .isolation.tiers import Tier
from .wire.protocol import CPU, SPACE, WALL, WORN
from .wire.records import COMPILE, MEMORY
from .worker import Job, Report

Program = str | tuple[str, str]
"""Code, or code and its standard input."""


class Executor:
    """Runs untrusted Python programs. Safe to share between threads; a context manager that closes it.

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
            InfraError: the executor itself failed, also when it tried again.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Release what the executor holds: nothing here; a local sandbox ends its workers."""

    def run(self, code: str, stdin: str = "", *, limits: Limits | None = None) -> Execution:
        """Run a program once, as `__main__`.

        Args:
            code: Python source.
            stdin: the program's standard input.
            limits: None = the executor's own.

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
        """Turn the report of a single run into an execution, outputs included."""
        execution = verdict_of(report, limits)
        most = int(limits.output_mb * (1 << 20))
        execution.tier = self.tier
        execution.stdout = report.stdout[:most].decode(errors="replace")
        execution.stderr = report.stderr[:most].decode(errors="replace")
        return execution

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


def verdict_of(report: Report, limits: Limits) -> Execution:
    """Return an execution with the verdict that a report's facts add up to; the outputs are left empty."""
    most = int(limits.output_mb * (1 << 20))
    code = os.waitstatus_to_exitcode(report.status)
    failed = next((record for record in report.records if isinstance(record.get("failed"), str)), None)
    detail = {"error": str(failed.get("error"))} if failed else {}
    execution = Execution(
        RunVerdict.OK,
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        cpu_s=report.cpu_s,
        wall_s=report.wall_s,
        memory_mb=report.kib / 1024,
        detail=detail,
    )
    cause = report.cause % WORN
    # A crash close to the memory limit counts as running out of memory: C code rarely raises MemoryError.
    starved = execution.signal is not None and (report.kib >> 10) > 0.8 * limits.memory_mb
    too_much_output = max(len(report.stdout), len(report.stderr)) > most
    if cause == SPACE or execution.signal == signal.SIGXFSZ or too_much_output:
        execution.verdict = RunVerdict.OUTPUT_LIMIT
    elif cause == CPU or execution.signal == signal.SIGXCPU:
        execution.verdict = RunVerdict.TIMEOUT
    elif cause == WALL:
        execution.verdict = RunVerdict.WALL_TIMEOUT
    elif (failed and failed["failed"] == MEMORY) or starved:
        execution.verdict = RunVerdict.MEMORY
    elif execution.signal:
        execution.verdict = RunVerdict.KILLED
    elif code:
        compiled = failed is None or failed["failed"] != COMPILE
        execution.verdict = RunVerdict.ERROR if compiled else RunVerdict.COMPILE_ERROR
    return execution
