"""The code in a program's own process that compiles it, runs it on its inputs and calls its functions.

A program can read and change everything in its process. So nothing here knows an expected value, and nothing
here decides whether an answer is right: answers go out, and the caller compares them.
"""

import atexit
import builtins
import contextlib
import gc
import io
import marshal
import os
import resource
import sys
import threading
from types import CodeType, ModuleType
from typing import Any

from ..oracle.program_side import ObjectServer
from ..oracle.run_tests import run_in_program
from ..wire.codec import NotPlainError, decode, encode
from ..wire.records import COMPILE, DEFINE, MEMORY, Records, describe

FILE = "solution.py"
"""The program's file name in tracebacks."""
_STREAMS = {
    **{f"/dev/{name}": number for number, name in enumerate(("stdin", "stdout", "stderr"))},
    **{f"{folder}/{number}": number for folder in ("/dev/fd", "/proc/self/fd") for number in range(3)},
}
"""The standard streams by path: the number of each descriptor."""


def run(
    job: dict[str, Any], blob: tuple[int, int], results: int, file_size: int, link: int | None = None
) -> int:
    """Run a job; return the exit status of the process.

    Args:
        job: the job, from `Job.for_program`.
        blob: descriptor of the inputs, and the offset at which they begin.
        results: descriptor of the file of records.
        file_size: bytes that any file may grow to, over all cases.
        link: descriptor of the socket to the tests' process, in mode `serve`.
    """
    gc.enable()  # the worker has disabled it
    resource.setrlimit(resource.RLIMIT_FSIZE, (min(file_size, job["output"] + 1), file_size))
    if any(path in job["code"] for path in _STREAMS):
        _open_streams_by_path()
    records = Records(results)
    try:
        code = compile(job["code"], FILE, "exec", dont_inherit=True)
    except BaseException as error:
        _show(error.with_traceback(None))
        return _finish(_report_undefined(error, COMPILE, records, link))
    if job["mode"] == "stdio":
        return _stdio(code, job, blob, records)
    module, _, error = _execute(code, "solution", job["prelude"])
    if error is not None:
        _show(error)
        kind = MEMORY if isinstance(error, MemoryError) else DEFINE
        return _finish(_report_undefined(error, kind, records, link))
    if job["mode"] == "calls":
        return _calls(module, job, records)
    if link is not None:
        return ObjectServer(link, module).serve()
    return run_in_program(job["tests"], module, records)


def _open_streams_by_path() -> None:
    """Make `open("/dev/stdin")` and the like work, which lead through /proc, where no program may read."""
    real = builtins.open

    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        number = _STREAMS.get(file) if isinstance(file, str) else None
        return real(file if number is None else os.dup(number), *args, **kwargs)

    builtins.open = io.open = opened


def _report_undefined(error: BaseException, kind: str, records: Records, link: int | None) -> int:
    """Report why the program could not be defined, to its tests or in a record; return the exit status."""
    if link is None:
        records.failed(error, kind)
    else:
        ObjectServer(link, ModuleType("solution"), failed=(kind, describe(error))).serve()
    return 1


def _show(error: BaseException) -> None:
    """Print an exception as the interpreter does, without the frames of this file."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    try:
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    except BaseException:
        os.write(2, type(error).__name__.encode())


def _execute(code: CodeType, name: str, prelude: str) -> tuple[ModuleType, int, BaseException | None]:
    """Run code as a new module; return the module, the exit status, and the exception that ended it."""
    module = ModuleType(name)
    module.__dict__["__builtins__"] = __builtins__
    sys.modules[name] = module
    try:
        if prelude:
            exec(prelude, module.__dict__)
        exec(code, module.__dict__)
    except SystemExit as error:
        return module, _status(error), error
    except BaseException as error:
        return module, 1, error
    return module, 0, None


def _status(error: SystemExit) -> int:
    """Return the exit status for a SystemExit, and print its text as the interpreter does."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    with contextlib.suppress(BaseException):
        print(error.code, file=sys.stderr)
    return 1


def _finish(status: int) -> int:
    """Do what the interpreter does at its end: wait for threads, run exit functions, flush buffers.

    Returns:
        The exit status: `status`, or the interpreter's own if a buffer cannot be flushed.
    """
    try:
        if threading.active_count() > 1 or getattr(threading, "_threading_atexits", ()):
            threading._shutdown()  # pyright: ignore[reportAttributeAccessIssue]
        atexit._run_exitfuncs()
    except BaseException as error:
        _show(error)
    for stream in (sys.stdout, sys.__stdout__, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:
            status = status or 120  # the interpreter's own status for this
    return status


def _stdio(code: CodeType, job: dict[str, Any], blob: tuple[int, int], records: Records) -> int:
    """Run the program once for each input, in turn; stop early if it leaves threads running."""
    inputs: list[tuple[int, int, int]] = job["inputs"]
    status = 0
    for index, (case, offset, length) in enumerate(inputs):
        if index > 0:
            _renew_streams()
        if index > 0 or length > 0:
            _feed(blob[0], blob[1] + offset, length, job["output"])
        records.begin(case)
        error: BaseException | None
        _, status, error = _execute(code, "__main__", job["prelude"])
        if error is not None and not isinstance(error, SystemExit):
            _show(error)
        leaves_threads = threading.active_count() > 1  # asked before `_finish` waits for them
        status = _finish(status)
        if isinstance(error, MemoryError):
            records.failed(error, MEMORY)
        if len(inputs) > 1:
            ends = [os.fstat(descriptor).st_size for descriptor in (1, 2)]
            records.write({"case": case, "status": status, "ends": ends, "seconds": records.seconds()})
        if leaves_threads:
            break
    return status


def _feed(blob: int, offset: int, length: int, output: int) -> None:
    """Put an input into standard input's file, and let the output grow by as much as one case may print."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    if length or os.fstat(0).st_size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        os.ftruncate(0, 0)
        os.lseek(0, 0, os.SEEK_SET)
        end = offset + length
        # 0 bytes are sent if the program has cut the blob short.
        while offset < end and (sent := os.sendfile(0, blob, offset, end - offset)):
            offset += sent
        os.lseek(0, 0, os.SEEK_SET)
    written = max(os.lseek(1, 0, os.SEEK_END), os.lseek(2, 0, os.SEEK_END))
    soft = min(written + output + 1, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _renew_streams() -> None:
    """Give the next case fresh streams, and the interpreter's own exception hook and recursion limit."""
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    out = io.BufferedWriter(io.FileIO(1, "w", closefd=False))
    sys.stdout = sys.__stdout__ = io.TextIOWrapper(out, "utf-8")
    sys.excepthook = sys.__excepthook__
    sys.setrecursionlimit(1000)


def _calls(module: ModuleType, job: dict[str, Any], records: Records) -> int:
    """Make each case's calls, and record what they return."""
    cases: list[tuple[int, list[tuple[str, bytes]]]] = job["calls"]
    for case, calls in cases:
        records.begin(case)
        record: dict[str, Any] = {"case": case}
        try:
            record["value"] = encode([_called(module, *call) for call in calls])
        except NotPlainError as error:
            record |= {"raised": "NotPlainError", "error": str(error)}
        except BaseException as error:
            record |= {"raised": type(error).__name__, "error": describe(error)}
        records.write({**record, "seconds": records.seconds()})
    return _finish(0)


def _called(module: ModuleType, entry: str, arguments: bytes) -> Any:
    """Return the result of one call; `arguments` are packed as `Job.calls` says."""
    # No marshalled pair begins with a zero byte, so one says that the codec wrote the arguments.
    args, kwargs = decode(arguments[1:]) if arguments[:1] == b"\0" else marshal.loads(arguments)
    return _entry(module, entry)(*args, **kwargs)


def _entry(module: ModuleType, path: str) -> Any:
    """Return the object that `f`, `Solution().method` or `Solution.method` names.

    A class before the last name is instantiated, with or without brackets.
    """
    value: Any = module
    names = path.split(".")
    for i, name in enumerate(names):
        bare = name.removesuffix("()")
        value = getattr(value, bare)
        if bare != name or (isinstance(value, type) and i < len(names) - 1):
            value = value()
    return value
