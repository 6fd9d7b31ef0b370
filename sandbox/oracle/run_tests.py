"""Running tests against a program, in the tests' own process or in the program's.

The tests' own process holds none of the program's code: there the tests use stand-ins (`stand_ins.py`) that
call the program (`tests_side.py`), which cannot reach the tests. In shared mode, which must be asked for,
they use the program's own module in its own process, where the program can read and change them.
"""

import ast
import builtins
import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any

from ..wire.records import TESTS, Records
from .guard import guard
from .instrument import Comparisons, instrumented
from .lent_objects import PROMPT
from .names import (
    ProgramFinder,
    comparing_functions,
    dependent_names,
    imports_of,
    judging_names,
    names_bound_in,
    used_libraries,
)
from .readings import is_plain
from .recorder import Recorder
from .runners import FILE, RUNNERS, Suite
from .stand_ins import StandIn
from .tests_side import Program, ProgramEndedError


def run_beside_program(job: dict[str, Any], descriptor: int, records: Records) -> int:
    """Run tests against a program in another process; return the exit status.

    Args:
        job: `kind` (asserts, unittest, pytest); `code`, the tests' module, or the code before the asserts;
            `asserts`; `only`, the places of the asserts to run; `skip`, how many other tests to leave out;
            `names`, functions of the program that the tests call although they have a built-in's name; and
            `prelude`, the code that the prompt gives to the program, and `given`, its functions.
        descriptor: socket to the program's process.
        records: the file for the outcome of each test.
    """
    os.environ["HOME"] = "/nonexistent"  # the worker's home is where the program may write
    null = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    sources = (job["code"], *job["asserts"])
    with_arrays = any("numpy" in source or "np." in source for source in sources)
    program = Program(descriptor, with_arrays=with_arrays)
    try:
        names, failed = program.names()
    except ProgramEndedError:
        return 1
    if failed is not None:
        kind, error = failed
        records.failed(error, kind)
        return 1
    guard(program.refuse, FILE, lambda: program.turns)
    return _run(job, _Solution(program, names), names, records, program)


def run_in_program(job: dict[str, Any], module: ModuleType, records: Records) -> int:
    """Run tests in the program's own process, where it can manipulate them; return the exit status."""
    names = {name: value for name, value in vars(module).items() if not name.startswith("__")}
    return _run(job, module, names, records, None)


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


def _run(
    job: dict[str, Any],
    solution: ModuleType,
    names: Mapping[str, Any],
    records: Records,
    program: Program | None,
) -> int:
    """Run tests, which see the program's names as their own and can import it under any name."""
    trees = [ast.parse(source) for source in (job["code"], *job["asserts"])]
    dependent = dependent_names(trees, names)
    libraries = used_libraries(trees, names)
    program_modules, library_names = imports_of(trees, dependent)
    own = [name for name in names if not hasattr(builtins, name)]
    given = {} if program is None else _given(job, names, judging_names(trees, dependent))
    # `from solution import *` must not replace what the tests judge with, such as `abs` or `math`.
    judging = {*libraries, *library_names, *given}
    solution.__dict__["__all__"] = [name for name in own if name[0] != "_" and name not in judging]
    solution.__dict__.update(given)
    sys.meta_path.append(ProgramFinder(solution, program_modules))
    seen = {*own, *(name for name in job["names"] if name in names)}
    visible = {**{name: names[name] for name in seen}, **libraries, **given}
    comparisons = None
    may_skip = frozenset(_always_skipped(trees, dependent))
    comparing = frozenset(comparing_functions(trees[0]))
    if program is not None:
        comparisons = Comparisons(program.originals)
        visible |= comparisons.names()
        bound = names_bound_in(trees)
        trees = [instrumented(tree, dependent - set(given), bound) for tree in trees]
    suite = Suite(
        trees[0],
        {place: (job["asserts"][place], trees[1 + place]) for place in job["only"]},
        visible,
        _live(program, names, visible),
        job["skip"],
        comparing,
        may_skip,
        frozenset(_decorated(trees, dependent)),
    )
    try:
        RUNNERS[job["kind"]](suite, Recorder(records, program, comparisons))
    except ProgramEndedError:
        return 1
    except BaseException as error:
        records.failed(error, TESTS)
        return 1
    return 0


def _live(
    program: Program | None, names: Mapping[str, Any], visible: Mapping[str, Any]
) -> dict[str, Callable[[], Any]]:
    """Return functions that read the program's plain values, by name."""
    if program is None:
        return {}
    plain = [name for name in names if is_plain(names[name]) and visible.get(name) is names[name]]
    return {name: partial(program.get, 0, name) for name in plain}


def _given(job: dict[str, Any], names: Mapping[str, Any], judging: Collection[str]) -> dict[str, Any]:
    """Return what the prompt defines: the tests use this, whatever the program has made of it.

    `judging` are the functions with which the tests judge values of the program: those count too that the
    prompt imports with a star.
    """
    namespace: dict[str, Any] = {"__name__": PROMPT}
    stars = "import *" in job["prelude"]
    if not (job["given"] or stars):
        return {}
    with contextlib.suppress(ImportError):  # the program could not be defined either
        exec(compile(job["prelude"], f"{PROMPT}.py", "exec", dont_inherit=True), namespace)
    # Objects of the prompt's classes are made in the program's process, where the program can use them.
    namespace |= {name: names[name] for name in job["classes"] if name in names}
    wanted = {*job["given"], *(name for name in judging if stars and callable(namespace.get(name)))}
    is_ours = {name: getattr(namespace.get(name), "__module__", None) == PROMPT for name in wanted}
    return {
        name: namespace[name]
        for name in wanted
        if name in namespace and (name in job["given"] or not is_ours[name])
    }


def _always_skipped(trees: Sequence[ast.Module], dependent: Collection[str]) -> Iterator[str]:
    """Yield the functions and classes of tests that are skipped whatever the program does."""
    for node, decorator, used in _decorators(trees):
        if "skip" in ast.unparse(decorator).partition("(")[0].lower() and not used & set(dependent):
            yield node.name


def _decorated(trees: Sequence[ast.Module], dependent: Collection[str]) -> Iterator[str]:
    """Yield the functions and classes of tests with a decorator that depends on the program."""
    for node, _, used in _decorators(trees):
        if used & set(dependent):
            yield node.name


def _decorators(trees: Sequence[ast.Module]) -> Iterator[tuple[Any, ast.expr, set[str]]]:
    """Yield each decorated function or class, its decorator, and the names that this uses."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for decorator in node.decorator_list:
                    yield node, decorator, {n.id for n in ast.walk(decorator) if isinstance(n, ast.Name)}
