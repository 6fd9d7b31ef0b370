"""One worker seen from the caller's side: start it, hand it a job, read what came of it."""

import json
import marshal
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .execution import Limits
from .isolation.tiers import Tier
from .wire.protocol import ALONE, EXECUTES, FORKS, QUESTION, READY, REPLY, REQUEST, WORN, read_at
from .wire.records import LENGTH, PROGRESS

START_S = 120.0
_BOOT = """
import json, os, sys
config = json.loads(os.pread(int(sys.argv[1]), 1 << 20, 0))
sys.path, own = config["path"], sys.path
from markscheme.sandbox.inside.zygote import main
sys.path = own
main(config)
"""
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # a set prints in one order, whichever worker runs it
    "MALLOC_ARENA_MAX": "2",  # arenas reserve address space, which is what is limited
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_RECORDS = 64 << 20
_ANY = 1 << 45
"""Address space without a limit: what a program writes is then limited instead."""


class WorkerLostError(RuntimeError):
    """The worker is gone, or does not answer."""


@dataclass(slots=True)
class Job:
    """What a worker is to do."""

    body: dict[str, Any]
    """For `harness.run`; inputs stand in it as (case, offset, length)."""
    limits: Limits
    inputs: Sequence[bytes] = ()
    cases: int = 1
    """How many cases: what is to be done in all may take as many times as long."""
    tests: dict[str, Any] | None = None
    """For `checker.check`, in a process of their own; the program is then only served to them."""
    preload: tuple[str, ...] = ()
    """Modules that are to be imported already."""

    @property
    def may(self) -> int:
        """What the program may start."""
        if self.limits.processes > 1:
            return FORKS
        return EXECUTES if self.body["mode"] == "execute" else ALONE


@dataclass(slots=True)
class Report:
    """What came of a job: facts, not yet a verdict."""

    cause: int
    status: int
    """As of wait()."""
    cpu_s: float
    wall_s: float
    kib: int
    stdout: bytes
    stderr: bytes
    records: list[dict[str, Any]] = field(default_factory=list)
    running: int = -1
    """The case that ran last."""


class Worker:
    """A zygote and the files that it shares with us.

    Raises:
        OSError: it does not start; says why.
    """

    def __init__(self, tier: Tier, preload: tuple[str, ...] = ()):
        self.preload = preload
        self._files = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr", "blob", "results")]
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tmp = "" if tier is Tier.NAMESPACES else tempfile.mkdtemp(prefix="markscheme-sandbox-")
        config = {
            "tier": tier, "tmp": tmp, "preload": preload, "path": sys.path,
            "control": theirs.fileno(), "blob": self._files[3], "results": self._files[4],
        }  # fmt: skip
        os.pwrite(self._files[3], json.dumps(config).encode(), 0)  # not as an argument, which stays readable
        library = {k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"}
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-s", "-P", "-B", "-c", _BOOT, str(self._files[3])],
                    stdin=self._files[0], stdout=self._files[1], stderr=self._files[2],
                    pass_fds=[theirs.fileno(), *self._files[3:]], env={**ENVIRONMENT, **library},
                    start_new_session=True,  # Ctrl-C is for the caller
                )  # fmt: skip
        except OSError:
            self.forget()
            if tmp:
                os.rmdir(tmp)
            raise
        self._control.settimeout(START_S)
        with suppress(OSError):
            if self._control.recv(len(READY)) == READY:
                return
        said = read_at(self._files[2], 4000, 0).decode(errors="replace")
        self.close()
        raise OSError(said.strip().splitlines()[-1] if said.strip() else "the worker ended without a word")

    def do(self, job: Job) -> Report:
        """Run a job.

        Raises:
            WorkerLostError: the worker died or hangs; it is of no more use.
        """
        self._write(job)
        limits, cases = job.limits, max(job.cases, 1)
        output = int(limits.output_mb * (1 << 20))
        largest = max(map(len, job.inputs), default=0)
        files = min(cases * (output + 1), max(1 << 28, output + 1))
        self._control.settimeout(25 * (limits.wall_s * cases + 4))
        memory = _ANY if job.body.get("reserves") else limits.memory_mb << 20
        request = REQUEST.pack(
            limits.cpu_s, limits.wall_s, limits.cpu_s * cases, limits.wall_s * cases,
            memory, output, max(files, largest), limits.processes, job.may,
            job.tests is not None,
        )  # fmt: skip
        try:
            self._control.send(request)
            reply = self._answer()
        except OSError as error:
            raise WorkerLostError(f"a sandbox worker is lost: {error!r}") from error
        if len(reply) != REPLY.size:
            raise WorkerLostError("a sandbox worker has died")
        return self._report(*REPLY.unpack(reply), most=files)

    def _write(self, job: Job) -> None:
        blob = self._files[3]
        placed, offset = [], 0
        for case, data in enumerate(job.inputs):
            placed.append((case, offset, len(data)))
            offset += len(data)
        head = marshal.dumps({**job.body, "inputs": placed, "output": int(job.limits.output_mb * (1 << 20))})
        parts = [struct.pack("=Q", len(head)), head, *job.inputs]
        if job.tests is not None:
            tests = marshal.dumps(job.tests)
            parts += [struct.pack("=Q", len(tests)), tests]
        os.ftruncate(blob, 0)
        offset = 0
        for part in parts:
            while part:
                written = os.pwrite(blob, part, offset)
                part, offset = part[written:], offset + written

    def _answer(self) -> bytes:
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._control, REPLY.size, 1)
            if message != QUESTION:
                return message
            for descriptor in descriptors:
                waited = _waited(descriptor)
                os.close(descriptor)
                self._control.send(repr(waited).encode())

    def _report(self, cause: int, status: int, cpu: float, wall: float, kib: int, *, most: int) -> Report:
        _, out, err, _, results = self._files
        sizes = [os.fstat(descriptor).st_size for descriptor in (out, err, results)]
        stdout, stderr = (read_at(fd, min(size, most), 0) for fd, size in ((out, sizes[0]), (err, sizes[1])))
        records: list[dict[str, Any]] = []
        running = -1
        if sizes[2] > PROGRESS.size:
            records = list(_records(read_at(results, min(sizes[2], _RECORDS), PROGRESS.size)))
        if sizes[2] >= PROGRESS.size:
            running = PROGRESS.unpack(os.pread(results, PROGRESS.size, 0))[0]
        return Report(cause, status, cpu, wall, kib, stdout, stderr, records, running)

    def abandon(self) -> None:
        """Tell the worker that its caller is gone; who waits for its answer is told too."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the worker and all that it runs."""
        self._control.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Close our descriptors only: after a fork, the worker is the parent's."""
        self._control.close()
        for descriptor in self._files:
            os.close(descriptor)
        self._files = []


def worn(report: Report) -> bool:
    """Whether the worker that made this report could not tidy up after it."""
    return report.cause >= WORN


def _waited(process: int) -> float:
    """Return the seconds that a process (a pidfd) has waited for a processor: its longest-waiting thread."""
    try:
        with open(f"/proc/self/fdinfo/{process}") as lines:
            pid = next(line.split()[1] for line in lines if line.startswith("Pid:"))
        delays = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/schedstat") as numbers:
                delays.append(int(numbers.read().split()[1]))
        return max(delays, default=0) / 1e9
    except (OSError, StopIteration, ValueError, IndexError):
        return 0.0


def _records(body: bytes) -> Any:
    """Yield the records of a program's process; what is no record ends them."""
    offset = 0
    while offset + LENGTH.size <= len(body):
        (length,) = LENGTH.unpack_from(body, offset)
        offset += LENGTH.size
        try:
            record = json.loads(body[offset : offset + length])
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict):
            return
        yield record
        offset += length
