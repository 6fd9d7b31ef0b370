"""The lock on a run's folder: one process at a time writes to it."""

import fcntl
import json
import os
import socket
import sys
from datetime import datetime
from pathlib import Path
from typing import IO

from ...sandbox.errors import RunError

NAME = "run.lock"


class RunLock:
    """Holds a run's folder until it is released or the process ends, however it ends.

    Args:
        folder: the run's.

    Raises:
        RunError: another process holds the folder (the message names it), or no lock can be written.
    """

    def __init__(self, folder: Path):
        self.path = folder / NAME
        try:
            self._file: IO[str] = self.path.open("a+", encoding="utf-8")
            # A lock of this kind belongs to the process alone: workers that it forked do not keep it.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = self._owner()
            self._file.close()
            raise RunError(
                f"{folder} is in use by {owner}; wait until that run ends or stop it, then try again"
            ) from error
        except OSError as error:
            raise RunError(
                f"{self.path} cannot be locked ({error.strerror}); make the folder writable, or start a new"
                " run elsewhere with --out"
            ) from error
        self._file.truncate(0)
        owner = {"process": os.getpid(), "machine": socket.gethostname(), "command": " ".join(sys.argv)}
        self._file.write(json.dumps({**owner, "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}))
        self._file.flush()

    def _owner(self) -> str:
        self._file.seek(0)
        try:
            owner = json.loads(self._file.read())
            return f"process {owner['process']} on {owner['machine']} since {owner['since']}"
        except (ValueError, KeyError, TypeError):
            return "another process"

    def release(self) -> None:
        """Let other processes have the folder; the file stays, since another one may wait for it."""
        self._file.close()
