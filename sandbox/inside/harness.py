"""The code in a program's own process that compiles it, runs it on its inputs and calls its functions.

A program can read and change everything in its process. So nothing here knows an expected value, and nothing
here decides whether an answer is right: answers go out, and the caller compares them.
"""

import atexit
import builtins
import contextlib
import gc
import marshal
import os
import resource
import sys
import threading
from types import CodeType, ModuleType
from typing import Any

from ..oracle.program_side import ObjectServer
from ..oracle.run_tests import run_in_program
from ..wire.codec import TooLargeError, decode, encode
from ..wire.records import COMPILE, DEFINE, DEFINED, ENDED, MEMORY, VALUE, Records, describe
from .between_cases import (
    FILE,
    FirstState,
    Streams,
    flush_c_streams,
    may_ask,
    may_leave_streams,
    place,
    prepare,
)


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
    if may_ask(job["code"]):
        prepare(job["code"])
    records = Records(results)
    try:
        code = compile(job["code"], FILE, "exec", dont_inherit=True)
    except BaseException as error:
        _show(error.with_traceback(None))
        return _finish(_report_undefined(error, COMPILE, records, link))
    if job["mode"] == "stdio":
        return _stdio(code, job, blob, records)
    # Both look at the process before the program does.
    streams = Streams(job["output"], len(job["calls"]) > 1)
    first_state = FirstState(job["code"]) if job["fresh"] and len(job["calls"]) > 1 else None
    module, _, error = _execute(code, "solution", job)
    if error is not None:
        _show(error)
        kind = MEMORY if isinstance(error, MemoryError) else DEFINE
        return _finish(_report_undefined(error, kind, records, link))
    if job["mode"] == "calls":
        return _calls(code, module, job, records, streams, first_state)
    if link is not None:
        return ObjectServer(link, module).serve()
    return run_in_program(job["tests"], module, records)


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


def _execute(code: CodeType, name: str, job: dict[str, Any]) -> tuple[ModuleType, int, BaseException | None]:
    """Run code as a new module; return the module, the exit status, and the exception that ended it."""
    module = ModuleType(name)
    module.__dict__["__builtins__"] = builtins
    module.__dict__["__file__"] = place.file
    sys.modules[name] = module
    try:
        if job["prelude"]:
            exec(job["prelude"], module.__dict__)
        given = {name: module.__dict__[name] for name in job["given"]} if job.get("given") else None
        exec(code, module.__dict__)
        if given is not None:
            module.__dict__.update(given)
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


def _finish(status: int, module: ModuleType | None = None) -> int:
    """Do what the interpreter does at its end: wait for threads, run exit functions, flush buffers.

    Args:
        status: the exit status so far.
        module: a module whose objects are destroyed, because some may then flush a buffer of their own.

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
    if module is not None:
        with contextlib.suppress(BaseException):
            module.__dict__.clear()
            flush_c_streams()
            if sys.__stdout__ is not None:  # what objects have printed when they were destroyed
                sys.__stdout__.flush()
    return status


def _stdio(code: CodeType, job: dict[str, Any], blob: tuple[int, int], records: Records) -> int:
    """Run the program once for each input, in turn; stop early if it leaves threads running."""
    inputs: list[tuple[int, int]] = job["inputs"]
    leaves_streams = may_leave_streams(job["code"])
    several = len(inputs) > 1
    streams = Streams(job["output"], several) if several or inputs[0][1] else None
    first_state = FirstState(job["code"]) if several else None
    status = 0
    module: ModuleType | None = None
    for case, (offset, length) in enumerate(inputs):
        if first_state is not None and streams is not None and module is not None:
            error = None
            module.__dict__.clear()  # it may hold much memory, and streams of its own
            first_state.restore(streams, reads=True)
        if streams is not None:
            streams.feed(blob[0], blob[1] + offset, length)
        error: BaseException | None
        module, status, error = _execute(code, "__main__", job)
        if error is not None and not isinstance(error, SystemExit):
            _show(error)
        leaves_threads = threading.active_count() > 1  # asked before `_finish` waits for them
        status = _finish(status, module if leaves_streams else None)
        out_of_memory = isinstance(error, MemoryError)
        if several and streams is not None:
            ends = streams.sizes()
            body = MEMORY.encode() if out_of_memory else b""
            records.write(ENDED, body, case=case, status=status, ends=ends)
        elif out_of_memory:
            records.failed(error or "", MEMORY)
        if leaves_threads:
            break
    return status


def _calls(
    code: CodeType,
    module: ModuleType,
    job: dict[str, Any],
    records: Records,
    streams: Streams,
    first_state: FirstState | None,
) -> int:
    """Make each case's calls, and record what they return; with a `first_state`, each on a new module."""
    cases: list[tuple[int, list[tuple[str, bytes]]]] = job["calls"]
    records.write(DEFINED)
    for number, (case, calls) in enumerate(cases):
        error: BaseException | None = None
        if number > 0:
            if first_state is not None:
                module.__dict__.clear()
                first_state.restore(streams, reads=False)
                module, _, error = _execute(code, "solution", job)
            streams.allow(records.descriptor)
        try:
            if error is not None:
                raise error
            answer = encode([_called(module, *call) for call in calls]).encode()
            if len(answer) > job["output"]:
                raise TooLargeError(f"the value takes {len(answer)} bytes (at most {job['output']})")
            records.write(VALUE, answer, case=case)
        except BaseException as raised:
            records.raised(case, raised)
        if job["fresh"] and threading.active_count() > 1:
            break
    return _finish(0)


def _called(module: ModuleType, entry: str, arguments: bytes) -> Any:
    """Return the result of one call; `arguments` are packed as `Job.calls` says."""
    # No marshalled pair begins with a zero byte, so one says that the codec wrote the arguments.
    args, kwargs = decode(arguments[1:]) if arguments[:1] == b"\0" else marshal.loads(arguments)
    return _entry(module, entry)(*args, **kwargs)


def _entry(module: ModuleType, path: str) -> Any:
    """Return the object that `f`, `Solution().method` or `Solution.method` names.

    A class before the last name is instantiated, with or without brackets. `Solution?.method` is a method of
    `Solution` if the program has such a class, and else the function `method`.
    """
    value: Any = module
    names = path.split(".")
    if names[0].endswith("?"):
        name = names.pop(0).removesuffix("?")
        names = [f"{name}()", *names] if hasattr(module, name) else names
    for i, name in enumerate(names):
        bare = name.removesuffix("()")
        value = getattr(value, bare)
        if bare != name or (isinstance(value, type) and i < len(names) - 1):
            value = value()
    return value
