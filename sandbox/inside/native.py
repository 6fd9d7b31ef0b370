"""Inside a program's own process: becoming a program that is no Python, or running its compiler."""

import base64
import os
import resource
import signal
from typing import Any

from ..wire.records import Records

_STACK = 1 << 28
_OVERHEAD = 256 << 20
"""Bytes that an interpreter which reserves much writes for itself."""


def execute(job: dict[str, Any], keep: tuple[int, ...]) -> int:
    """Write the job's files and become its command.

    Args:
        job: `files`, `argv`, `reserves`.
        keep: descriptors that are none of the program's.
    """
    _write(job["files"])
    for descriptor in keep:
        os.set_inheritable(descriptor, False)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which an interpreter ignores, and children inherit
        signal.signal(number, signal.SIG_DFL)
    if job["reserves"]:
        limit = job["memory"] + _OVERHEAD
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    elif (hard := resource.getrlimit(resource.RLIMIT_STACK)[1]) < 0:
        resource.setrlimit(resource.RLIMIT_STACK, (min(job["memory"], _STACK), hard))
    os.execv(job["argv"][0], job["argv"])


def build(job: dict[str, Any], keep: tuple[int, ...], records: Records) -> int:
    """Write the job's files, run its command and hand over what it made."""
    _write(job["files"])
    os.setpgid(0, 0)  # so that the worker can end all of it
    for descriptor in keep:
        os.set_inheritable(descriptor, False)
    status = os.waitstatus_to_exitcode(
        os.waitpid(os.posix_spawn(job["argv"][0], job["argv"], os.environ), 0)[1]
    )
    if status == 0:
        with open(job["made"], "rb") as made:
            records.write({"made": base64.b64encode(made.read()).decode()})
    return 1 if status else 0


def _write(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755), "wb") as out:
            out.write(content)
