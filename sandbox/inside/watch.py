"""Watching a running program from its worker: measure, kill at a limit, and say why it ended.

Limits count for each case. The program's own process writes down when a case begins, and the program may
forge that; but what all cases may take together is limited too, so a forgery gains no more than that.
"""

import os
import select
import signal
import socket
import time
from typing import NamedTuple

from ..isolation.scratch_folder import space
from ..isolation.tiers import TMP_MB
from ..wire.protocol import BY_ITSELF, CPU, QUESTION, SPACE, WALL, Request
from ..wire.records import PROGRESS

LAST_WORDS_S = 5.0
"""Seconds in which tests may still report results after their program has ended."""
_LOOK_S = 0.05
"""Seconds between two looks at a folder whose size no file system limits."""
_PATIENCE = 20
"""The most time spent waiting for a processor that is forgiven, as a multiple of the job's wall limit."""


class Child(NamedTuple):
    """A forked process."""

    pid: int
    pidfd: int


class Watch:
    """Watches the programs of one worker, one after the other.

    Args:
        poll: the worker's children and `control` are registered with it.
        control: socket to the caller.
        results: descriptor of the file of records.
        folder: the program's folder if its size must be watched; None = its file system is limited.
    """

    def __init__(self, poll: select.poll, control: int, results: int, folder: str | None):
        self._poll, self._control, self._results, self._folder = poll, control, results, folder

    def until_end(self, program: Child, last: Child, began: float, limits: Request) -> int:
        """Wait until a job has ended, and kill the program when it passes a limit.

        Args:
            program: the process of the program.
            last: the process whose end is the job's end: the tests', or else the program's.
            began: when the program was started, in monotonic seconds.
            limits: the job's limits.

        Returns:
            Why the program ended: BY_ITSELF, CPU, WALL or SPACE.
        """
        processors = len(os.sched_getaffinity(0))
        case_cpu, case_wall = 0.0, began  # when the running case began
        forgiven = 0.0  # seconds that the program has waited for a processor
        wait = min(limits.cpu_s / processors, limits.wall_s)
        while True:
            if self._folder is not None:
                wait = min(wait, _LOOK_S)
            ended = {descriptor for descriptor, _ in self._poll.poll(1000 * wait + 1)}
            if last.pidfd in ended:
                return BY_ITSELF
            if program.pidfd in ended:  # its tests have yet to notice
                select.select([last.pidfd], [], [], LAST_WORDS_S)
                return BY_ITSELF
            if self._control in ended:  # the caller is gone
                os.kill(program.pid, signal.SIGKILL)
                os._exit(0)
            cpu, wall = _cpu_seconds(program.pid), time.monotonic()
            if min(limits.cpu_s - cpu + case_cpu, limits.wall_s - wall + case_wall + forgiven) <= 0:
                case_cpu, case_wall = self._case_start(case_cpu, case_wall)
            cpu_left = min(case_cpu + limits.cpu_s, limits.job_cpu_s) - cpu
            if cpu_left <= 0:
                return _kill(program, CPU)
            wall_left = min(case_wall + limits.wall_s, began + limits.job_wall_s) + forgiven - wall
            if wall_left <= 0:
                waited = self._seconds_without_processor(program)
                if waited <= forgiven + 0.001 or forgiven > _PATIENCE * limits.job_wall_s:
                    return _kill(program, WALL)
                forgiven, wall_left = waited, 0.001
            if self._folder is not None and space(self._folder) > TMP_MB << 20:
                return _kill(program, SPACE)
            # CPU time passes at most as many times faster than wall time as there are processors.
            wait = max(min(cpu_left / processors, wall_left), 0.001)

    def _case_start(self, cpu: float, wall: float) -> tuple[float, float]:
        """Return when the running case began, as the program says; `cpu` and `wall` if that is impossible.

        It cannot have begun before an earlier case, which `cpu` and `wall` tell, nor in the future.
        """
        progress = os.pread(self._results, PROGRESS.size, 0)
        if len(progress) < PROGRESS.size:
            return cpu, wall
        _, said_cpu, said_wall = PROGRESS.unpack(progress)
        now = time.monotonic()
        return (said_cpu, said_wall) if cpu <= said_cpu and wall <= said_wall <= now else (cpu, wall)

    def _seconds_without_processor(self, program: Child) -> float:
        """Ask the caller how long a program has waited for a processor: /proc cannot be read in here."""
        with socket.socket(fileno=os.dup(self._control)) as channel:
            socket.send_fds(channel, [QUESTION], [program.pidfd])
            return float(channel.recv(64) or b"0")


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that another process has used; 0 if it has just ended."""
    clock = (~pid << 3) | 2  # the kernel's number for a process's CPU clock: linux/posix-timers.h
    try:
        return time.clock_gettime(clock)
    except OSError:
        return 0.0


def _kill(program: Child, cause: int) -> int:
    os.kill(program.pid, signal.SIGKILL)
    return cause
