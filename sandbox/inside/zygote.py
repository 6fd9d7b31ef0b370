"""A worker: a process that shuts itself in once and then forks itself for every program.

`main` runs in a freshly exec'ed interpreter: one thread, a clean environment, no descriptor but
its own. The first process (the *stub*) stays outside and only waits, to tidy up; the worker, its
child, is pid 1 of a namespace where there are namespaces. The worker itself never reads a program:
it forks, watches the clock and reports.
"""

import contextlib
import fcntl
import gc
import importlib
import marshal
import os
import random
import resource
import select
import signal
import socket
import struct
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..isolation import kernel
from ..isolation.scratch_folder import empty, space
from ..isolation.seccomp import program_filter
from ..isolation.tiers import (
    TMP_MB,
    Tier,
    leave_namespaces,
    library_path,
    limit_for_good,
    private_root,
    prove,
    shut_in,
    take_user,
    user_of_its_own,
)
from ..oracle.run_tests import check
from ..wire.protocol import (
    BY_ITSELF,
    CPU,
    QUESTION,
    READY,
    REPLY,
    REQUEST,
    SPACE,
    WALL,
    WORN,
)
from ..wire.records import PROGRESS, Records
from . import harness
from .thread_semaphore import ThreadSemaphore

PRELOADED = (
    "abc", "array", "bisect", "cmath", "collections", "contextlib", "copy", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "heapq", "io", "itertools", "json", "math", "numbers",
    "operator", "queue", "random", "re", "statistics", "string", "textwrap", "threading", "time", "typing",
)  # fmt: skip
"""What most programs import."""
_PID = 0x7A69_6E63
"""Stands for a program's own pid in the filters that are made once."""
_LOOK_S = 0.05
"""Seconds between looks at a folder that has no quota of its own."""


def main(config: dict[str, Any]) -> None:
    """Be the stub: enter namespaces, fork the worker, wait, tidy up.

    Args:
        config: `tier`, `tmp` (a folder of its own), `preload` (modules) and the descriptors
            `control`, `blob`, `results`.
    """
    tier, tmp = Tier(config["tier"]), config["tmp"]
    user = os.geteuid()
    if tier is Tier.NAMESPACES:
        user = leave_namespaces()
    elif tier is Tier.LANDLOCK:
        user = user_of_its_own()
        os.chown(tmp, user, user if user != os.geteuid() else -1)
    stub = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _Worker(tier, tmp, user, config, stub).serve()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}".encode())
            os._exit(1)
        os._exit(0)
    for descriptor in (config["control"], config["blob"], config["results"]):
        os.close(descriptor)
    os.waitpid(pid, 0)
    if tmp:
        with contextlib.suppress(OSError):
            empty(tmp)
            os.rmdir(tmp)


class _Worker:
    def __init__(self, tier: Tier, tmp: str, user: int, config: dict[str, Any], stub: int):
        self.tier = tier
        self.control, self.blob, self.results = (config[name] for name in ("control", "blob", "results"))
        sys.path[:] = library_path()
        for module in (*PRELOADED, *config["preload"]):
            with contextlib.suppress(Exception):  # a program that imports it meets the error itself
                importlib.import_module(module)
        sys.argv[:] = [harness.FILE]
        config.clear()  # nothing of the caller's is left in memory
        sys.orig_argv[:] = ["python"]
        warnings.simplefilter("ignore", SyntaxWarning)
        random.seed(0)  # every program meets the same numbers, whatever ran before it
        with open("/proc/self/statm") as sizes:
            self.own_bytes = int(sizes.read().split()[0]) * resource.getpagesize()
        self.folders = {tmp: frozenset[str]()}
        if tier is Tier.NAMESPACES:
            tmp, kept = private_root(user)
            self.folders = {"/tmp": kept, tmp: kept if tmp == "/tmp" else frozenset()}
        self.tmp = tmp
        os.chdir(tmp)
        os.environ.update(HOME=tmp, TMPDIR=tmp)
        take_user(user)
        shut_in(tier, tmp)
        if tier is not Tier.NAMESPACES:
            kernel.adopt_orphans()
            setattr(importlib.import_module("_multiprocessing"), "SemLock", ThreadSemaphore)  # noqa: B010
        kernel.die_with_parent(signal.SIGKILL)
        if tier is not Tier.NAMESPACES and os.getppid() != stub:
            os._exit(1)
        limit_for_good(tier)
        prove(tier)
        self.filters = {
            forks: kernel.Filter(program_filter(_PID, forks=forks), _PID) for forks in (False, True)
        }
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK if hard < 0 else min(hard, _STACK), hard))
        if tier is Tier.NAMESPACES:
            resource.setrlimit(resource.RLIMIT_NPROC, (_THREADS, _THREADS))
        self.poll = select.poll()
        self.poll.register(self.control, select.POLLIN)
        gc.collect()
        gc.freeze()
        gc.disable()

    def serve(self) -> None:
        """Run a program for every request, until the caller is gone."""
        channel = self.control
        os.write(channel, READY)
        while request := os.read(channel, REQUEST.size):
            os.write(channel, self._run(request))

    def _run(self, request: bytes) -> bytes:
        *limits, with_tests = REQUEST.unpack(request)
        for descriptor in (0, 1, 2, self.results):  # shared with every program: offset, flags and content
            fcntl.fcntl(descriptor, fcntl.F_SETFL, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.ftruncate(descriptor, 0)
        os.ftruncate(self.results, PROGRESS.size)
        began = time.monotonic()
        if with_tests:
            links = socket.socketpair()
            program = self._forked(lambda: self._program(limits, links[0].detach(), links[1]))
            tests = self._forked(lambda: self._tests(limits, links[1].detach(), links[0]))
            for link in links:
                link.close()
        else:
            program = self._forked(lambda: self._program(limits))
            tests = None
        cause = self._watch(program, tests or program, began, limits)
        if tests is not None:
            self._end(tests, patience=0.0 if cause == BY_ITSELF else _LAST_WORDS_S)
        _, status, usage = self._end(program)
        wall = time.monotonic() - began
        if limits[-1] > 1:
            self._end_the_rest()
        if not self._tidied():
            cause = WORN + cause
        return REPLY.pack(cause, status, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss)

    def _forked(self, work: Callable[[], int]) -> tuple[int, int]:
        """Do work in a child; return its pid and pidfd."""
        pid = kernel.fork()
        if pid == 0:
            try:
                os._exit(work())
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}".encode())
            finally:
                os._exit(1)
        watched = os.pidfd_open(pid)
        self.poll.register(watched, select.POLLIN)
        return pid, watched

    def _end(self, child: tuple[int, int], patience: float = 0.0) -> Any:
        """Kill a child that has not ended within some seconds; return what wait4 says of it."""
        pid, watched = child
        self.poll.unregister(watched)
        if patience:
            select.select([watched], [], [], patience)
        os.kill(pid, signal.SIGKILL)  # nothing, where it has ended: it is ours to wait for
        os.close(watched)
        return os.wait4(pid, 0)

    def _program(self, limits: Sequence[Any], link: int | None = None, other: Any = None) -> int:
        """In the child: shed what is the worker's, take the limits, do the job."""
        files = self._limited(limits, other)
        (length,) = struct.unpack("=Q", os.pread(self.blob, 8, 0))
        job = marshal.loads(os.pread(self.blob, length, 8))
        if link is None:
            return harness.run(job, (self.blob, 8 + length), self.results, files)
        for descriptor in (self.blob, self.results):  # the tests, and what comes of them
            os.close(descriptor)
        return harness.run(job, (-1, 0), -1, files, link)

    def _tests(self, limits: Sequence[Any], link: int, other: Any) -> int:
        """In the other child: run the tests."""
        self._limited(limits, other)
        (length,) = struct.unpack("=Q", os.pread(self.blob, 8, 0))
        at = 8 + length
        (length,) = struct.unpack("=Q", os.pread(self.blob, 8, at))
        job = marshal.loads(os.pread(self.blob, length, at + 8))
        return check(job, link, Records(self.results))

    def _limited(self, limits: Sequence[Any], other: Any) -> int:
        _, _, cpu_in_all, _, memory, _, files, processes = limits
        os.close(self.control)
        if other is not None:
            other.close()
        if self.tier is not Tier.NAMESPACES:
            kernel.die_with_parent(signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_AS, (self.own_bytes + memory,) * 2)
        if processes > 1:
            whole = int(cpu_in_all) + 2  # of each process; the worker watches the first more closely
            resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))
            # The limit counts a user's processes, and this worker's user has no others.
            resource.setrlimit(resource.RLIMIT_NPROC, (2 + processes, 2 + processes))
        if self.tier is not Tier.RLIMITS:
            self.filters[processes > 1].enter(os.getpid())
        return files

    def _watch(
        self, program: tuple[int, int], last: tuple[int, int], began: float, limits: Sequence[Any]
    ) -> int:
        """Wait until `last` has ended, or end the program when it passes a limit; return the cause."""
        pid, watched = program
        cpu_s, wall_s, cpu_in_all, wall_in_all, *_ = limits
        processors = len(os.sched_getaffinity(0))
        clock = (~pid << 3) | 2  # CPU time of another process: linux/posix-timers.h
        case, forgiven = (0.0, began), 0.0
        quick = self.tier is not Tier.NAMESPACES
        wait = min(cpu_s / processors, wall_s)
        while True:
            events = self.poll.poll(1000 * (min(wait, _LOOK_S) if quick else wait) + 1)
            ended = {descriptor for descriptor, _ in events}
            if last[1] in ended:
                return BY_ITSELF
            if watched in ended:  # its tests have still to notice
                select.select([last[1]], [], [], _LAST_WORDS_S)
                return BY_ITSELF
            if self.control in ended:  # the caller is gone
                self._kill(pid)
                os._exit(0)
            cpu, wall = _cpu(clock), time.monotonic()
            if min(cpu_s - cpu + case[0], wall_s - wall + case[1] + forgiven) <= 0:
                case = self._case(case)
            left = min(case[0] + cpu_s, cpu_in_all) - cpu
            if left <= 0:
                return self._kill(pid, CPU)
            until = min(case[1] + wall_s, began + wall_in_all) + forgiven - wall
            if until <= 0:
                waited = self._waited(watched)
                if waited <= forgiven + 0.001 or forgiven > 20 * wall_in_all:
                    return self._kill(pid, WALL)
                forgiven = waited
                until = 0.001
            if quick and space(self.tmp) > TMP_MB << 20:
                return self._kill(pid, SPACE)
            wait = max(min(left / processors, until), 0.001)

    def _case(self, case: tuple[float, float]) -> tuple[float, float]:
        """Return when the case began that runs now, as the program says; never before what it said last."""
        said = os.pread(self.results, PROGRESS.size, 0)
        if len(said) < PROGRESS.size:
            return case
        _, cpu, wall = PROGRESS.unpack(said)
        now = time.monotonic()
        return (cpu, wall) if case[0] <= cpu and case[1] <= wall <= now else case

    def _waited(self, watched: int) -> float:
        channel = socket.socket(fileno=os.dup(self.control))
        with channel:
            socket.send_fds(channel, [QUESTION], [watched])
            return float(channel.recv(64) or b"0")

    def _kill(self, pid: int, cause: int = BY_ITSELF) -> int:
        os.kill(pid, signal.SIGKILL)
        return cause

    def _end_the_rest(self) -> None:
        """Kill whatever processes the program has left running."""
        if os.getpid() != 1:
            return  # not in a process namespace of our own, where -1 means everybody's processes
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def _tidied(self) -> bool:
        """Empty the private folders; whether that worked, and what must stay has stayed."""
        for folder, kept in self.folders.items():
            if set(os.listdir(folder)) != kept:
                try:
                    empty(folder, kept)
                except OSError:
                    return False
                if set(os.listdir(folder)) != kept:
                    return False
        return True


_LAST_WORDS_S = 5.0
"""Seconds that tests have to tell how they ended, once their program has."""
_THREADS = 256
_STACK = 64 << 20
"""Bytes of stack of a program's first thread: deep recursion through C takes it."""


def _cpu(clock: int) -> float:
    try:
        return time.clock_gettime(clock)
    except OSError:  # it has ended in this moment
        return 0.0
