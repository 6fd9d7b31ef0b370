"""Hard deadlines for trusted code: a pool of worker processes that are killed from outside.

A worker imports a function by name and calls it. It is killed when the call's time is up, whatever the code
is doing. There are no signal handlers and no threads, so this works from any thread, from asyncio and inside
Ray. A kill does not disturb other calls; the server (`server.py`) forks a new worker for the next one.

This is not for untrusted programs, which need the sandbox: a worker may do whatever its caller may.
"""

import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import DeadlineError, InfraError, MemoryLimitError
from .server import Target, receive, send

LOAD_S = 120.0
"""Seconds that a worker may take to start and to import the module of its function."""

_BOOT = """
import socket, sys
sys.path[:] = {path!r}
from markscheme.sandbox.deadline.server import serve
serve(socket.socket(fileno={fd}))
"""
_START_ERRORS = (OSError, struct.error, IndexError)
"""A server that has died shows as a failed send, a short reply, or a reply without a descriptor."""


@dataclass(eq=False)
class _Worker:
    pid: int  # 0 once it has been killed
    channel: socket.socket
    server: int  # pid of the server that forked it and will reap it
    call: int = -1  # number of the call that it is running; -1 = none
    deadline: float = 0.0  # in monotonic seconds
    limit_s: float = 0.0
    loaded: bool = False  # whether it has imported the function, so that the time of the call runs
    reused: bool = False  # whether it has finished a call before


class Pool:
    """The worker processes of one caller. Safe to share between threads.

    Args:
        workers: how many may be busy at once; None = one per processor on Linux, two elsewhere.
    """

    def __init__(self, workers: int | None = None):
        processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 2
        self._room = threading.Semaphore(workers or processors)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._warm: list[str] = []
        self._warming: threading.Event | None = None

    def warm(self, module: str) -> None:
        """Start the server if it is not running, and have it import a module; do not wait for that.

        If the server cannot be started, the first call of `run` reports it.
        """
        if module in self._warm:
            return
        with self._lock, suppress(OSError):
            if module not in self._warm:
                self._warm.append(module)
                if self._control is None:
                    self._start()
                else:
                    send(self._control, ("import", module))

    def is_warm(self, module: str, *, wait_s: float) -> bool:
        """Return whether the server has imported a module by now, or has after at most `wait_s` seconds."""
        self.warm(module)
        with self._lock:
            done = self._warming
            if done is None:
                done = self._warming = threading.Event()
                threading.Thread(target=self._wait_for_a_worker, args=(done,), daemon=True).start()
        return done.wait(wait_s)

    def _wait_for_a_worker(self, done: threading.Event) -> None:
        try:  # the server imports before it forks, so that a worker that answers shows that it has done so
            self.run("builtins:bool", [()], timeout_s=LOAD_S)
        except InfraError:
            self._warming = None  # the next call reports it, and the one after that tries again
        done.set()

    def run(
        self, target: Target, calls: Sequence[tuple[Any, ...]], *, timeout_s: float, memory_mb: int = 4096
    ) -> list[Any]:
        """Do what `with_deadline` does, with the workers of this pool."""
        results: list[Any] = [None] * len(calls)
        waiting = deque(range(len(calls)))
        busy: dict[socket.socket, _Worker] = {}
        with selectors.DefaultSelector() as selector:
            try:
                while waiting or busy:
                    # A thread that has a worker already does not wait for another one.
                    while waiting and self._room.acquire(blocking=not busy):
                        worker = self._idle_or_new_worker()
                        busy[worker.channel] = worker
                        selector.register(worker.channel, selectors.EVENT_READ)
                        self._send_call(worker, waiting.popleft(), target, calls, memory_mb, timeout_s)
                    nearest = min(worker.deadline for worker in busy.values())
                    for key, _ in selector.select(max(nearest - time.monotonic(), 0)):
                        self._read_message(busy[key.fileobj], results, waiting)  # pyright: ignore[reportArgumentType]
                    for worker in list(busy.values()):
                        if worker.call >= 0 and time.monotonic() >= worker.deadline:
                            results[worker.call] = _timeout_error(worker)
                            self._kill(worker)
                        if worker.pid and worker.call < 0 and waiting:
                            self._send_call(worker, waiting.popleft(), target, calls, memory_mb, timeout_s)
                        elif worker.call < 0:
                            self._release(worker, busy, selector)
            finally:
                for worker in list(busy.values()):  # only after an interrupt, when nobody waits for results
                    self._kill(worker)
                    self._release(worker, busy, selector)
        return results

    def _idle_or_new_worker(self) -> _Worker:
        """Return a worker, for which the caller has acquired `_room`.

        Raises:
            InfraError: no worker can be started; `_room` has been released.
        """
        try:
            with self._lock:
                if self._idle:
                    return self._idle.pop()
                try:
                    return self._fork()
                except _START_ERRORS:
                    self._close_channels()  # the server has died, and its workers with it: start another one
                    if self._server is not None:
                        self._server.kill()
                        self._server.wait()
                    return self._fork()
        except _START_ERRORS as error:
            self._room.release()
            raise InfraError(f"no worker process can be started: {error!r}; see stderr for why") from error

    def _fork(self) -> _Worker:
        if self._control is None:
            self._start()
        assert self._control is not None
        assert self._server is not None
        send(self._control, ("fork", None))
        body, descriptors, _, _ = socket.recv_fds(self._control, 8, 1)
        return _Worker(struct.unpack("!Q", body)[0], socket.socket(fileno=descriptors[0]), self._server.pid)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(LOAD_S)
        # Without gmpy2 even if it is installed: its C library aborts the process when memory runs out.
        environment = {**os.environ, "SYMPY_GROUND_TYPES": "python", "OMP_NUM_THREADS": "1"}
        with theirs:
            try:
                self._server = subprocess.Popen(
                    [sys.executable, "-c", _BOOT.format(path=sys.path, fd=theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    start_new_session=True,  # Ctrl-C is for the caller, which then closes the server
                )
            except OSError:
                ours.close()
                raise
        self._control = ours
        for module in self._warm:
            send(ours, ("import", module))

    def _send_call(
        self, worker: _Worker, call: int, target: Target, calls: Sequence[Any], memory_mb: int, limit_s: float
    ) -> None:
        worker.call, worker.limit_s, worker.loaded = call, limit_s, False
        worker.deadline = time.monotonic() + LOAD_S
        worker.channel.settimeout(LOAD_S)
        with suppress(ConnectionError):  # the worker died while idle, which reading from it will show
            send(worker.channel, (target, calls[call], memory_mb))

    def _read_message(self, worker: _Worker, results: list[Any], waiting: deque[int]) -> None:
        """Read one message of a worker, which says that its function is loaded or that its call has ended."""
        worker.channel.settimeout(max(worker.deadline - time.monotonic(), 0.001))
        try:
            message = receive(worker.channel)
        except TimeoutError:
            worker.deadline = 0.0  # time is up in the middle of a long message
            return
        except (EOFError, ConnectionError):
            if worker.reused and not worker.loaded:  # it died before this call, which another worker takes
                waiting.append(worker.call)
            results[worker.call] = InfraError("a worker process died: it crashed, or was killed from outside")
            self._kill(worker)
            return
        if message is None:
            worker.loaded, worker.deadline = True, time.monotonic() + worker.limit_s
            return
        keep, outcome = message
        if isinstance(outcome, MemoryError):
            outcome = MemoryLimitError(f"the call exceeded its memory limit {outcome}".strip())
        results[worker.call] = outcome
        worker.call, worker.reused = -1, True
        if not keep:
            self._kill(worker)

    def _kill(self, worker: _Worker) -> None:
        """Kill a worker, and have its server reap it.

        Until it is reaped, its pid cannot belong to another process. If its server has died, so has it.
        """
        with self._lock:
            server = self._server.pid if self._server is not None else None
            if worker.pid and self._control is not None and worker.server == server:
                with suppress(OSError):
                    os.kill(worker.pid, signal.SIGKILL)
                    send(self._control, ("reap", worker.pid))
        worker.pid, worker.call = 0, -1

    def _release(
        self, worker: _Worker, busy: dict[socket.socket, _Worker], selector: selectors.BaseSelector
    ) -> None:
        del busy[worker.channel]
        selector.unregister(worker.channel)
        if worker.pid:
            with self._lock:
                self._idle.append(worker)
        else:
            worker.channel.close()
        self._room.release()

    def _close_channels(self) -> None:
        """Close the channels to the server and to idle workers, which end when no process has them open."""
        for worker in self._idle:
            worker.channel.close()
        if self._control is not None:
            self._control.close()
        self._idle, self._control = [], None

    def close(self) -> None:
        """End the server and every worker. A later call of `run` starts them again."""
        with self._lock:
            self._close_channels()
            self._warming = None
            server, self._server = self._server, None
        if server is not None:
            try:
                server.wait(timeout=1)
            except subprocess.TimeoutExpired:  # it is busy importing
                server.kill()
                server.wait()


def _timeout_error(worker: _Worker) -> Exception:
    if not worker.loaded:
        return InfraError(f"the function's module was not imported within {LOAD_S:g} s")
    return DeadlineError(f"the call was not done within {worker.limit_s:g} s, and was killed")
