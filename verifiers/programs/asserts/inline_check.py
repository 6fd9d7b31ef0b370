"""Replacing HumanEval's `check(f)` by the asserts in its definition, so that they can be split."""

import ast
from collections.abc import Sequence


def inlined_check(
    setup: ast.Module, bodies: Sequence[ast.Module]
) -> tuple[ast.Module, list[ast.Module]] | None:
    """Return the setup without `def check(candidate)`, and its asserts with `f` in place of `candidate`.

    None if the only statement is not a call of such a function, or the function holds more than asserts.
    """
    name_and_argument = _check_call(bodies)
    if name_and_argument is None:
        return None
    name, given = name_and_argument
    definitions = [
        node
        for node in setup.body
        if isinstance(node, ast.FunctionDef) and node.name == name and len(node.args.args) == 1
    ]
    if len(definitions) != 1:
        return None
    definition = definitions[0]
    statements = [node for node in definition.body if not _is_docstring(node)]
    if not statements or not all(isinstance(node, ast.Assert) for node in statements):
        return None
    renamed = _Renamed(definition.args.args[0].arg, given)
    rest = ast.Module([node for node in setup.body if node is not definition], [])
    return rest, [ast.Module([renamed.visit(statement)], []) for statement in statements]


def _check_call(bodies: Sequence[ast.Module]) -> tuple[str, str] | None:
    """Return (`check`, `f`) if the only statement is `check(f)`."""
    if len(bodies) != 1 or len(bodies[0].body) != 1:
        return None
    statement = bodies[0].body[0]
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and len(call.args) == 1):
        return None
    argument = call.args[0]
    return (call.func.id, argument.id) if isinstance(argument, ast.Name) else None


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


class _Renamed(ast.NodeTransformer):
    """Replaces one name by another everywhere in a tree."""

    def __init__(self, old: str, new: str):
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self.new, node.ctx), node) if node.id == self.old else node
