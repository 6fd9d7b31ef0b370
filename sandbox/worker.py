"""A worker process from the caller's side: starting it, giving it a job, reading its report.

The worker's own code is in `inside/worker_process.py`. Both processes have some files in memory open, through
which the program, its inputs and its output pass. Short messages go over a socket (`wire/protocol.py`).
"""

import json
import marshal
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from itertools import islice

from .isolation.processes import children_of, cpu_seconds_below, seconds_without_processor
from .isolation.scratch_folder import empty
from .isolation.tiers import Tier
from .job import Job, Report
from .wire.protocol import QUESTION, READY, REPLY, REQUEST, read_at
from .wire.records import read_records

START_S = 120.0
"""Seconds that a worker may take to start."""
# The caller's sys.path serves only to import this package. Programs get the worker interpreter's own.
_BOOT = """
import json, os, sys
config = json.loads(os.pread(int(sys.argv[1]), 1 << 20, 0))
sys.path, own = config["path"], sys.path
from markscheme.sandbox.inside.worker_process import main
sys.path = own
main(config)
"""
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # so that a set is printed in the same order by every worker
    "MALLOC_ARENA_MAX": "2",  # arenas reserve address space, and the memory limit counts address space
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""A program's environment variables, except HOME and TMPDIR, which the worker adds."""
_HEADERS = 1 << 20
"""The bytes that the headers of all records of a job may take, next to what the program returned."""
_MOST_TESTS = 100_000
"""The most records of tests that are read."""
_KEPT = 1 << 20
"""A shared file of more bytes is emptied after every job."""


class WorkerLostError(RuntimeError):
    """A worker has died, or does not answer."""


class Worker:
    """A worker process, with the files in memory that it shares with this process.

    The files are the programs' standard streams, `blob` (the job) and `results` (records; `wire/records.py`).

    Args:
        tier: how the worker confines itself.
        preload: modules that it imports before it forks.

    Raises:
        OSError: it does not start; the message is the last line that the worker printed.
    """

    def __init__(self, tier: Tier, preload: tuple[str, ...] = ()):
        names = ("stdin", "stdout", "stderr", "blob", "results")
        self._files = {name: os.memfd_create(name) for name in names}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._tmp = tmp = "" if tier is Tier.NAMESPACES else tempfile.mkdtemp(prefix="markscheme-sandbox-")
        config = {
            "tier": tier,
            "tmp": tmp,
            "preload": preload,
            "path": sys.path,
            "control": theirs.fileno(),
            "blob": self._files["blob"],
            "results": self._files["results"],
        }
        # Not passed as a command-line argument, because programs could still read that in their memory.
        os.pwrite(self._files["blob"], json.dumps(config).encode(), 0)
        try:
            with theirs:
                self._process = self._start(theirs.fileno())
        except OSError:
            self.forget()
            if tmp:
                os.rmdir(tmp)
            raise
        self._control.settimeout(START_S)
        with suppress(OSError):
            if self._control.recv(len(READY)) == READY:
                return
        output = read_at(self._files["stderr"], 4000, 0).decode(errors="replace").strip()
        self.close()
        raise OSError(output.splitlines()[-1] if output else "the worker ended without an error message")

    def _start(self, control: int) -> "subprocess.Popen[bytes]":
        # The interpreter may need this one to find its own library.
        library = {k: v for k, v in os.environ.items() if k == "LD_LIBRARY_PATH"}
        blob, results = self._files["blob"], self._files["results"]
        return subprocess.Popen(
            [sys.executable, "-s", "-P", "-B", "-c", _BOOT, str(blob)],
            stdin=self._files["stdin"],
            stdout=self._files["stdout"],
            stderr=self._files["stderr"],
            pass_fds=[control, blob, results],
            env={**ENVIRONMENT, **library},
            start_new_session=True,  # Ctrl-C is for the caller, which then closes the worker
        )

    def do(self, job: Job) -> Report:
        """Run a job.

        Raises:
            WorkerLostError: the worker has died or hangs; it cannot be used any more.
        """
        self._write(job)
        # The worker does not count time that is spent waiting for a processor, up to 20 times the wall limit;
        # the rest is a margin.
        self._control.settimeout(25 * (job.limits.wall_s * job.count + 4))
        try:
            self._control.send(REQUEST.pack(*job.request()))
            reply = self._reply()
        except OSError as error:
            raise WorkerLostError(f"a sandbox worker does not answer: {error!r}") from error
        if len(reply) != REPLY.size:
            raise WorkerLostError("a sandbox worker has died")
        return self._report(job, *REPLY.unpack(reply))

    def _write(self, job: Job) -> None:
        """Write a job into the blob: the program's part, its inputs, and for `serve` the tests' part.

        The two parts are marshalled, with their length before them.
        """
        blob = self._files["blob"]
        places, offset = [], 0
        for data in job.inputs:
            places.append((offset, len(data)))
            offset += len(data)
        head = marshal.dumps(job.for_program(places))
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

    def _reply(self) -> bytes:
        """Return the worker's reply, after answering the questions that it asks before."""
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._control, REPLY.size, 1)
            if message != QUESTION:
                return message
            for descriptor in descriptors:
                waited = seconds_without_processor(descriptor)
                os.close(descriptor)
                worker = children_of(self._process.pid)
                self._control.send(f"{waited} {sum(map(cpu_seconds_below, worker))}".encode())

    def _report(self, job: Job, cause: int, status: int, cpu: float, wall: float, kib: int) -> Report:
        stdout = self._content("stdout", job.most_output())
        stderr = self._content("stderr", job.most_output())
        results = self._content("results", job.most_output() + _HEADERS)
        self._give_back("blob", "stdin")
        # A program may forge any number of records; the tests' process writes one for each test.
        most = _MOST_TESTS if job.tests is not None else job.cases() + 2
        records = list(islice(read_records(results), most))
        return Report(cause, status, cpu, wall, kib, stdout, stderr, records)

    def _content(self, name: str, most: int) -> bytes:
        """Return up to `most` bytes of one of the shared files."""
        size = os.fstat(self._files[name]).st_size
        content = read_at(self._files[name], min(size, most), 0)
        if size > _KEPT:
            self._give_back(name)
        return content

    def _give_back(self, *names: str) -> None:
        """Empty shared files that take much memory, which would be held until the worker's next job."""
        for name in names:
            if os.fstat(self._files[name]).st_size > _KEPT:
                os.ftruncate(self._files[name], 0)

    def abandon(self) -> None:
        """End the connection: the worker ends, and a thread that waits for its reply gets an error."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the worker and everything that it runs."""
        self._control.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._tmp and os.path.isdir(self._tmp):  # the worker was killed before it could tidy up
            with suppress(OSError):
                empty(self._tmp)
                os.rmdir(self._tmp)
        self.forget()

    def forget(self) -> None:
        """Close our descriptors and leave the worker alone: after a fork it belongs to the parent process."""
        self._control.close()
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files = {}
