"""`Sandbox`: the pool of workers that programs are given to, from any thread."""

import atexit
import os
import platform
import queue
import re
import signal
import sys
import threading
import weakref
from asyncio import to_thread
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from .errors import DataError, InfraError, SandboxError
from .execution import Execution, Limits, RunVerdict
from .isolation import SAFE, Tier
from .records import COMPILE, MEMORY
from .syscalls import ARCHITECTURES
from .worker import Job, Report, Worker, WorkerLostError, worn
from .zygote import CPU, SPACE, WALL, WORN

Program = str | tuple[str, str]
"""Code, or code and its standard input."""
TIER_VARIABLE = "MARKSCHEME_SANDBOX_TIER"
_HEAVY = ("numpy", "pandas", "scipy", "sympy", "unittest", "pytest")
"""Imported ahead in workers of their own: no program pays for them, nor for the others' memory."""
_IMPORT = re.compile(rf"\b(?:import|from)\s+({'|'.join(_HEAVY)})\b")
_KINDS = 3
_FIXES = {
    Tier.NAMESPACES: "allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor"
    " profile; in a container --security-opt seccomp=unconfined or --cap-add SYS_ADMIN)",
    Tier.LANDLOCK: "run Linux 6.2 or newer with landlock in its list of LSMs (boot with lsm=landlock,...)",
}


def check_platform() -> None:
    """Refuse systems that have no such sandbox.

    Raises:
        SandboxError: not Linux on x86-64 or aarch64.
    """
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        raise SandboxError(
            f"the sandbox needs Linux on x86-64 or aarch64 (this is {sys.platform} on {platform.machine()});"
            " use the remote executor: markscheme.sandbox.RemoteSandbox(url) of a SandboxFusion server"
        )


@lru_cache
def try_tier(tier: Tier) -> str | None:
    """Start a worker in a tier and end it; return None, or why it does not start."""
    try:
        Worker(tier).close()
    except OSError as error:
        return str(error)
    return None


def best_tier() -> Tier:
    """Return the strongest tier that works here, or the one that the environment names.

    Raises:
        SandboxError: none that is safe does; says why and what to do.
    """
    check_platform()
    if named := os.environ.get(TIER_VARIABLE):
        return Tier(named)
    reasons = []
    for tier in SAFE:
        reason = try_tier(tier)
        if reason is None:
            return tier
        reasons.append(f"  {tier}: {reason}; to mend it, {_FIXES[tier]}")
    raise SandboxError(
        "no safe sandbox can be started here:\n" + "\n".join(reasons) + f"\nWeaker ones must be asked for by name:"
        f" Sandbox(tier='seccomp') or {TIER_VARIABLE}=rlimits; `markscheme doctor` says what each promises."
        " Or use the remote executor, markscheme.sandbox.RemoteSandbox(url)."
    )


class _Slot:
    """Room for one program at a time: a worker of each kind that was needed lately."""

    def __init__(self, tier: Tier):
        self.tier = tier
        self.workers: dict[tuple[str, ...], Worker] = {}

    def worker(self, preload: tuple[str, ...]) -> Worker:
        found = self.workers.pop(preload, None) or Worker(self.tier, preload)
        self.workers[preload] = found  # the last used stands last
        if len(self.workers) > _KINDS:
            self.workers.pop(next(iter(self.workers))).close()
        return found

    def drop(self, preload: tuple[str, ...]) -> None:
        if worker := self.workers.pop(preload, None):
            worker.close()

    def close(self) -> None:
        while self.workers:
            self.workers.popitem()[1].close()


class Sandbox:
    """Workers that run untrusted programs. Safe to share between threads; a context manager.

    Args:
        workers: how many programs run at once; None = one a processor.
        limits: for programs that bring none of their own.
        tier: None = the strongest that works here; a name asks for that one, also for a weak one.

    Raises:
        SandboxError: no safe tier works here, or not the one that was asked for.
    """

    def __init__(
        self, workers: int | None = None, *, limits: Limits | None = None, tier: Tier | str | None = None
    ):
        check_platform()
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise SandboxError(f"workers must be a whole number from 1 up (given: {workers!r})")
        try:
            self.tier = best_tier() if tier is None else Tier(tier)
        except ValueError as error:
            raise SandboxError(f"{error}; the tiers are {', '.join(Tier)}") from error
        self.limits = limits or Limits()
        self.workers = workers or len(os.sched_getaffinity(0))
        self._open()
        slot = self._free.get()
        try:
            slot.worker(())  # what cannot start says so now
        except OSError as error:
            raise SandboxError(f"the sandbox tier {self.tier} does not start here: {error}") from error
        finally:
            self._free.put(slot)

    def _open(self) -> None:
        self._all = [_Slot(self.tier) for _ in range(self.workers)]
        self._free: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for slot in reversed(self._all):
            self._free.put(slot)
        self._closed = False
        _open_ones.add(self)

    def run(self, code: str, stdin: str = "", *, limits: Limits | None = None) -> Execution:
        """Run a program once, as `__main__`, and say what became of it.

        Args:
            code: Python source.
            stdin: its standard input.
            limits: None = the sandbox's own.

        Raises:
            DataError: code or input is not text. SandboxError: the sandbox is closed.
        """
        limits = limits or self.limits
        body = {"mode": "stdio", "code": text_of(code, "code")}
        return self.execute(Job(body, limits, (encoded(stdin),)))

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

    def execute(self, job: Job) -> Execution:
        """Do a job of one case; what is ours to blame comes back as `sandbox_error`."""
        try:
            return self.execution(self.do(job), job.limits)
        except InfraError as error:
            return Execution(RunVerdict.SANDBOX_ERROR, tier=self.tier, detail={"error": str(error)})

    def do(self, job: Job) -> Report:
        """Do a job on a free worker, once more if the worker is lost.

        Raises:
            InfraError: lost twice. SandboxError: the sandbox is closed.
        """
        preload = _preload(job)
        slot = self._free.get()
        try:
            for attempt in (1, 2):
                if self._closed:
                    raise SandboxError("the sandbox is closed")
                try:
                    report = slot.worker(preload).do(job)
                except (WorkerLostError, OSError) as error:
                    slot.drop(preload)
                    if attempt == 2 and not self._closed:
                        raise InfraError(f"a sandbox worker was lost twice: {error}") from error
                    continue
                if worn(report):
                    slot.drop(preload)
                return report
            raise SandboxError("the sandbox is closed")
        except BaseException as error:
            if not isinstance(error, InfraError):
                slot.drop(preload)  # interrupted: it may be at work still
            raise
        finally:
            self._free.put(slot)

    def execution(self, report: Report, limits: Limits) -> Execution:
        """Return what a report of a single run means."""
        made = verdict_of(report, limits)
        most = int(limits.output_mb * (1 << 20))
        made.tier = self.tier
        made.stdout = report.stdout[:most].decode(errors="replace")
        made.stderr = report.stderr[:most].decode(errors="replace")
        return made

    def close(self) -> None:
        """End all workers, and what they run."""
        self._closed = True
        _open_ones.discard(self)
        for slot in self._all:
            for worker in list(slot.workers.values()):
                worker.abandon()
        for _ in self._all:
            self._free.get(timeout=30).close()
        for slot in self._all:
            self._free.put(slot)

    def _forget(self) -> None:
        """In a forked child: leave the parent's workers to the parent, and start others."""
        for slot in self._all:
            for worker in slot.workers.values():
                worker.forget()
        self._open()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


_open_ones: "weakref.WeakSet[Sandbox]" = weakref.WeakSet()
_lock = threading.Lock()
_shared: list[Sandbox] = []


def shared_sandbox() -> Sandbox:
    """Return the sandbox that everything in this process shares, started when first asked for.

    Raises:
        SandboxError: none that is safe can be started here.
    """
    with _lock:
        if not _shared:
            _shared.append(Sandbox())
        return _shared[0]


def _close_all() -> None:
    for sandbox in list(_open_ones):
        sandbox.close()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for sandbox in list(_open_ones):
        sandbox._forget()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)


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
    return text_of(text, "stdin").encode(errors="surrogateescape")


@lru_cache
def _installed(module: str) -> bool:
    return find_spec(module) is not None


def _preload(job: Job) -> tuple[str, ...]:
    named = {*_IMPORT.findall(job.body["code"]), *job.preload}
    return tuple(module for module in _HEAVY if module in named and _installed(module))


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
    elif (failed and failed["failed"] == MEMORY) or (made.signal and report.kib >> 10 > 0.8 * limits.memory_mb):
        made.verdict = RunVerdict.MEMORY
    elif made.signal:
        made.verdict = RunVerdict.KILLED
    elif code:
        made.verdict = RunVerdict.COMPILE_ERROR if failed and failed["failed"] == COMPILE else RunVerdict.ERROR
    return made
