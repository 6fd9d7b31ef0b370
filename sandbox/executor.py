"""What every executor of programs has, here or elsewhere: runs, batches, and what a report means."""

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
    """Runs untrusted programs. Safe to share between threads; a context manager."""

    tier: Tier
    limits: Limits
    workers: int
    serves_tests = True
    """Whether tests can run in a process beside the program's."""

    def job(self, code: str, stdin: bytes, language: str, limits: Limits) -> Job | Execution:
        """Return what is to be done for a run, or what is known of it already."""
        raise NotImplementedError

    def do(self, job: Job) -> Report:
        """Do a job.

        Raises:
            InfraError: our side failed, twice.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End what is running."""

    def run(
        self, code: str, stdin: str = "", *, limits: Limits | None = None, language: str = "python"
    ) -> Execution:
        """Run a program once, a Python one as `__main__`, and say what became of it.

        Args:
            code: source.
            stdin: its standard input.
            limits: None = the executor's own.
            language: python, cpp, javascript or shell.

        Raises:
            DataError: code or input is not text. SandboxError: the sandbox is closed, the language is
                not installed, or more than one process is asked for where the tier cannot hold them.
        """
        limits = limits or self.limits
        try:
            job = self.job(text_of(code, "code"), encoded(stdin), language, limits)
            return job if isinstance(job, Execution) else self.execution(self.do(job), limits)
        except InfraError as error:
            return Execution(RunVerdict.SANDBOX_ERROR, tier=self.tier, detail={"error": str(error)})

    def run_batch(self, programs: Iterable[Program], *, limits: Limits | None = None) -> list[Execution]:
        """Run programs, as many at once as there are workers; results in order."""
        pairs = [(program, "") if isinstance(program, str) else program for program in programs]
        return self.map(lambda pair: self.run(*pair, limits=limits), pairs)

    async def run_async(self, code: str, stdin: str = "", *, limits: Limits | None = None) -> Execution:
        """Run a program without holding up the event loop."""
        return await to_thread(self.run, code, stdin, limits=limits)

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Call a function that uses this sandbox for each item, on as many threads as there are workers."""
        if len(items) < 2 or self.workers == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(self.workers, len(items))) as threads:
            return list(threads.map(function, items))

    def execution(self, report: Report, limits: Limits) -> Execution:
        """Return what a report of a single run means."""
        made = verdict_of(report, limits)
        most = int(limits.output_mb * (1 << 20))
        made.tier = self.tier
        made.stdout = report.stdout[:most].decode(errors="replace")
        made.stderr = report.stderr[:most].decode(errors="replace")
        return made

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def text_of(value: object, what: str) -> str:
    """Return text as it is.

    Raises:
        DataError: it is no text.
    """
    if not isinstance(value, str):
        raise DataError(f"{what} must be text (given: {type(value).__name__})")
    return value


def encoded(text: str) -> bytes:
    """Return text as a program's input."""
    return text_of(text, "stdin").encode(errors="surrogatepass")


def _starved(report: Report, limits: Limits) -> bool:
    """Whether a crash was for want of memory."""
    said = any(words in report.stderr for words in (b"std::bad_alloc", b"heap out of memory"))
    return said or report.kib >> 10 > 0.8 * limits.memory_mb


def verdict_of(report: Report, limits: Limits) -> Execution:
    """Return what a report means, without its outputs."""
    most = int(limits.output_mb * (1 << 20))
    code = os.waitstatus_to_exitcode(report.status)
    failed = next((record for record in report.records if isinstance(record.get("failed"), str)), None)
    detail = {"error": str(failed.get("error"))} if failed else {}
    made = Execution(
        RunVerdict.OK, exit_code=code if code >= 0 else None, signal=-code if code < 0 else None,
        cpu_s=report.cpu_s, wall_s=report.wall_s, memory_mb=report.kib / 1024, detail=detail,
    )  # fmt: skip
    cause = report.cause % WORN
    if cause == SPACE or made.signal == signal.SIGXFSZ or max(len(report.stdout), len(report.stderr)) > most:
        made.verdict = RunVerdict.OUTPUT_LIMIT
    elif cause == CPU or made.signal == signal.SIGXCPU:
        made.verdict = RunVerdict.TIMEOUT
    elif cause == WALL:
        made.verdict = RunVerdict.WALL_TIMEOUT
    elif (failed and failed["failed"] == MEMORY) or (made.signal and _starved(report, limits)):
        made.verdict = RunVerdict.MEMORY
    elif made.signal:
        made.verdict = RunVerdict.KILLED
    elif code:
        made.verdict = (
            RunVerdict.COMPILE_ERROR if failed and failed["failed"] == COMPILE else RunVerdict.ERROR
        )
    return made
