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
from typing import Any, Literal

from .execution import Limits
from .isolation.tiers import Tier
from .wire.protocol import QUESTION, READY, REPLY, REQUEST, WORN, read_at
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


class WorkerLostError(RuntimeError):
    """The worker is gone, or does not answer."""


Mode = Literal["stdio", "calls", "serve", "shared"]
"""How a program is run: as `__main__` once per input; as a module whose functions are called; as a module
that answers to tests in another process; or in one process with its tests."""


@dataclass(slots=True)
class Job:
    """One program, and what a worker is to do with it."""

    code: str
    limits: Limits
    """Of each case."""
    mode: Mode = "stdio"
    prelude: str = ""
    """Code that is executed before the program, in its namespace."""
    inputs: Sequence[bytes] = ()
    """For `stdio`: one standard input per case."""
    calls: Sequence[tuple[int, list[tuple[str, bytes]]]] = ()
    """For `calls`: each case's number, and its calls as (entry, marshalled arguments)."""
    tests: dict[str, Any] | None = None
    """For `serve` and `shared`: what `oracle.run_tests` is to run."""
    cases: int = 1
    """How many cases there are: the job as a whole may take that many times the limits."""
    preload: tuple[str, ...] = ()
    """Modules that the worker should have imported before it forks."""

    def for_program(self, placed: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
        """Return what the program's process is told; `placed` says where each input is in the blob."""
        return {
            "code": self.code,
            "mode": self.mode,
            "prelude": self.prelude,
            "inputs": list(placed),
            "calls": list(self.calls),
            "tests": self.tests if self.mode == "shared" else None,
            "output": int(self.limits.output_mb * (1 << 20)),
        }


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
            "tier": tier,
            "tmp": tmp,
            "preload": preload,
            "path": sys.path,
            "control": theirs.fileno(),
            "blob": self._files[3],
            "results": self._files[4],
        }
        os.pwrite(self._files[3], json.dumps(config).encode(), 0)  # not as an argument, which stays readable
        library = {k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"}
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-s", "-P", "-B", "-c", _BOOT, str(self._files[3])],
                    stdin=self._files[0],
                    stdout=self._files[1],
                    stderr=self._files[2],
                    pass_fds=[theirs.fileno(), *self._files[3:]],
                    env={**ENVIRONMENT, **library},
                    start_new_session=True,  # Ctrl-C is for the caller
                )
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
        request = REQUEST.pack(
            limits.cpu_s,
            limits.wall_s,
            limits.cpu_s * cases,
            limits.wall_s * cases,
            limits.memory_mb << 20,
            output,
            max(files, largest),
            limits.processes,
            job.mode == "serve",
        )
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
        head = marshal.dumps(job.for_program(placed))
        parts = [struct.pack("=Q", len(head)), head, *job.inputs]
        if job.mode == "serve":
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
