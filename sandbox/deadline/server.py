"""The processes behind `pool.py`: a server that forks workers, and the workers.

The server is a freshly exec'ed process with one thread, so that it can fork safely whatever threads its
caller runs. It imports modules on request before it forks, so that a worker is ready within milliseconds.
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
"""`module:function`, or (`module:maker`, arguments) for the function that the maker returns."""

CALLS = 2000
"""A worker is replaced after this many calls."""
GROWTH_MB = 400
"""A worker is replaced when its peak memory has grown by this many MiB: libraries' caches only ever grow."""


def send(channel: socket.socket, message: Any) -> None:
    """Write one message: the length of its pickle in eight bytes, then the pickle."""
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
    """Run the server: obey `import`, `fork` and `reap` messages until the caller is gone."""
    children: set[int] = set()
    try:
        while True:
            command, value = receive(control)
            if command == "import":
                _import_ahead(value)
            elif command == "reap":
                os.waitpid(value, 0)
                children.discard(value)
            else:
                children.add(_fork(control))
    except (EOFError, ConnectionError):
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def _import_ahead(module: str) -> None:
    """Import a module that workers will need. If that fails, it fails again in a worker, which reports it."""
    try:
        importlib.import_module(module)
    except Exception:
        traceback.print_exc()


def _fork(control: socket.socket) -> int:
    """Fork a worker; send its pid and its socket to the caller, and return its pid."""
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
    """Have the kernel kill this process when the server ends, even if this process hangs in C code."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 = PR_SET_PDEATHSIG
    if os.getppid() != server:  # the server ended before the kernel was asked
        os._exit(0)


def work(channel: socket.socket) -> None:
    """Run a worker: answer calls until the caller is gone, or until this worker should be replaced.

    Two messages answer each call. The first is None, once the function has been imported; the time limit
    counts from there, so that a slow import does not count against the call. The second is whether to go on
    using this worker, and the result or exception. A call whose import fails gets only the second one.
    """
    loaded: dict[Target, Callable[..., Any]] = {}
    peak_at_start = _peak_mb()
    for count in range(1, CALLS + 1):
        target, arguments, memory_mb = receive(channel)
        try:
            if target not in loaded:
                loaded[target] = _load(target)
        except Exception as error:
            send(channel, (True, portable(error)))
            continue
        send(channel, None)
        keep = count < CALLS
        try:
            _limit_memory(memory_mb)
            outcome = loaded[target](*arguments)
        except (Exception, SystemExit) as error:
            outcome = portable(error)
            keep = keep and not isinstance(error, MemoryError | RecursionError)
        finally:
            _limit_memory(None)
        keep = keep and _peak_mb() < peak_at_start + GROWTH_MB
        try:
            send(channel, (keep, outcome))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            send(channel, (keep, TypeError(f"the result cannot be sent back: {error}")))
        if not keep:
            return


def _load(target: Target) -> Callable[..., Any]:
    name, arguments = (target, None) if isinstance(target, str) else target
    module, _, path = name.partition(":")
    value: Any = importlib.import_module(module)
    for attribute in path.split("."):
        value = getattr(value, attribute)
    return value if arguments is None else value(*arguments)


def _peak_mb() -> int:
    """Return the peak memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> 20 if sys.platform == "darwin" else peak >> 10  # bytes on macOS, KiB on Linux


def _limit_memory(memory_mb: int | None) -> None:
    """Limit the private writable memory of this process (Linux only); None lifts the limit."""
    if sys.platform != "linux":
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = hard if memory_mb is None else memory_mb << 20
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def portable(error: BaseException) -> BaseException:
    """Return an exception with its traceback as a note, in a form that can be pickled.

    An exception that cannot be pickled is replaced by a RuntimeError with its type and text.
    """
    error.add_note("in a worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        stand_in = RuntimeError(f"{type(error).__name__}: {error}")
        stand_in.__notes__ = error.__notes__
        return stand_in
    return error
