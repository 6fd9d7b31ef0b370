"""A worker: a process that confines itself once and then forks itself for every program.

`main` runs in a freshly exec'ed interpreter that has one thread, a clean environment and only the descriptors
that it needs. This process becomes the *stub*, which stays unconfined, waits, and tidies up at the end. Its
child is the *worker*, which is confined; where there are namespaces, it is process 1 of its own process
namespace. The worker never looks at a program: it forks, watches (`watch.py`) and reports.
"""

import contextlib
import fcntl
import gc
import importlib
import marshal
import os
import resource
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from ..isolation import kernel
from ..isolation.scratch_folder import empty
from ..isolation.seccomp_filters import program_filter
from ..isolation.tiers import (
    Tier,
    check_confinement,
    confine,
    enter_namespaces,
    own_user,
    private_root,
    set_fixed_limits,
    switch_user,
)
from ..oracle.run_tests import run_beside_program
from ..wire.protocol import BY_ITSELF, READY, REPLY, REQUEST, WORN, Request
from ..wire.records import PROGRESS, Records
from . import harness
from .between_cases import FILE, place
from .interpreter import prepare_interpreter
from .thread_semaphore import ThreadSemaphore
from .watch import Child, Watch, cpu_seconds, seconds_of_ended_children

_BLANK_PID = 0x7A69_6E63
"""Stands for the program's pid in the system-call filters, made once and filled in for each program.

Pids end at 2^22, so no other number of a filter can be mistaken for it."""
_THREADS = 256
"""The most processes and threads in a worker's namespaces, unless a job sets another number."""
_STACK = 64 << 20
"""Bytes of stack of a program's first thread; deep recursion through C code needs much."""


def main(config: dict[str, Any]) -> None:
    """Run the stub: enter namespaces, fork the worker, wait for its end, tidy up.

    Args:
        config: `tier`; `tmp`, a folder for this worker alone (empty in tier `namespaces`, where it makes its
            own); `preload`, the modules to import; and the descriptors `control`, `blob` and `results`.
    """
    tier, tmp = Tier(config["tier"]), config["tmp"]
    user = os.geteuid()
    if tier is Tier.NAMESPACES:
        user = enter_namespaces()
    elif tier is Tier.LANDLOCK:
        user = own_user()
        os.chown(tmp, user, user if user != os.geteuid() else -1)
    stub = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _Worker(tier, tmp, user, config, stub).serve()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}".encode())  # the caller reports it as the reason
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
    """The confined process. Creating an instance confines the process that creates it, for good."""

    def __init__(self, tier: Tier, tmp: str, user: int, config: dict[str, Any], stub: int):
        self.tier = tier
        self.control, self.blob, self.results = (config[name] for name in ("control", "blob", "results"))
        prepare_interpreter(config)
        # Every program gets the same pid, so that it cannot tell how many processes there were before it.
        self.last_pid = _open_last_pid() if tier is Tier.NAMESPACES else None
        with open("/proc/self/statm") as sizes:
            pages = int(sizes.read().split()[0])  # the address space of an interpreter that does nothing yet
        self.own_bytes = pages * resource.getpagesize()
        # The folders that a program may write to, each with the entries that stay when it is emptied.
        self.folders = {tmp: frozenset[str]()}
        if tier is Tier.NAMESPACES:
            tmp, kept = private_root(user)
            self.folders = {"/tmp": kept}
            self.folders.setdefault(tmp, frozenset())
        os.chdir(tmp)
        os.environ.update(HOME=tmp, TMPDIR=tmp)
        place.file = os.path.join(tmp, FILE)
        switch_user(user)
        confine(tier, tmp)
        if tier is not Tier.NAMESPACES:
            kernel.adopt_orphans()  # process 1 of a process namespace does so anyway
            setattr(importlib.import_module("_multiprocessing"), "SemLock", ThreadSemaphore)  # noqa: B010
        self._die_with(stub)
        set_fixed_limits(tier)
        check_confinement(tier)
        self.filters = {
            (forks, clocks): kernel.Filter(
                program_filter(_BLANK_PID, forks=forks, with_clocks=clocks), _BLANK_PID
            )
            for forks in (False, True)
            for clocks in (False, True)
        }
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]  # -1 = no limit
        resource.setrlimit(resource.RLIMIT_STACK, (_STACK if hard < 0 else min(hard, _STACK), hard))
        if tier is Tier.NAMESPACES:
            hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]  # -1 = no limit
            threads = _THREADS if hard < 0 else min(hard, _THREADS)
            resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))
        # Process 1 of a namespace gets no signal from inside for which it has no handler.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self.poll = select.poll()
        self.poll.register(self.control, select.POLLIN)
        self.touched = {folder: os.stat(folder).st_mtime_ns for folder in self.folders}
        unlimited_folder = None if tier is Tier.NAMESPACES else tmp
        self.watch = Watch(self.poll, self.control, self.results, unlimited_folder)
        # A collection writes to every object, and a forked program would get its own copy of all that memory.
        gc.collect()
        gc.freeze()
        gc.disable()

    def _die_with(self, stub: int) -> None:
        """Have the kernel kill this process when the stub ends."""
        kernel.die_with_parent(signal.SIGKILL)
        # The stub may have ended before that. In a new process namespace its pid reads as 0 in any case.
        if self.tier is not Tier.NAMESPACES and os.getppid() != stub:
            os._exit(1)

    def serve(self) -> None:
        """Run a program for every request, until the caller is gone."""
        channel = self.control
        os.write(channel, READY)
        while request := os.read(channel, REQUEST.size):
            os.write(channel, self._run(Request(*REQUEST.unpack(request))))

    def _run(self, limits: Request) -> bytes:
        """Run one job, which the caller has written into the blob; return the reply."""
        # Programs share these open files with us, and may have changed their flags, offset and content.
        for descriptor in (0, 1, 2, self.results, self.blob):
            fcntl.fcntl(descriptor, fcntl.F_SETFL, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            if descriptor != self.blob:
                os.ftruncate(descriptor, 0)
        self._choose_pids()
        os.ftruncate(self.results, PROGRESS.size)
        began = time.monotonic()
        before = seconds_of_ended_children() if limits.processes > 1 else 0.0
        tests = None
        if limits.with_tests:
            ours, theirs = socket.socketpair()
            program = self._fork(lambda: self._run_program(limits, ours.detach(), theirs))
            tests = self._fork(lambda: self._run_tests(limits, theirs.detach(), ours, program.pid))
            ours.close()
            theirs.close()
        else:
            program = self._fork(lambda: self._run_program(limits))
        cause = self.watch.until_end(program, tests or program, began, limits)
        if tests is not None:
            if (
                cause != BY_ITSELF
            ):  # the program was killed at a limit, and they have yet to report their results
                self.watch.wait_for_report(tests)
            self._end(tests)
        _, status, usage = self._end(program)
        cpu = usage.ru_utime + usage.ru_stime
        wall = time.monotonic() - began
        if limits.processes > 1:
            self._end_the_rest()
            cpu = seconds_of_ended_children() - before
        if not self._tidied():
            cause += WORN
        return REPLY.pack(cause, status, cpu, wall, usage.ru_maxrss)

    def _fork(self, work: Callable[[], int]) -> Child:
        """Fork a child that calls `work` and exits with the status that it returns."""
        pid = kernel.fork()
        if pid == 0:
            try:
                os._exit(work())
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}".encode())
            finally:
                os._exit(1)
        child = Child(pid, os.pidfd_open(pid))
        self.poll.register(child.pidfd, select.POLLIN)
        return child

    def _end(self, child: Child) -> Any:
        """Kill a child unless it has ended; return what wait4 returns for it."""
        self.poll.unregister(child.pidfd)
        # If it has ended, this has no effect: the pid is not given to another process before wait4.
        os.kill(child.pid, signal.SIGKILL)
        os.close(child.pidfd)
        return os.wait4(child.pid, 0)

    def _run_program(self, limits: Request, link: int | None = None, other_end: Any = None) -> int:
        """Set the limits and run the program; called in a child.

        Args:
            limits: the job's limits.
            link: descriptor of the socket to the tests' process, if there is one.
            other_end: the other end of that socket.
        """
        self._take_limits(limits, other_end)
        start, end = self._part(0)
        job = marshal.loads(os.pread(self.blob, end - start, start))
        if link is None:
            return harness.run(job, (self.blob, end), self.results, limits.file_size)
        for descriptor in (self.blob, self.results):  # they hold the tests and will hold their results
            os.close(descriptor)
        no_file = -1
        return harness.run(job, (no_file, 0), no_file, limits.file_size, link)

    def _run_tests(self, limits: Request, link: int, other_end: Any, program: int) -> int:
        """Set the limits and run the tests of the program with this pid; called in another child."""
        self._take_limits(limits, other_end, with_clocks=True)
        _, end_of_program = self._part(0)
        start, end = self._part(end_of_program)
        job = marshal.loads(os.pread(self.blob, end - start, start))
        records = Records(self.results, lambda: cpu_seconds(program) + time.process_time())
        return run_beside_program(job, link, records)

    def _part(self, offset: int) -> tuple[int, int]:
        """Return where a part of the blob begins and ends; `offset` is that of its length, in 8 bytes."""
        (length,) = struct.unpack("=Q", os.pread(self.blob, 8, offset))
        return offset + 8, offset + 8 + length

    def _take_limits(self, limits: Request, other_end: Any, with_clocks: bool = False) -> None:
        """Close the worker's own descriptors, and set the limits for good; called in a child."""
        os.close(self.control)
        if self.last_pid is not None:
            os.close(self.last_pid)
        if other_end is not None:
            other_end.close()
        if self.tier is not Tier.NAMESPACES:  # processes of a namespace end with its process 1 anyway
            kernel.die_with_parent(signal.SIGKILL)
        address_space = self.own_bytes + limits.memory
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
        if limits.processes > 1:
            # This limit applies to each process by itself; the worker watches the first one more closely.
            seconds = int(limits.job_cpu_s) + 2
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            # This limit counts all processes of a user, and this worker's user has no others.
            resource.setrlimit(resource.RLIMIT_NPROC, (2 + limits.processes, 2 + limits.processes))
        if self.tier is not Tier.RLIMITS:
            self.filters[limits.processes > 1, with_clocks].enter(os.getpid())

    def _end_the_rest(self) -> None:
        """Kill the processes that a program has left running."""
        if os.getpid() != 1:
            return  # outside a process namespace of our own, -1 would mean all processes of this user
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def _choose_pids(self) -> None:
        """Let the pids of this worker's next processes begin at 2 again."""
        if self.last_pid is not None:
            try:
                os.pwrite(self.last_pid, b"1", 0)
            except OSError:  # a container's root may lack the right
                os.close(self.last_pid)
                self.last_pid = None

    def _tidied(self) -> bool:
        """Empty the program's folders; return whether the next program finds them as if they were new.

        A folder in memory that has been used is not new: it numbers files in the order of their creation.
        """
        is_new = True
        for folder, kept in self.folders.items():
            if os.stat(folder).st_mtime_ns == self.touched[folder]:
                continue
            if self.tier is Tier.NAMESPACES:
                is_new = False
                continue
            try:
                empty(folder, kept)
                mark = os.path.join(folder, "\n")
                os.mkdir(mark)  # the folder's times are now ours, and not the program's
                os.rmdir(mark)
            except OSError:
                return False
            self.touched[folder] = os.stat(folder).st_mtime_ns
            is_new = is_new and set(os.listdir(folder)) == kept
        return is_new


def _open_last_pid() -> int | None:
    """Return a descriptor for setting the last pid of the process namespace; None if the kernel has none."""
    try:
        return os.open("/proc/sys/kernel/ns_last_pid", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None
