"""Running tests against a program, in the tests' own process or in the program's.

The tests' own process holds none of the program's code: there the tests use stand-ins (`stand_ins.py`) that
call the program (`tests_side.py`), which cannot reach the tests. In shared mode, which must be asked for,
they use the program's own module in its own process, where the program can read and change them.
"""

import ast
import builtins
import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ..wire.records import TESTS, Records
from .imports import ProgramFinder, imports_of, used_libraries
from .recorder import Recorder
from .runners import RUNNERS
from .stand_ins import StandIn
from .tests_side import Program, ProgramEndedError


def run_beside_program(job: dict[str, Any], descriptor: int, records: Records) -> int:
    """Run tests against a program in another process; return the exit status.

    Args:
        job: `kind` (asserts, unittest, pytest); `code`, the tests' module, or the code before the asserts;
            `asserts`; `only`, the places of the asserts to run; and `names`, functions of the program that
            the tests call although they have a built-in's name.
        descriptor: socket to the program's process.
        records: the file for the outcome of each test.
    """
    os.environ["HOME"] = "/nonexistent"  # the worker's home is where the program may write
    null = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    program = Program(descriptor, records.note_program_cpu)
    try:
        names, failed = program.names()
    except ProgramEndedError:
        return 1
    if failed is not None:
        kind, error = failed
        records.failed(error, kind)
        return 1
    return _run(job, _Solution(program, names), names, Recorder(records, program))


def run_in_program(job: dict[str, Any], module: ModuleType, records: Records) -> int:
    """Run tests in the program's own process, where it can manipulate them; return the exit status."""
    names = {name: value for name, value in vars(module).items() if not name.startswith("__")}
    return _run(job, module, names, Recorder(records, None))


class _Solution(ModuleType):
    """The program as a module. Plain values are read at each use, since the program may change them."""

    def __init__(self, program: Program, names: Mapping[str, Any]):
        super().__init__("solution")
        stand_ins = {name: value for name, value in names.items() if isinstance(value, StandIn | type)}
        self.__dict__.update(stand_ins)
        self.__dict__["_markscheme"] = program, set(names)

    def __getattr__(self, name: str) -> Any:
        program, names = self.__dict__["_markscheme"]
        if name not in names:
            raise AttributeError(f"module 'solution' has no attribute {name!r}")
        return program.get(0, name)


def _run(job: dict[str, Any], solution: ModuleType, names: Mapping[str, Any], recorder: Recorder) -> int:
    """Run tests, which see the program's names as their own and can import it under any name."""
    trees = [ast.parse(source) for source in (job["code"], *job["asserts"])]
    libraries = used_libraries(trees, names)
    program_modules, library_names = imports_of(trees)
    own = [name for name in names if not hasattr(builtins, name)]
    # `from solution import *` must not replace what the tests judge with, such as `abs` or `math`.
    judging = {*libraries, *library_names}
    solution.__dict__["__all__"] = [name for name in own if name[0] != "_" and name not in judging]
    sys.meta_path.append(ProgramFinder(solution, program_modules))
    seen = {*own, *(name for name in job["names"] if name in names)}
    try:
        RUNNERS[job["kind"]](job, {**{name: names[name] for name in seen}, **libraries}, recorder)
    except ProgramEndedError:
        return 1
    except BaseException as error:
        recorder.records.failed(error, TESTS)
        return 1
    return 0
