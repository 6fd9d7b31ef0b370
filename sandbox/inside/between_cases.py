"""Putting a program's process back into its first state between two cases of the same program.

Every case runs the program anew, so it has its own globals. What is put back here are the things that a
program may change outside them. None of this is for protection: a program that gets around it only spoils its
own next case.
"""

import builtins
import contextlib
import decimal
import gc
import io
import linecache
import os
import random
import re
import resource
import signal
import sys
import time
import warnings
import weakref
from types import ModuleType
from typing import Any

from ..isolation.scratch_folder import empty

FILE = "solution.py"
"""The program's file name in tracebacks."""
_STREAMS = {
    **{f"/dev/{name}": number for number, name in enumerate(("stdin", "stdout", "stderr"))},
    **{f"{folder}/{number}": number for folder in ("/dev/fd", "/proc/self/fd") for number in range(3)},
}
"""The standard streams by path: the number of each descriptor."""
_WORD = re.compile(r"\w+")
_STREAM_WORDS = frozenset("sys open close stdin stdout stderr dup dup2 fdopen os io quit exit ctypes".split())
"""Words of programs that may close or replace a standard stream."""
_SETS = re.compile(r"\.\s*\w+\s*[-+*/|&]?=(?!=)|setattr|__dict__|vars\(|exec\(")
"""What a program contains if it may set an attribute of a module."""
_STREAM_NAMES = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_FILE_WORDS = frozenset(
    "open os pathlib Path tempfile shutil sqlite3 io json pickle shelve dbm numpy np pandas".split()
)
"""Words of programs that may change the current folder, or leave files in it."""
_LIST_WORDS = frozenset("argv path warnings callbacks".split())
"""Words of programs that may change one of the interpreter's lists."""
_BUILTINS = dict(vars(builtins))
_DECIMALS = decimal.DefaultContext.copy()
_UMASK = 0o022
_RECURSION_LIMIT = sys.getrecursionlimit()


class Streams:
    """The standard streams of a program's process, over all of its cases.

    Args:
        output: bytes that one case may print.
        several: whether there are several cases.
    """

    def __init__(self, output: int, several: bool):
        self._output = output
        # In case the program closes the first ones.
        self._kept = [os.dup(number) for number in range(3)] if several else []
        self._stderr: Any = sys.stderr

    def sizes(self) -> tuple[int, int]:
        """Return how many bytes of standard output and standard error there are."""
        return os.fstat(self._kept[1]).st_size, os.fstat(self._kept[2]).st_size

    def renew(self, all_of_them: bool) -> None:
        """Give the next case fresh streams; those that no program can have lost only if `all_of_them`."""
        if all_of_them:
            for number, kept in enumerate(self._kept):
                os.dup2(kept, number)
            if sys.stderr is not self._stderr or self._stderr.closed:
                raw = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
                self._stderr = io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True)
                sys.stderr = sys.__stderr__ = self._stderr
        sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
        out = io.BufferedWriter(io.FileIO(1, "w", closefd=False))
        sys.stdout = sys.__stdout__ = io.TextIOWrapper(out, "utf-8")

    def feed(self, blob: int, offset: int, length: int) -> None:
        """Put an input into standard input's file, and let the outputs grow by what one case may print."""
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
        self.allow(hard=hard)

    def allow(self, *descriptors: int, hard: int = 0) -> None:
        """Let both outputs and these files grow by as much as one case may print."""
        hard = hard or resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        written = max(
            os.lseek(number, 0, os.SEEK_END) for number in (*(self._kept[1:] or (1, 2)), *descriptors)
        )
        resource.setrlimit(resource.RLIMIT_FSIZE, (min(written + self._output + 1, hard), hard))


class FirstState:
    """What a program finds in its process when it starts, and may change outside its own globals.

    Args:
        code: the program's source; only what it mentions is put back.
    """

    def __init__(self, code: str):
        words = set(_WORD.findall(code))
        self._mentions = words.__contains__
        self._environment = dict(os.environ) if "environ" in words else None
        self._folder = os.getcwd() if words & _FILE_WORDS else None
        self._streams = bool(words & _STREAM_WORDS)
        lists: tuple[Any, ...] = (sys.argv, sys.path, warnings.filters, gc.callbacks)
        self._lists: list[tuple[Any, list[Any]]] = (
            [(kept, list(kept)) for kept in lists] if words & _LIST_WORDS else []
        )
        numpy: Any = sys.modules.get("numpy") if "numpy" in words else None
        self._numpy = None if numpy is None else (numpy, numpy.get_printoptions(), numpy.geterr())
        # An attribute that a program sets on a module of Python's is still there in its next case.
        self._modules = (
            [
                (module, dict(vars(module)))
                for name, module in list(sys.modules.items())
                if name in words and name != "builtins"
            ]
            if _SETS.search(code)
            else []
        )

    def restore(self, streams: "Streams", reads: bool) -> None:
        """Put everything back for the next case; `reads`: whether it gets an input, and its output counts."""
        mentions = self._mentions
        if (mentions("builtins") or mentions("__builtins__")) and builtins.__dict__ != _BUILTINS:
            builtins.__dict__.clear()
            builtins.__dict__.update(_BUILTINS)
        for module, attributes in self._modules:
            if vars(module) != attributes:
                _reset(module, attributes)
        sys.excepthook = sys.__excepthook__
        sys.setrecursionlimit(_RECURSION_LIMIT)
        if mentions("settrace") or mentions("setprofile"):
            sys.settrace(None)
            sys.setprofile(None)
        if mentions("gc"):
            gc.enable()
        if mentions("random"):
            random.seed(0)
        if mentions("decimal"):
            for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
                setattr(decimal.DefaultContext, name, getattr(_DECIMALS, name))
            decimal.DefaultContext.traps = _DECIMALS.traps.copy()
            decimal.setcontext(_DECIMALS.copy())
        self._restore_settings()
        if mentions("weakref"):
            for flag in ("_registered_with_atexit", "_shutdown"):
                setattr(weakref.finalize, flag, False)
        if mentions("logging") and (logging := sys.modules.get("logging")):
            logging.root.handlers.clear()
            logging.root.setLevel(logging.WARNING)
            logging.root.manager.loggerDict.clear()
            logging.disable(logging.NOTSET)
        if mentions("signal"):
            for alarm in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
                signal.setitimer(alarm, 0)
        if self._environment is not None:
            os.environ.clear()
            os.environ.update(self._environment)
            time.tzset()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(self._folder)
                if os.listdir():
                    empty(self._folder)
        if reads or self._streams:
            streams.renew(all_of_them=self._streams)
            for module, attributes in self._modules:
                if module is sys:
                    attributes.update({name: getattr(sys, name) for name in _STREAM_NAMES})

    def _restore_settings(self) -> None:
        """Put back lists and settings of the interpreter and of libraries."""
        mentions = self._mentions
        for kept, content in self._lists:
            kept[:] = content
        if mentions("umask"):
            os.umask(_UMASK)
        if mentions("set_int_max_str_digits"):
            sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)
        if mentions("calendar") and (calendar := sys.modules.get("calendar")):
            calendar.setfirstweekday(0)
        if self._numpy is not None:
            numpy, printing, errors = self._numpy
            numpy.set_printoptions(**printing)
            numpy.seterr(**errors)


def _reset(module: ModuleType, attributes: dict[str, Any]) -> None:
    """Give a module its former attributes, and those submodules that have been imported since."""
    for name, value in list(vars(module).items()):
        if name not in attributes and not isinstance(value, ModuleType):
            delattr(module, name)
    vars(module).update(attributes)


def open_streams_by_path(code: str) -> None:
    """Make `open("/dev/stdin")` and the like work, which lead through /proc, where no program may read."""
    if not any(path in code for path in _STREAMS):
        return
    real, real_low = _BUILTINS["open"], os.open

    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        number = _number_of(file)
        return real(file if number is None else os.dup(number), *args, **kwargs)

    def opened_low(path: Any, *args: Any, **kwargs: Any) -> int:
        number = _number_of(path)
        return real_low(path, *args, **kwargs) if number is None else os.dup(number)

    builtins.open = io.open = opened
    if real_low.__module__ == "posix":
        os.open = opened_low


def _number_of(file: Any) -> int | None:
    """Return the number of the standard stream that a path names, or None."""
    try:
        return _STREAMS.get(os.fspath(file))
    except TypeError:  # not a path
        return None


class _Place:
    """Where programs run; the worker sets it before it forks the first one."""

    file = FILE
    """The path that programs find as their own."""


place = _Place()


# These two are called by every program. They are written out because each object that a program touches costs
# it a page of memory: a pattern or a loop would cost more than all of the searches.
def may_ask(code: str) -> bool:
    """Return whether a program may ask for what `prepare` prepares."""
    return "/dev/" in code or "/proc/" in code or "signal" in code or "inspect" in code or "__file__" in code


def may_leave_streams(code: str) -> bool:
    """Return whether a program may leave a stream open, or print while its objects are destroyed."""
    return (
        "open(" in code
        or "Wrapper" in code
        or "Writer" in code
        or "FileIO" in code
        or "__del__" in code
        or "finalize(" in code
        or "ctypes" in code
    )


def prepare(code: str) -> None:
    """Prepare what a program asks for: streams by path, its own source, the handler of interrupts."""
    open_streams_by_path(code)
    if "inspect" in code:
        linecache.cache[FILE] = (len(code), None, code.splitlines(keepends=True), FILE)
    if "__file__" in code and "open(" in code:
        with contextlib.suppress(OSError), _BUILTINS["open"](place.file, "w") as copy:
            copy.write(code)
    if "signal" in code:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # which the worker does without


def flush_c_streams() -> None:
    """Flush what C code has printed, such as a library that was called by ctypes."""
    if ctypes := sys.modules.get("ctypes"):
        ctypes.CDLL(None).fflush(None)
