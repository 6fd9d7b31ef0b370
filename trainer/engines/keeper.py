"""Ends what a run started, however the run itself ends; executed as a script by `Kept`.

    python -I keeper.py FOLDER [COMMAND ...]

It starts the command, and waits until its own standard input is closed, which the system does for a run that
was killed, too. Then it ends the command with everything that this has started, and removes the folder. If
the command ends before, so does it, with the same exit code. It imports the standard library only, so that it
starts at once.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time

_SET_SUBREAPER, _SET_DEATH_SIGNAL = 36, 1  # of linux/prctl.h
GRACE_S = 10.0
"""Seconds between asking the command to end and killing it."""


def keep(folder: str, command: list[str]) -> int:
    """Wait for the end of the run or of the command; return an exit code."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_SET_SUBREAPER, 1, 0, 0, 0)  # what the command leaves behind becomes a child of this process
    process = None
    if command:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: prctl(_SET_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0),
        )
    while process is None or process.poll() is None:
        ready, _, _ = select.select([sys.stdin], [], [], 0.2)
        if ready and not os.read(sys.stdin.fileno(), 1):
            break
    if process is not None:
        _end_children()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if process is None else process.returncode or 0


def _end_children() -> None:
    """Ask all children and orphaned grandchildren to end, and kill those that take longer than `GRACE_S`."""
    deadline, asked = time.monotonic() + GRACE_S, set[int]()
    while True:
        for child in _children():
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            elif child not in asked:
                os.kill(child, signal.SIGTERM)
                asked.add(child)
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.05)


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as pids:
        return [int(pid) for pid in pids.read().split()]


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2:]))
