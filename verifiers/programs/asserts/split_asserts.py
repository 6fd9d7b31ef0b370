"""Splitting asserts by their syntax tree, so that the program's process never sees what is expected.

`assert sorted(f([2, 1])) == [1, 2]` becomes a call, `f([2, 1])`, which is sent to the program, and a
condition on its answer, `sorted(ANSWER) == [1, 2]`, which is evaluated on our side. Asserts that cannot be
split run in a separate test process that calls the program (`sandbox/oracle/run_tests.py`).
"""

import ast
import builtins
import copy
import marshal
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ....sandbox.errors import TaskError
from ....sandbox.oracle_client import Given
from ....sandbox.wire.codec import encode
from ..judge_answers import Rule
from ..parse import parse
from .given import given_by
from .inline_check import inlined_check
from .judging_cost import Cost, cost_of
from .safe_eval import FUNCTIONS, MODULES, OutsideError, check, evaluate

Call = tuple[str, bytes]
"""A call that is sent to the program: an entry (`f` or `Solution().f`) and its packed (args, kwargs)."""


def packed_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    r"""Return arguments in the form in which they are sent to the program.

    This form is that of marshal or, for types that marshal does not have (such as dates and decimals), a zero
    byte followed by the codec's text.

    Raises:
        NotPlainError: an argument is not plain data.
    """
    try:
        return marshal.dumps((tuple(args), dict(kwargs)))
    except ValueError:
        return b"\0" + encode((tuple(args), dict(kwargs))).encode()


@dataclass(frozen=True)
class Split:
    """One assert in two parts: the calls that the program answers, and the condition on the answers."""

    calls: tuple[Call, ...]
    """The calls that are sent to the program."""
    rule: Rule
    """Decides whether the answers, one per call, satisfy the assert."""
    expected: str = ""
    """The value that the only answer must equal, as text; empty if the assert is not such an equality."""


@dataclass(frozen=True)
class AssertPlan:
    """How a list of asserts will be judged."""

    asserts: tuple[str, ...]
    """The source of each assert; an inlined `check(f)` is listed as the asserts in its definition."""
    setup: str
    """Source that runs before the asserts, without a `check` that was inlined."""
    prelude: str
    """The imports of the setup, which programs of some data sets rely on."""
    splits: tuple[Split | None, ...]
    """One per assert; None if it cannot be split."""
    called: tuple[str, ...]
    """The program's functions and classes that the asserts call."""
    given: Given
    """What the prompt gives, and the program cannot redefine to its gain."""


_PASSIVE = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
"""Statements of a setup that only define names, and so have no effects."""


@lru_cache(maxsize=4096)
def plan_asserts(asserts: tuple[str, ...], setup: str, prelude: str = "") -> AssertPlan:
    """Split every assert that can be split.

    Raises:
        TaskError: the setup or an assert is not Python, or an assert is empty.
    """
    setup_tree = _parsed(setup, "setup")
    bodies = [_parsed(source, f"assert {number}") for number, source in enumerate(asserts, 1)]
    for number, (source, body) in enumerate(zip(asserts, bodies, strict=True), 1):
        if not body.body:
            raise TaskError(f"assert {number} is empty: {source!r}; write a statement or drop it")
    inlined = inlined_check(setup_tree, bodies)
    if inlined is not None:
        setup_tree, bodies = inlined
        asserts = tuple(ast.unparse(body) for body in bodies)
        setup = ast.unparse(setup_tree)
    names, own, imports = _names_of_setup(setup_tree)
    known = "\n".join(ast.unparse(node) for node in setup_tree.body if _is_known_import(node))
    given = given_by(prelude, (setup, *asserts))
    program = _called_names(bodies, names, own | set(given.names))
    # A setup that calls something may have effects on which the asserts rely: then nothing is split.
    is_passive = all(isinstance(node, _PASSIVE) or _calls_nothing(node) for node in setup_tree.body)
    if is_passive:
        splits = tuple(_split(body, names, program, known) for body in bodies)
    else:
        splits = (None,) * len(bodies)
    return AssertPlan(asserts, setup, "\n".join(imports), splits, tuple(sorted(program)), given)


def _parsed(source: str, what: str) -> ast.Module:
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TaskError(f"{what} is not Python: {error}, in {source[:200]!r}") from error


def _calls_nothing(node: ast.stmt) -> bool:
    """Return whether a statement is an assignment or expression without calls or subscripts."""
    if not isinstance(node, ast.Assign | ast.Expr):
        return False
    return not any(isinstance(inner, ast.Call | ast.Await | ast.Subscript) for inner in ast.walk(node))


def _names_of_setup(setup: ast.Module) -> tuple[dict[str, Any], set[str], list[str]]:
    """Return the names that `safe_eval` knows, the names that the setup defines itself, and its imports.

    A name that the setup defines itself hides the meaning that it has in `safe_eval`. An import of anything
    outside `MODULES` counts as such a definition.
    """
    names: dict[str, Any] = {**FUNCTIONS, "math": MODULES["math"]}
    own: set[str] = set()
    imports = [ast.unparse(node) for node in setup.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in ast.walk(setup):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                meaning = _imported(node, alias)
                if meaning is None:
                    own.add(name)
                else:
                    own.discard(name)
                    names[name] = meaning
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
    return {name: meaning for name, meaning in names.items() if name not in own}, own, imports


def _is_known_import(node: ast.stmt) -> bool:
    """Return whether a statement imports nothing but modules and functions in `MODULES`."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return False
    return all(_imported(node, alias) is not None for alias in node.names)


def _imported(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> Any:
    """Return the module or function that an import names; None if it is not in `MODULES`."""
    if isinstance(node, ast.Import):
        return MODULES.get(alias.name)
    return MODULES.get(node.module or "", {}).get(alias.name)


def _called_names(bodies: Sequence[ast.Module], names: Mapping[str, Any], own: set[str]) -> set[str]:
    """Return the names of the program that the asserts call.

    If the asserts call nothing but built-ins (`assert sum(10, 15) == 25`), the program must have redefined
    one of them: the one that forms a whole side of an equality.
    """
    called = {
        node.func.id
        for body in bodies
        for node in ast.walk(body)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    program = {name for name in called if not hasattr(builtins, name)} - set(names) - own
    if program or own:
        return program
    redefined = (_redefined_builtin(body) for body in bodies)
    return {name for name in redefined if name is not None}


def _redefined_builtin(body: ast.Module) -> str | None:
    """Return the built-in that a whole side of a comparison calls with plain arguments, or None."""
    statement = body.body[0]
    if not (isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare)):
        return None
    for side in (statement.test.left, *statement.test.comparators):
        if isinstance(side, ast.Call) and isinstance(side.func, ast.Name):
            inner = (node for argument in side.args for node in ast.walk(argument))
            is_plain = not any(isinstance(node, ast.Call | ast.Name) for node in inner)
            if is_plain and hasattr(builtins, side.func.id):
                return side.func.id
    return None


def _split(body: ast.Module, names: Mapping[str, Any], program: set[str], imports: str) -> Split | None:
    """Return an assert's split; None if it is not one assert, or has parts that we cannot evaluate."""
    if len(body.body) != 1 or not isinstance(body.body[0], ast.Assert):
        return None
    test = body.body[0].test
    known_names = {name: meaning for name, meaning in names.items() if name not in program}
    found: dict[ast.expr, Call] = {}
    try:
        _collect_calls(test, known_names, program, found)
        check(test, dict.fromkeys(found), known_names)
    except (OutsideError, RecursionError):
        return None
    if not found or _may_skip_a_call(test, found):
        return None
    nodes = tuple(found)

    def holds(answers: Sequence[Any]) -> bool:
        # As in Python, an assert that raises has failed; the judge of answers sees to that.
        return bool(evaluate(test, dict(zip(nodes, answers, strict=True)), known_names))

    cost = cost_of(test, frozenset(found), known_names)
    rule = Rule(
        None if cost is Cost.UNBOUNDED else holds,
        cost is Cost.BOUNDED_IF_SIMPLE,
        _source(test, nodes, imports),
    )
    return Split(tuple(found.values()), rule, _expected(test, found, known_names))


def _may_skip_a_call(test: ast.expr, found: Collection[ast.expr]) -> bool:
    """Return whether the assert may hold although a call is not made, as in `not f(x) or g(x)`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_may_skip_a_call(part, found) for part in test.values)
    for node in ast.walk(test):
        later: Sequence[ast.expr] = ()
        if isinstance(node, ast.BoolOp):
            later = node.values[1:]
        elif isinstance(node, ast.IfExp):
            later = (node.body, node.orelse)
        if any(inner in found for part in later for inner in ast.walk(part)):
            return True
    return False


def _source(test: ast.expr, nodes: Sequence[ast.expr], imports: str) -> str:
    """Return source that defines `holds(answers)`, which evaluates the assert as Python does."""
    condition = ast.unparse(_Answers(nodes).visit(copy.deepcopy(test, {id(node): node for node in nodes})))
    return f"import math\n{imports}\ndef holds(answers):\n    return bool({condition})\n"


class _Answers(ast.NodeTransformer):
    """Replaces each of some calls by an item of the list `answers`."""

    def __init__(self, calls: Sequence[ast.expr]):
        self._places = {call: place for place, call in enumerate(calls)}

    def visit_Call(self, node: ast.Call) -> Any:
        if node not in self._places:
            return self.generic_visit(node)
        return ast.Subscript(ast.Name("answers", ast.Load()), ast.Constant(self._places[node]), ast.Load())


def _collect_calls(
    node: ast.AST, names: Mapping[str, Any], program: set[str], found: dict[ast.expr, Call]
) -> None:
    """Add to `found` the calls that go to the program; their arguments must be plain values.

    Raises:
        OutsideError: a call has other arguments.
    """
    entry = _entry(node, program) if isinstance(node, ast.Call) else None
    if isinstance(node, ast.Call) and entry is not None:
        found[node] = (entry, _packed_arguments_of(node, names))
        return
    for child in ast.iter_child_nodes(node):
        _collect_calls(child, names, program, found)


def _packed_arguments_of(call: ast.Call, names: Mapping[str, Any]) -> bytes:
    try:
        if any(keyword.arg is None for keyword in call.keywords):
            raise OutsideError("**")
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            check(argument, {}, names)
        kwargs = {str(keyword.arg): evaluate(keyword.value, {}, names) for keyword in call.keywords}
        args = [evaluate(argument, {}, names) for argument in call.args]
        return packed_arguments(args, kwargs)
    except OutsideError:
        raise
    except Exception as error:  # the expression raises in Python, or its value is not plain data
        raise OutsideError(str(error)) from error


def _entry(call: ast.Call, program: set[str]) -> str | None:
    """Return `f` for `f(...)` and `C().m` for `C().m(...)`; None if the call does not go to the program."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id if function.id in program else None
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call)):
        return None
    instance = function.value
    if not isinstance(instance.func, ast.Name) or instance.func.id not in program:
        return None
    if instance.args or instance.keywords:
        return None
    return f"{instance.func.id}().{function.attr}"


def _expected(test: ast.expr, found: Mapping[ast.expr, Call], names: Mapping[str, Any]) -> str:
    """Return what `Split.expected` describes: `True` for a bare `assert f(...)`, `4` for `f(...) == 4`."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return "True" if test in found else ""
    left, right = test.left, test.comparators[0]
    for answer, other in ((left, right), (right, left)):
        if answer in found and other not in found:
            try:
                return repr(evaluate(other, {}, names))
            except Exception:
                return ""
    return ""
