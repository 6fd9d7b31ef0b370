"""The other side of `workers.py`: a server that forks workers, and what a worker does.

The server is one thread in a process of its own, exec'ed fresh, so that forking it is safe
whatever runs in the caller. It imports what it is told to and then forks: a worker starts warm in
milliseconds. Not for untrusted programs: a worker may do all that its caller may.
"""

import importlib
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from typing import Any

from ..wire.protocol import read_exactly

Target = str | tuple[str, tuple[Any, ...]]
"""`module:function`, or (`module:maker`, arguments) where the maker returns the function."""

CALLS = 2000
"""A worker is replaced after this many calls,"""
GROWTH_MB = 400
"""or when its peak memory has grown by this much: caches of libraries only ever grow."""


def send(channel: socket.socket, message: Any) -> None:
    """Write one message: its length in eight bytes, then its pickle."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    channel.sendall(struct.pack("!Q", len(body)) + body)


def receive(channel: socket.socket) -> Any:
    """Read one message.

    Raises:
        EOFError: the other side is gone.
    """
    (length,) = struct.unpack("!Q", read_exactly(channel.recv, 8))
    return pickle.loads(read_exactly(channel.recv, length))


def serve(control: socket.socket) -> None:
    """Fork a worker for every `fork`, import for every `import`, until the caller is gone."""
    children: set[int] = set()
    try:
        while True:
            what, value = receive(control)
            if what == "import":
                _import_quietly(value)
            elif what == "reap":
                os.waitpid(value, 0)
                children.discard(value)
            else:
                children.add(_fork(control))
    except (EOFError, ConnectionError):
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def _import_quietly(module: str) -> None:
    """Import ahead of need. What fails here fails again, and is told, in the worker that needs it."""
    try:
        importlib.import_module(module)
    except Exception:
        traceback.print_exc()


def _fork(control: socket.socket) -> int:
    ours, theirs = socket.socketpair()
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        ours.close()
        control.close()
        _die_with(server)
        try:
            work(theirs)
        except (EOFError, ConnectionError):
            pass
        finally:
            os._exit(0)
    theirs.close()
    socket.send_fds(control, [struct.pack("!Q", pid)], [ours.fileno()])
    ours.close()
    return pid


def _die_with(server: int) -> None:
    """Have the kernel kill this process when the server ends, even if it hangs in C code."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != server:
        os._exit(0)


def work(channel: socket.socket) -> None:
    """Answer calls until the caller is gone, or until this worker has grown old.

    For each call two messages go back: that its function is loaded (the limit starts there, so that
    a slow import is not the completion's fault), then (whether to go on with this worker, the
    result or the exception).
    """
    loaded: dict[Target, Callable[..., Any]] = {}
    floor = _peak_mb()
    for count in range(1, CALLS + 1):
        target, arguments, memory_mb = receive(channel)
        try:
            if target not in loaded:
                loaded[target] = _load(target)
        except Exception as error:
            send(channel, (True, portable(error)))
            continue
        send(channel, None)
        young = count < CALLS
        try:
            _limit_memory(memory_mb)
            outcome = loaded[target](*arguments)
        except (Exception, SystemExit) as error:
            outcome = portable(error)
            young = young and not isinstance(error, MemoryError | RecursionError)
        finally:
            _limit_memory(None)
        young = young and _peak_mb() < floor + GROWTH_MB
        try:
            send(channel, (young, outcome))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            send(channel, (young, TypeError(f"the result cannot be sent back: {error}")))
        if not young:
            return


def _load(target: Target) -> Callable[..., Any]:
    name, arguments = (target, None) if isinstance(target, str) else target
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in path.split("."):
        found = getattr(found, attribute)
    return found if arguments is None else found(*arguments)


def _peak_mb() -> int:
    """Return the peak memory of this process in MiB (kernels differ in the unit)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> 20 if sys.platform == "darwin" else peak >> 10


def _limit_memory(memory_mb: int | None) -> None:
    """Cap what this process may allocate (private writable pages; Linux); None lifts the cap."""
    if sys.platform != "linux":
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = hard if memory_mb is None else memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def portable(error: BaseException) -> BaseException:
    """Return an exception that survives the way back, with where it was raised as a note."""
    error.add_note("in a worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        stand_in.__notes__ = error.__notes__
        return stand_in
    return error
