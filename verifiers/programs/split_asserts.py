"""Splitting asserts by their syntax tree, so that the program's process never sees what is expected.

`assert sorted(f([2, 1])) == [1, 2]` becomes a call, `f([2, 1])`, which goes to the program, and a
question about its answer, `sorted(ANSWER) == [1, 2]`, which stays here. What cannot be split so is
left to a process that runs the tests and calls the program (`sandbox/checker.py`).
"""

import ast
import builtins
import marshal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...sandbox.errors import TaskError
from ...sandbox.wire.codec import encode
from .parse import parse
from .safe_eval import FUNCTIONS, MODULES, OutsideError, check, evaluate

Call = tuple[str, bytes]
"""An entry, and its marshalled (args, kwargs)."""


def packed_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """Return arguments as they go to the program.

    Raises:
        ValueError: they are no plain data.
    """
    try:
        return marshal.dumps((tuple(args), dict(kwargs)))
    except ValueError:  # what marshal does not know: a date, a Decimal
        return b"\0" + encode((tuple(args), dict(kwargs))).encode()


@dataclass(frozen=True)
class Split:
    """An assert in two parts."""

    calls: tuple[Call, ...]
    """What the program is asked."""
    holds: Callable[[Sequence[Any]], bool]
    """Whether its answers, one a call, are right; never raises."""
    expected: str = ""
    """What a single answer is compared with, as text; empty where it is no plain equality."""


@dataclass(frozen=True)
class AssertPlan:
    """Asserts, each with its split if it has one."""

    asserts: tuple[str, ...]
    setup: str
    prelude: str
    """Imports of the setup, which the program too may count on."""
    splits: tuple[Split | None, ...]
    called: tuple[str, ...]
    """Names of the program's that are called."""


@lru_cache(maxsize=4096)
def plan_asserts(asserts: tuple[str, ...], setup: str) -> AssertPlan:
    """Split what can be split.

    Raises:
        TaskError: setup or an assert is not Python, or is no test.
    """
    tree = _parsed(setup, "setup")
    bodies = [_parsed(source, f"assert {i + 1}") for i, source in enumerate(asserts)]
    for i, body in enumerate(bodies):
        if not body.body:
            raise TaskError(f"tests: assert {i + 1} is empty (given: {asserts[i]!r})")
    inlined = _inlined(tree, bodies)
    if inlined is not None:
        tree, bodies = inlined
        asserts = tuple(ast.unparse(body) for body in bodies)
        setup = ast.unparse(tree)
    names, own, imports = _names(tree)
    program = _called_names(bodies, names, own)
    plain = all(isinstance(node, _DEFINING) or _is_literal(node) for node in tree.body)
    splits = tuple(_split(body, names, own, program) if plain else None for body in bodies)
    return AssertPlan(asserts, setup, "\n".join(imports), splits, tuple(sorted(program)))


def _parsed(source: str, what: str) -> ast.Module:
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TaskError(f"tests: {what} is not Python: {error} (given: {source[:200]!r})") from error


_DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
"""What a setup may hold that does nothing by itself."""


def _is_literal(node: ast.stmt) -> bool:
    if not isinstance(node, ast.Assign | ast.Expr):
        return False
    return not any(isinstance(inner, ast.Call | ast.Await | ast.Subscript) for inner in ast.walk(node))


def _names(setup: ast.Module) -> tuple[dict[str, Any], set[str], list[str]]:
    """Return names with a known meaning, names that the setup gives another one, and its imports."""
    names: dict[str, Any] = {**FUNCTIONS, "math": MODULES["math"]}
    own: set[str] = set()
    imports = [ast.unparse(node) for node in setup.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in ast.walk(setup):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                module = MODULES.get(node.module or "") if isinstance(node, ast.ImportFrom) else None
                known = (
                    MODULES.get(alias.name)
                    if isinstance(node, ast.Import)
                    else (module or {}).get(alias.name)
                )
                own.discard(name)
                if known is None:
                    own.add(name)
                else:
                    names[name] = known
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    return {name: value for name, value in names.items() if name not in own}, own, imports


def _called_names(bodies: Sequence[ast.Module], names: dict[str, Any], own: set[str]) -> set[str]:
    """Return the names of the program's that are called.

    Where every call has a built-in's name (`assert sum(10, 15) == 25`), the program has redefined the
    outermost.
    """
    called = [
        node.func.id
        for body in bodies
        for node in ast.walk(body)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    program = {name for name in called if not hasattr(builtins, name)} - set(names) - own
    return program or ({name for body in bodies for name in _redefined(body)} if not own else set())


def _redefined(body: ast.Module) -> Iterator[str]:
    """Yield the built-in's name that a whole side of an equality calls, with plain arguments."""
    test = body.body[0].test if isinstance(body.body[0], ast.Assert) else None
    for side in (test.left, *test.comparators) if isinstance(test, ast.Compare) else ():
        if isinstance(side, ast.Call) and isinstance(called := side.func, ast.Name):
            inner = (node for argument in side.args for node in ast.walk(argument))
            if hasattr(builtins, called.id) and not any(isinstance(n, ast.Call | ast.Name) for n in inner):
                yield called.id
                return


def _split(body: ast.Module, names: dict[str, Any], own: set[str], program: set[str]) -> Split | None:
    if len(body.body) != 1 or not isinstance(test := body.body[0], ast.Assert):
        return None
    known_names = {name: value for name, value in names.items() if name not in program}
    found: dict[ast.expr, Call] = {}
    try:
        _collect(test.test, known_names, program, found)
        check(test.test, dict.fromkeys(found), known_names)
    except (OutsideError, RecursionError):
        return None
    if not found:
        return None
    calls, nodes = tuple(found.values()), tuple(found)

    def holds(answers: Sequence[Any]) -> bool:
        try:
            return bool(evaluate(test.test, dict(zip(nodes, answers, strict=True)), known_names))
        except Exception:
            return False

    return Split(calls, holds, _expected(test.test, found, known_names))


def _collect(node: ast.AST, names: dict[str, Any], program: set[str], found: dict[ast.expr, Call]) -> None:
    """Find the calls that go to the program; their arguments must be plain values.

    Raises:
        OutsideError: one has others.
    """
    if isinstance(node, ast.Call) and (entry := _entry(node, program)):
        try:
            if any(keyword.arg is None for keyword in node.keywords):
                raise OutsideError("**")
            for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                check(argument, {}, names)
            kwargs = {str(keyword.arg): evaluate(keyword.value, {}, names) for keyword in node.keywords}
            args = tuple(evaluate(arg, {}, names) for arg in node.args)
            found[node] = (entry, packed_arguments(args, kwargs))
        except OutsideError:
            raise
        except Exception as error:  # what Python itself refuses, and what is not plain
            raise OutsideError(str(error)) from error
        return
    for child in ast.iter_child_nodes(node):
        _collect(child, names, program, found)


def _entry(call: ast.Call, program: set[str]) -> str | None:
    """Return `f` for f(...), `C().m` for C().m(...), None for what is not the program's."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id if function.id in program else None
    if isinstance(function, ast.Attribute) and isinstance(made := function.value, ast.Call):
        bare = (
            isinstance(made.func, ast.Name)
            and made.func.id in program
            and not made.args
            and not made.keywords
        )
        return f"{made.func.id}().{function.attr}" if bare and isinstance(made.func, ast.Name) else None
    return None


def _expected(test: ast.expr, found: dict[ast.expr, Call], names: dict[str, Any]) -> str:
    """Return what the only answer is compared with by ==, as text."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return "True" if test in found else ""
    sides = (test.left, test.comparators[0])
    for answer, other in (sides, sides[::-1]):
        if answer in found and other not in found:
            try:
                return repr(evaluate(other, {}, names))
            except Exception:
                return ""
    return ""


def _inlined(setup: ast.Module, bodies: Sequence[ast.Module]) -> tuple[ast.Module, list[ast.Module]] | None:
    """Turn a single `check(f)` into the asserts of `def check(candidate)`, if it has nothing else."""
    if len(bodies) != 1 or len(bodies[0].body) != 1 or not isinstance(said := bodies[0].body[0], ast.Expr):
        return None
    call = said.value
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and len(call.args) == 1):
        return None
    name, given = call.func.id, call.args[0]
    defined = [
        n for n in setup.body if isinstance(n, ast.FunctionDef) and n.name == name and len(n.args.args) == 1
    ]
    if len(defined) != 1 or not isinstance(given, ast.Name):
        return None
    statements = [
        n for n in defined[0].body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
    ]
    if not statements or not all(isinstance(n, ast.Assert) for n in statements):
        return None
    renamed = _Renamed(defined[0].args.args[0].arg, given.id)
    rest = ast.Module([node for node in setup.body if node is not defined[0]], [])
    made = [ast.Module([renamed.visit(statement)], []) for statement in statements]
    return rest, made


class _Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str):
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self.new, node.ctx), node) if node.id == self.old else node
