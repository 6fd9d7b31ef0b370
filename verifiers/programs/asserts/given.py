"""What a prompt gives to a program belongs to the side of the tests, and a program cannot redefine it there.

HumanEval's prompts, for example, hold helpers such as `poly`, with which the tests judge what the program
returns. A prompt also holds the function to complete, with an empty body, which is the program's to define.
"""

import ast
import builtins
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ....sandbox.oracle_client import NOTHING_GIVEN, Given
from ..parse import parse


@lru_cache(maxsize=1024)
def given_by(prelude: str, tests: tuple[str, ...]) -> Given:
    """Return what a prelude defines and tests use.

    A function that is the only name of the program that the tests use is what they test, so it is not given.

    Args:
        prelude: source that runs before the program.
        tests: sources of the tests.
    """
    nodes = _body(prelude)
    if not nodes:
        return NOTHING_GIVEN
    names = [node for source in tests for node in ast.walk(_tree(source)) if isinstance(node, ast.Name)]
    used = {node.id for node in names}
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    helpers = {node.name for node in functions if not _is_empty(node)} & used
    values = {name for node in nodes for name in _bound_by(node)} & used
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    classes = classes if helpers else classes & used
    own = {name for source in tests for name in _defined_in(_tree(source))}
    own |= {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    tested = {name for name in used - own - helpers - values - classes if not hasattr(builtins, name)}
    return Given(tuple(sorted((helpers | values) if tested else values)), tuple(sorted(classes)))


def _bound_by(node: ast.stmt) -> set[str]:
    """Return the names that an import or an assignment binds; none for `from math import *`."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names} - {"*"}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return {
            inner.id
            for inner in ast.walk(node)
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load)
        }
    return set()


def _defined_in(tree: ast.Module) -> set[str]:
    """Return the functions, classes, arguments and imports of tests."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Import):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def _tree(source: str) -> ast.Module:
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _body(source: str) -> Sequence[ast.stmt]:
    return list(_flat(_tree(source).body)) if source else ()


def _flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, and those in its `if` and `try`."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _flat([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handlers = [inner for handler in node.handlers for inner in handler.body]
            yield from _flat([*node.body, *handlers, *node.orelse, *node.finalbody])


def _is_empty(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function has nothing but a docstring, `pass` or `...`."""
    return all(
        isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )
