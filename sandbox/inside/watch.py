"""Watching a running program from its worker: measuring it, killing it at a limit, saying why it ended.

The cases of a program share the limits of its process. Tests that run in a process of their own each have
limits of their own, and their process writes down when one begins.
"""

import os
import resource
import select
import signal
import socket
import time
from typing import NamedTuple

from ..isolation.scratch_folder import space
from ..isolation.tiers import TMP_MB
from ..wire.protocol import BY_ITSELF, CPU, QUESTION, SPACE, WALL, Request
from ..wire.records import PROGRESS

_REPORT_S, _REPORT_CPU_S = 5.0, 0.1
"""Seconds, and CPU seconds, in which tests may still report results after their program has ended."""
_FOLDER_CHECK_S = 0.05
"""Seconds between two checks of a folder whose size the file system does not limit."""
_MOST_FORGIVEN = 20
"""The most waiting for a processor that is not counted, as a multiple of the job's wall limit."""


class Child(NamedTuple):
    """A process that the worker has forked."""

    pid: int
    pidfd: int


class Watch:
    """A watch over the programs of one worker, one after the other.

    Args:
        poll: a poll object with which `control` and the worker's children are registered.
        control: descriptor of the socket to the caller.
        results: descriptor of the file of records.
        folder: the program's folder, if its size must be watched; None if the file system limits it.
    """

    def __init__(self, poll: select.poll, control: int, results: int, folder: str | None):
        self._poll, self._control, self._results, self._folder = poll, control, results, folder

    def until_end(self, program: Child, last: Child, began: float, limits: Request) -> int:
        """Wait until a job has ended, and kill the program when it exceeds a limit.

        Args:
            program: the program's process.
            last: the process whose end is the job's end: the tests' if there are any, else the program's.
            began: when the program was started, in monotonic seconds.
            limits: the job's limits.

        Returns:
            Why the program ended: BY_ITSELF, CPU, WALL or SPACE.
        """
        processors = len(os.sched_getaffinity(0))
        case_cpu, case_wall = 0.0, began  # when the running case began, in CPU and monotonic seconds
        forgiven = 0.0  # seconds of waiting for a processor that are not counted
        before = seconds_of_ended_children() if limits.processes > 1 else 0.0
        wait = min(limits.cpu_s / processors, limits.wall_s)
        while True:
            if self._folder is not None:
                wait = min(wait, _FOLDER_CHECK_S)
            ended = {descriptor for descriptor, _ in self._poll.poll(1000 * wait + 1)}
            if last.pidfd in ended:
                return BY_ITSELF
            if program.pidfd in ended:
                self.wait_for_report(last)
                return BY_ITSELF
            if self._control in ended:  # the caller is gone
                os.kill(program.pid, signal.SIGKILL)
                os._exit(0)
            cpu, wall = cpu_seconds(program.pid), time.monotonic()
            if last is not program:  # a test may compute with what the program has returned
                cpu += cpu_seconds(last.pid)
            if limits.processes > 1:
                cpu = self._ask(program)[1] + seconds_of_ended_children() - before
            if cpu >= case_cpu + limits.cpu_s or wall >= case_wall + limits.wall_s + forgiven:
                # The case that we know of is over its limit, unless another one has begun since.
                case_cpu, case_wall = self._case_start(case_cpu, case_wall)
            cpu_left = min(case_cpu + limits.cpu_s, limits.job_cpu_s) - cpu
            if cpu_left <= 0:
                return _kill(program, CPU)
            wall_left = min(case_wall + limits.wall_s, began + limits.job_wall_s) + forgiven - wall
            if wall_left <= 0:
                waited = self._ask(program)[0]
                if waited <= forgiven + 0.001 or forgiven > _MOST_FORGIVEN * limits.job_wall_s:
                    return _kill(program, WALL)
                forgiven, wall_left = waited, 0.001
            if self._folder is not None and space(self._folder) > TMP_MB << 20:
                return _kill(program, SPACE)
            # On several processors at once, CPU time passes faster than wall time, by at most their number.
            wait = max(min(cpu_left / processors, wall_left), 0.001 if limits.processes == 1 else 0.01)

    def wait_for_report(self, tests: Child) -> None:
        """Wait until tests have reported their results after their program's end, but not if they compute."""
        began, limit = cpu_seconds(tests.pid), time.monotonic() + _REPORT_S
        while time.monotonic() < limit and cpu_seconds(tests.pid) < began + _REPORT_CPU_S:
            if select.select([tests.pidfd], [], [], 0.02)[0]:
                return

    def _case_start(self, cpu: float, wall: float) -> tuple[float, float]:
        """Return when the running case began, in CPU and monotonic seconds.

        The program's process claims it. A claim that cannot be true, because it is in the future or before
        `cpu` and `wall`, when the last known case began, is ignored, and these are returned.
        """
        progress = os.pread(self._results, PROGRESS.size, 0)
        if len(progress) < PROGRESS.size:
            return cpu, wall
        _, claimed_cpu, claimed_wall = PROGRESS.unpack(progress)
        possible = cpu <= claimed_cpu and wall <= claimed_wall <= time.monotonic()
        return (claimed_cpu, claimed_wall) if possible else (cpu, wall)

    def _ask(self, program: Child) -> tuple[float, float]:
        """Ask the caller, since a worker cannot read /proc.

        Returns:
            The seconds that a program has waited for a processor, and the CPU seconds of all processes that
            this worker has started and that it has not waited for.
        """
        with socket.socket(fileno=os.dup(self._control)) as channel:
            socket.send_fds(channel, [QUESTION], [program.pidfd])
            waited, cpu = channel.recv(64).split() or (b"0", b"0")
        return float(waited), float(cpu)


def seconds_of_ended_children() -> float:
    """Return the CPU seconds of the processes that this one has waited for, and of their own children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that another process has used; 0 if it has just ended."""
    clock = (~pid << 3) | 2  # the kernel's number of a process's CPU clock (linux/posix-timers.h)
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def _kill(program: Child, cause: int) -> int:
    os.kill(program.pid, signal.SIGKILL)
    return cause
