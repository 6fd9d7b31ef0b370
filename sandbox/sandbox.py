"""`Sandbox`: running programs on this machine, with a pool of workers for all threads of this process."""

import atexit
import os
import platform
import queue
import re
import sys
import threading
import weakref
from functools import lru_cache
from importlib.util import find_spec

from .errors import InfraError, SandboxError
from .execution import Limits
from .executor import Executor
from .isolation.allowed_syscalls import ARCHITECTURES
from .isolation.tiers import SAFE, Tier
from .job import Job, Report
from .worker import Worker, WorkerLostError

TIER_VARIABLE = "MARKSCHEME_SANDBOX_TIER"
"""The environment variable that names the tier to use."""
_HEAVY = ("pandas", "scipy", "sympy", "numpy")
"""Libraries that take long to import. A program that uses one runs in a worker that has imported it already.

Of several, that is only the first one in this order, so that a program does not pay for the memory of the
others; pandas and scipy import numpy themselves.
"""
_IMPORT = re.compile(rf"\b(?:import|from)\s+({'|'.join(_HEAVY)})\b")
_WORKERS_PER_SLOT = 4
"""The most workers, each with other imports, that a slot keeps."""
_FIXES = {
    Tier.NAMESPACES: "allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an"
    " AppArmor profile; in a container --security-opt seccomp=unconfined or --cap-add SYS_ADMIN)",
    Tier.LANDLOCK: "run Linux 6.2 or newer with landlock in its list of LSMs (boot with lsm=landlock,...)",
}


def check_platform() -> None:
    """Check that this system can confine programs at all.

    Raises:
        SandboxError: it is not Linux on x86-64 or aarch64.
    """
    if sys.platform != "linux" or platform.machine() not in ARCHITECTURES:
        raise SandboxError(
            f"the sandbox needs Linux on x86-64 or aarch64 (this is {sys.platform} on {platform.machine()});"
            " name a SandboxFusion server in the task instead, sandbox: {url: http://host:8080}"
        )


def tier_of(name: str) -> Tier:
    """Return the tier with this name.

    Raises:
        SandboxError: no tier of this machine has the name.
    """
    local = [tier for tier in Tier if tier is not Tier.REMOTE]
    if name not in local:
        raise SandboxError(f"the tiers are {', '.join(local)} (given: {name!r}); choose one of them")
    return Tier(name)


@lru_cache
def try_tier(tier: Tier) -> str | None:
    """Start a worker in a tier and end it; return the reason if it does not start, else None."""
    try:
        Worker(tier).close()
    except OSError as error:
        return str(error)
    return None


def best_tier() -> Tier:
    """Return the tier that `TIER_VARIABLE` names, or else the strongest that works here.

    Raises:
        SandboxError: there is no tier of that name, or no safe tier works; the message says why, and what to
            do.
    """
    check_platform()
    if name := os.environ.get(TIER_VARIABLE):
        return tier_of(name)
    reasons = []
    for tier in SAFE:
        reason = try_tier(tier)
        if reason is None:
            return tier
        reasons.append(f"  {tier}: {reason}; to fix this, {_FIXES[tier]}")
    raise SandboxError(
        "no safe sandbox can be started here:\n"
        + "\n".join(reasons)
        + "\nWeaker tiers must be asked for by name:"
        f" Sandbox(tier='seccomp') or {TIER_VARIABLE}=rlimits; `markscheme doctor` says what each promises."
        " Or name a SandboxFusion server in the task: sandbox: {url: http://host:8080}."
    )


class _Slot:
    """A place for one program at a time, with a worker for each set of imports that was needed recently."""

    def __init__(self, tier: Tier):
        self.tier = tier
        self.workers: dict[tuple[str, ...], Worker] = {}  # by their imports; the one used last is at the end

    def worker(self, preload: tuple[str, ...]) -> Worker:
        worker = self.workers.pop(preload, None) or Worker(self.tier, preload)
        self.workers[preload] = worker
        if len(self.workers) > _WORKERS_PER_SLOT:
            self.workers.pop(next(iter(self.workers))).close()
        return worker

    def drop(self, preload: tuple[str, ...]) -> None:
        if worker := self.workers.pop(preload, None):
            worker.close()

    def close(self) -> None:
        while self.workers:
            self.workers.popitem()[1].close()


class Sandbox(Executor):
    r"""A runner of untrusted programs on this machine. Safe to share between threads; a context manager.

    >>> from markscheme.sandbox import Limits
    >>> with Sandbox(workers=2, limits=Limits(cpu_s=0.5)) as sandbox:
    ...     squared = sandbox.run("print(int(input()) ** 2)", "12")
    ...     batch = sandbox.run_batch(["print(1)", "while True: pass", "1 / 0"])
    >>> squared.stdout
    '144\n'
    >>> [str(execution.verdict) for execution in batch]
    ['ok', 'timeout', 'error']

    Args:
        workers: how many programs run at once; None = one per processor.
        limits: limits of programs that are run without their own; None = the defaults of `Limits`.
        tier: how programs are confined. None = the strongest tier that works here; the weak tiers `seccomp`
            and `rlimits` must be named.

    Raises:
        SandboxError: no safe tier works here, or the named one does not.
    """

    def __init__(
        self, workers: int | None = None, *, limits: Limits | None = None, tier: Tier | str | None = None
    ):
        check_platform()
        if workers is not None and (not isinstance(workers, int) or workers < 1):
            raise SandboxError(
                f"workers must be a whole number above 0 (given: {workers!r}); None means one per processor"
            )
        self.tier = best_tier() if tier is None else tier_of(tier)
        self.limits = limits or Limits()
        self.workers = workers or len(os.sched_getaffinity(0))
        self._open()
        slot = self._free.get()
        try:
            slot.worker(())  # so that a tier that does not start fails now, and not at the first program
        except OSError as error:
            raise SandboxError(
                f"the sandbox tier {self.tier} does not start here: {error}; `markscheme doctor` shows"
                " which tiers do"
            ) from error
        finally:
            self._free.put(slot)

    def _open(self) -> None:
        self._all = [_Slot(self.tier) for _ in range(self.workers)]
        self._free: queue.LifoQueue[_Slot] = queue.LifoQueue()
        for slot in reversed(self._all):
            self._free.put(slot)
        self._closed = False
        _open_sandboxes.add(self)

    def do(self, job: Job) -> Report:
        """Run a job on a free worker; if that worker is lost, run it once more on a new one.

        Raises:
            InfraError: two workers were lost.
            SandboxError: the sandbox is closed, or its tier cannot confine several processes.
        """
        count = job.limits.processes
        if count > 1 and self.tier is not Tier.NAMESPACES:
            raise SandboxError(
                f"limits.processes {count}: only the tier `namespaces` can confine several processes, and"
                f" this sandbox runs in {self.tier}; set processes to 1, or see `markscheme doctor`"
            )
        preload = _preload(job)
        slot = self._free.get()
        try:
            for attempt in (1, 2):
                if self._closed:
                    raise _closed_error()
                try:
                    report = slot.worker(preload).do(job)
                except (WorkerLostError, OSError) as error:
                    slot.drop(preload)
                    if attempt == 2 and not self._closed:
                        raise InfraError(
                            f"a sandbox worker was lost twice: {error}; check whether this machine has run"
                            " out of memory or processes"
                        ) from error
                    continue
                if report.worn:
                    slot.drop(preload)
                return report
            raise _closed_error()
        except InfraError:
            raise
        except BaseException:
            slot.drop(preload)  # after an interrupt the worker may still be running the job
            raise
        finally:
            self._free.put(slot)

    def close(self) -> None:
        """End all workers and the programs that they run. Calls that wait for a worker raise SandboxError."""
        self._closed = True
        _open_sandboxes.discard(self)
        for slot in self._all:
            for worker in list(slot.workers.values()):
                worker.abandon()
        for _ in self._all:
            self._free.get(timeout=30).close()
        for slot in self._all:
            self._free.put(slot)  # for the calls that wait

    def _forget(self) -> None:
        """Leave the workers to the parent process, and have new ones started; called in a forked child."""
        for slot in self._all:
            for worker in slot.workers.values():
                worker.forget()
        self._open()


def _closed_error() -> SandboxError:
    return SandboxError("the sandbox is closed; make a new one with Sandbox()")


_open_sandboxes: "weakref.WeakSet[Sandbox]" = weakref.WeakSet()
_shared: list[Sandbox] = []
"""Empty, or the sandbox that everything in this process shares."""
_lock = threading.Lock()
"""Guards `_shared`."""


def shared_sandbox() -> Sandbox:
    """Return the sandbox that everything in this process shares; the first call starts it.

    Raises:
        SandboxError: no safe tier works here.
    """
    with _lock:
        if not _shared:
            _shared.append(Sandbox())
        return _shared[0]


def _close_all() -> None:
    for sandbox in list(_open_sandboxes):
        sandbox.close()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # another thread of the parent may have held the old one
    for sandbox in list(_open_sandboxes):
        sandbox._forget()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)


@lru_cache
def _installed(module: str) -> bool:
    return find_spec(module) is not None


def _preload(job: Job) -> tuple[str, ...]:
    """Return the modules that a worker for this job should have imported already."""
    named = set(_IMPORT.findall(job.code))
    heavy = [module for module in _HEAVY if module in named and _installed(module)]
    return (*heavy[:1], *job.preload)
