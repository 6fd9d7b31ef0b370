"""What happens inside a program's own process: code is compiled, run, fed, called.

All of it shares its memory with the program, so nothing here is believed and nothing here knows an
expected value: what comes out is an answer, which our side compares.
"""

import atexit
import builtins
import gc
import io
import marshal
import os
import resource
import sys
import threading
from types import CodeType, ModuleType
from typing import Any

from ..oracle.program_side import Served
from ..oracle.run_tests import share
from ..wire.codec import NotPlainError, decode, encode
from ..wire.records import COMPILE, DEFINE, MEMORY, Records, told

FILE = "solution.py"
_STREAMS = {
    **{f"/dev/{name}": number for number, name in enumerate(("stdin", "stdout", "stderr"))},
    **{f"{folder}/{number}": number for folder in ("/dev/fd", "/proc/self/fd") for number in range(3)},
}


def run(job: dict[str, Any], blob: tuple[int, int], results: int, files: int, link: int | None = None) -> int:
    """Do a job; return the exit status of the process.

    Args:
        job: what `Job.for_program` made.
        blob: descriptor with the inputs, and where in it they begin.
        results: descriptor for records.
        files: bytes that any file may grow to in all.
        link: descriptor to the tests' process, for `serve`.
    """
    gc.enable()
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(files, job["output"] + 1), files))
    if any(path in job["code"] for path in _STREAMS):
        _open_streams_by_path()
    writer = Records(results)
    try:
        code = compile(job["code"], FILE, "exec", dont_inherit=True)
    except BaseException as error:
        _show(error.with_traceback(None))
        return _finish(_undefined(error, COMPILE, writer, link))
    if job["mode"] == "stdio":
        return _stdio(code, job, blob, writer)
    module, _, error = _execute(code, "solution", job["prelude"])
    if error is not None:
        _show(error)
        return _finish(_undefined(error, MEMORY if isinstance(error, MemoryError) else DEFINE, writer, link))
    if job["mode"] == "calls":
        return _calls(module, job, writer)
    if link is not None:
        return Served(link, module).serve()
    return share(job["tests"], module, writer)


def _open_streams_by_path() -> None:
    """Let `open("/dev/stdin")` and its kin work, which lead through /proc, where no program may look."""
    real = builtins.open

    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        number = _STREAMS.get(file) if isinstance(file, str) else None
        return real(file if number is None else os.dup(number), *args, **kwargs)

    builtins.open = io.open = opened


def _undefined(error: BaseException, kind: str, writer: Records, link: int | None) -> int:
    """Tell what kept the program from being defined, to whom it concerns."""
    if link is None:
        writer.failed(error, kind)
    else:
        Served(link, ModuleType("solution"), failed=(kind, told(error))).serve()
    return 1


def _show(error: BaseException) -> None:
    """Print an exception as the interpreter does, without our own frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    try:
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    except BaseException:
        os.write(2, type(error).__name__.encode())


def _fresh(name: str) -> ModuleType:
    module = ModuleType(name)
    module.__dict__["__builtins__"] = __builtins__
    sys.modules[name] = module
    return module


def _execute(code: CodeType, name: str, prelude: str = "") -> tuple[ModuleType, int, BaseException | None]:
    """Run code as a module; return it, the exit status, and the exception that ended it."""
    module = _fresh(name)
    try:
        if prelude:
            exec(prelude, module.__dict__)
        exec(code, module.__dict__)
    except SystemExit as error:
        return module, _status(error), error
    except BaseException as error:
        return module, 1, error
    return module, 0, None


def _status(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    try:
        print(leaving.code, file=sys.stderr)
    except BaseException:
        return 1
    return 1


def _finish(status: int) -> int:
    """End as the interpreter does: threads, exit functions, buffers."""
    try:
        if threading.active_count() > 1 or getattr(threading, "_threading_atexits", ()):
            threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
        atexit._run_exitfuncs()
    except BaseException as error:
        _show(error)
    return _flushed(status)


def _flushed(status: int) -> int:
    for stream in (sys.stdout, sys.__stdout__, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:
            status = status or 120  # as the interpreter says
    return status


def _stdio(code: CodeType, job: dict[str, Any], blob: tuple[int, int], records: Records) -> int:
    """Run the program once for each input, in turn; stop early where threads are left over."""
    inputs: list[tuple[int, int, int]] = job["inputs"]
    status = 0
    for count, (case, offset, length) in enumerate(inputs):
        if count:
            _renew_streams()
        if count or length:
            _feed(blob[0], blob[1] + offset, length, job["output"])
        records.begin(case)
        error: BaseException | None
        _, status, error = _execute(code, "__main__", job["prelude"])
        if error is not None and not isinstance(error, SystemExit):
            _show(error)
        last = count == len(inputs) - 1 or threading.active_count() > 1
        status = _finish(status)
        if isinstance(error, MemoryError):
            records.failed(error, MEMORY)
        if len(inputs) > 1:
            ends = [os.fstat(descriptor).st_size for descriptor in (1, 2)]
            records.write({"case": case, "status": status, "ends": ends, "seconds": records.seconds()})
        if last:
            break
    return status


def _feed(blob: int, offset: int, length: int, output: int) -> None:
    """Put an input on descriptor 0, and let the output grow by as much as one case may write."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    if length or os.fstat(0).st_size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        os.ftruncate(0, 0)
        os.lseek(0, 0, os.SEEK_SET)
        end = offset + length
        while offset < end and (sent := os.sendfile(0, blob, offset, end - offset)):
            offset += sent
        os.lseek(0, 0, os.SEEK_SET)
    written = max(os.lseek(1, 0, os.SEEK_END), os.lseek(2, 0, os.SEEK_END))
    soft = min(written + output + 1, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _renew_streams() -> None:
    """Give the next case streams, arguments and exit functions of its own."""
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    out = io.BufferedWriter(io.FileIO(1, "w", closefd=False))
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(out, "utf-8")
    sys.excepthook = sys.__excepthook__
    sys.setrecursionlimit(1000)


def _calls(module: ModuleType, job: dict[str, Any], records: Records) -> int:
    """Answer each case's calls."""
    cases: list[tuple[int, list[tuple[str, bytes]]]] = job["calls"]
    for case, calls in cases:
        records.begin(case)
        record: dict[str, Any] = {"case": case}
        try:
            record["value"] = encode([_called(module, *call) for call in calls])
        except NotPlainError as error:
            record |= {"raised": "NotPlainError", "error": str(error)}
        except BaseException as error:
            record |= {"raised": type(error).__name__, "error": told(error)}
        records.write({**record, "seconds": records.seconds()})
    return _finish(0)


def _called(module: ModuleType, entry: str, arguments: bytes) -> Any:
    args, kwargs = decode(arguments[1:]) if arguments[:1] == b"\0" else marshal.loads(arguments)
    return _entry(module, entry)(*args, **kwargs)


def _entry(module: ModuleType, path: str) -> Any:
    """Return what `f`, `Solution().method` or `Solution.method` names; classes on the way are made."""
    found: Any = module
    names = path.split(".")
    for i, name in enumerate(names):
        bare = name.removesuffix("()")
        found = getattr(found, bare)
        if bare != name or (isinstance(found, type) and i < len(names) - 1):
            found = found()
    return found
