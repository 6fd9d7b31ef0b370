"""Rewriting tests, so that a test passes only if it has compared something with a value of its own.

In plain Python, three kinds of test pass that say nothing about the program: one whose asserts stand in a
loop over an empty result, one that asks whether all items of an empty result are right, and one that computes
what it expects from an argument that the program has changed. The rewritten tests count what they compare,
refuse `assert all(...)` of nothing, and compute expected values from arguments as they were before the call.
"""

import ast
import contextlib
import copy
from collections.abc import Callable, Collection, Iterator, Sequence, Sized
from typing import Any

from .names import RAISES, loaded_names
from .readings import Originals

_COUNT, _FRESH = "_markscheme_compared", "_markscheme_original"
_NOTE, _FIELD, _ZIP = "_markscheme_noted", "_markscheme_field", "_markscheme_zip"
_ASKING = {"all": "_markscheme_all", "any": "_markscheme_any"}
_ADDED = frozenset((_COUNT, _FRESH, _NOTE, _FIELD, _ZIP, *_ASKING.values()))


class Comparisons:
    """What the tests have compared.

    Args:
        originals: the arguments that the program has changed.
    """

    def __init__(self, originals: Originals):
        self.count = 0
        self._originals = originals

    def names(self) -> dict[str, Any]:
        """Return what rewritten tests call, by the names that they use."""
        return {
            _COUNT: self._compared,
            _FRESH: self._original,
            _NOTE: self._noted,
            _FIELD: self._originals.field,
            _ZIP: _zip,
            _ASKING["all"]: lambda items: all(self._counted(items)),
            _ASKING["any"]: lambda items: any(self._counted(items)),
        }

    def _compared(self, value: Any = None) -> Any:
        """Count a comparison, and return the argument."""
        self.count += 1
        return value

    def _counted(self, items: Any) -> Iterator[Any]:
        for item in items:
            self.count += 1
            yield item

    def _original(self, weak: bool, expected: Callable[..., Any], *values: Any) -> Any:
        """Compute an expected value from arguments as they were before the program changed them."""
        originals = [self._originals.of(value, weak) for value in values]
        if all(one is other for one, other in zip(originals, values, strict=True)):
            return expected(*values)
        try:
            return expected(*originals)
        except Exception:  # it asks for something that is there only since the call
            return expected(*values)

    def _noted(self, value: Any, expected: Callable[..., Any], *values: Any) -> Any:
        """Return a value that a test assigns; remember what it would be of the original arguments."""
        originals = [self._originals.of(one) for one in values]
        if any(one is not other for one, other in zip(originals, values, strict=True)):
            with contextlib.suppress(Exception):
                self._originals.note(value, expected(*originals))
        return value


def _zip(given: Sequence[bool], *iterables: Any, **options: Any) -> Iterator[Any]:
    """Yield what zip() does, but fail if what the program gave ends before a list of the tests does.

    `given` says of each iterable whether it depends on the program.
    """
    iterators = [iter(iterable) for iterable in iterables]
    while iterators:
        row: list[Any] = []
        for place, iterator in enumerate(iterators):
            try:
                row.append(next(iterator))
            except StopIteration:
                others = [other for other in range(len(iterators)) if isinstance(iterables[other], Sized)]
                longer = [
                    other
                    for other in others
                    if not given[other] and (other < place or next(iterators[other], _END) is not _END)
                ]
                if options.get("strict") and (row or longer):
                    raise ValueError("zip() arguments have different lengths") from None
                if given[place] and longer:
                    raise AssertionError("the program gave fewer items than it is compared with") from None
                return
        yield tuple(row)


_END = object()


def instrumented(tree: ast.Module, dependent: Collection[str], bound: Collection[str]) -> ast.Module:
    """Return rewritten tests.

    Args:
        tree: the tests.
        dependent: the names whose values depend on the program.
        bound: the names that the tests define or import themselves, and that keep their meaning.
    """
    return ast.fix_missing_locations(_Rewriter(frozenset(dependent), frozenset(bound)).visit(tree))


class _Rewriter(ast.NodeTransformer):
    def __init__(self, dependent: frozenset[str], bound: frozenset[str]):
        self._dependent, self._bound = dependent, bound
        self._in_assert = False

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        if isinstance(node.test, ast.Constant):
            return node
        only_asks = self._only_asks(node.test)
        self._in_assert, before = True, self._in_assert
        self.generic_visit(node)
        self._in_assert = before
        if not only_asks:
            counted = ast.Call(ast.Name(_COUNT, ast.Load()), [], [])
            node.test = ast.copy_location(
                ast.BoolOp(ast.And(), [ast.UnaryOp(ast.Not(), counted), node.test]), node.test
            )
        return node

    def _only_asks(self, test: ast.expr) -> bool:
        """Have `all` and `any` count the items that they ask about; return whether a test only does that."""
        if isinstance(test, ast.UnaryOp):
            return isinstance(test.op, ast.Not) and self._only_asks(test.operand)
        if isinstance(test, ast.BoolOp):
            asks = [self._only_asks(value) for value in test.values]  # each is rewritten
            return all(asks)
        name = test.func.id if isinstance(test, ast.Call) and isinstance(test.func, ast.Name) else ""
        if (
            name in self._bound
            or name not in _ASKING
            or not isinstance(test, ast.Call)
            or len(test.args) != 1
        ):
            return False
        test.func = ast.copy_location(ast.Name(_ASKING[name], ast.Load()), test.func)
        return True

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        self.generic_visit(node)
        if not loaded_names(node.value) & self._dependent and isinstance(
            node.value, ast.Call | ast.Subscript
        ):
            moved = self._moved(node.value)
            if moved is not None:
                call = ast.Call(ast.Name(_NOTE, ast.Load()), [node.value, *moved], [])
                node.value = ast.copy_location(call, node.value)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        node.iter = self._compared_zip(node.iter)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        self.generic_visit(node)
        node.iter = self._compared_zip(node.iter)
        return node

    def _compared_zip(self, iterable: ast.expr) -> ast.expr:
        """Have a zip over something of the program and something of the tests notice which one is shorter."""
        is_zip = (
            isinstance(iterable, ast.Call)
            and isinstance(iterable.func, ast.Name)
            and iterable.func.id == "zip"
        )
        if not is_zip or not isinstance(iterable, ast.Call) or "zip" in self._bound:
            return iterable
        given = [bool(loaded_names(argument) & self._dependent) for argument in iterable.args]
        if (
            all(given)
            or not any(given)
            or any(isinstance(argument, ast.Starred) for argument in iterable.args)
        ):
            return iterable
        mask = ast.Tuple([ast.Constant(one) for one in given], ast.Load())
        call = ast.Call(ast.Name(_ZIP, ast.Load()), [mask, *iterable.args], iterable.keywords)
        return ast.copy_location(call, iterable)

    def visit_Compare(self, node: ast.Compare) -> ast.Compare:
        self.generic_visit(node)
        if all(isinstance(operation, ast.Eq | ast.NotEq) for operation in node.ops):
            node.left, node.comparators[0] = self._with_originals(node.left, node.comparators[0])
            for place in range(1, len(node.comparators)):
                node.comparators[place] = self._with_originals(node.left, node.comparators[place])[1]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
        self.generic_visit(node)
        if self._in_assert and isinstance(node.op, ast.Sub):
            node.left, node.right = self._with_originals(node.left, node.right)
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        judges = name.startswith("assert") or name in RAISES
        only_asks = name == "assertTrue" and bool(node.args) and self._only_asks(node.args[0])
        self._in_assert, before = self._in_assert or judges, self._in_assert
        self.generic_visit(node)
        self._in_assert = before
        compares_two = ("Equal" in name) if judges else self._in_assert
        is_given = bool(loaded_names(node.func) & self._dependent)
        is_starred = any(isinstance(argument, ast.Starred) for argument in node.args[:2])
        if compares_two and not is_given and len(node.args) >= 2 and not is_starred:
            node.args[0], node.args[1] = self._with_originals(node.args[0], node.args[1])
        if judges and not only_asks:
            counting = ast.Call(ast.Name(_COUNT, ast.Load()), [node.func], [])
            node.func = ast.copy_location(counting, node.func)
        return node

    def _with_originals(self, left: ast.expr, right: ast.expr) -> tuple[ast.expr, ast.expr]:
        """Have the side of an equality that does not depend on the program be computed from originals.

        If neither side does, but both use a variable, as in `xs == sorted(xs)`, the left one is what the
        program has changed.
        """
        is_given = [bool(loaded_names(side) & self._dependent) for side in (left, right)]
        if is_given == [True, False]:
            return left, self._from_originals(right)
        if is_given == [False, True]:
            return self._from_originals(left), right
        if is_given == [False, False] and isinstance(left, ast.Name) and left.id in loaded_names(right):
            return left, self._from_originals(right, weak=True)
        return left, right

    def _from_originals(self, side: ast.expr, weak: bool = False) -> ast.expr:
        moved = self._moved(side)
        if moved is None:
            return side
        arguments: list[ast.expr] = [ast.Constant(weak), *moved]
        return ast.copy_location(ast.Call(ast.Name(_FRESH, ast.Load()), arguments, []), side)

    def _moved(self, side: ast.expr) -> list[ast.expr] | None:
        """Return an expression as a function of the variables and attributes that it uses, and their values.

        None if it uses none, or means something else in a function of its own.
        """
        nodes = list(ast.walk(side))
        if any(isinstance(node, _UNMOVABLE) or getattr(node, "is_async", 0) for node in nodes):
            return None
        inner = {
            node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        }
        inner |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        used = _Used(inner | _ADDED)
        body = used.visit(copy.deepcopy(side))
        if not used.values or _OF_SCOPES & set(used.values):
            return None
        parameters = ast.arguments([], [ast.arg(name) for name in used.values], None, [], [], None, [])
        return [ast.Lambda(parameters, body), *used.values.values()]


_UNMOVABLE = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.IfExp, ast.BoolOp, ast.Lambda)
"""Expressions that belong to their function, or that do not evaluate all of their parts."""
_OF_SCOPES = frozenset("super locals globals vars dir eval exec".split())
"""Functions that look at the scope in which they are called."""


class _Used(ast.NodeTransformer):
    """Replaces the variables and attributes of an expression by parameters, and collects their values."""

    def __init__(self, kept: Collection[str]):
        self.values: dict[str, ast.expr] = {}
        self._kept = kept

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id not in self._kept:
            self.values[node.id] = ast.Name(node.id, ast.Load())
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        if isinstance(
            node.func, ast.Attribute
        ):  # a method, which belongs to the object that its value is now
            node.func.value = self.visit(node.func.value)
        else:
            node.func = self.visit(node.func)
        node.args = [self.visit(argument) for argument in node.args]
        node.keywords = [self.visit(keyword) for keyword in node.keywords]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        base = node.value
        is_private = node.attr.startswith("__")  # such a name means another one within a class
        if isinstance(base, ast.Name) and base.id not in self._kept and not is_private:
            name = f"_markscheme_{base.id}_{node.attr}"
            field: list[ast.expr] = [ast.Name(base.id, ast.Load()), ast.Constant(node.attr)]
            self.values[name] = ast.Call(ast.Name(_FIELD, ast.Load()), field, [])
            return ast.copy_location(ast.Name(name, ast.Load()), node)
        return self.generic_visit(node)  # pyright: ignore[reportReturnType]
