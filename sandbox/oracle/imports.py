"""What tests mean by a name: a library's, or the program's, under whatever module name they import it."""

import ast
import contextlib
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ALIASES = {"np": "numpy", "pd": "pandas"}
_LIBRARIES = frozenset("numpy pandas scipy sympy sklearn torch pytest hypothesis networkx".split())


def libraries(trees: Sequence[ast.AST], names: Mapping[str, Any]) -> dict[str, ModuleType]:
    """Return the libraries whose attributes the tests use, imported or not.

    Tests may count on the program's imports; but what they compare with must not be the program's.
    """
    found = {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = _ALIASES.get(node.value.id, node.value.id)
            if name in sys.stdlib_module_names or name in _LIBRARIES:
                with contextlib.suppress(ImportError):
                    module = importlib.import_module(name)
                    if hasattr(module, node.attr) or node.value.id not in names:
                        found[node.value.id] = module
    return found


def imported(trees: Sequence[ast.AST]) -> dict[str, str]:
    """Return modules that the tests import and that are none of Python's or a library's, by dotted name.

    With the name, for the others too, that the import gives.
    """
    found: dict[str, str] = {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.ImportFrom) and not node.level:
            modules = [(node.module or "", alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            modules = [(alias.name, alias.asname or alias.name.partition(".")[0]) for alias in node.names]
        else:
            continue
        for module, bound in modules:
            top = module.partition(".")[0]
            if top in sys.stdlib_module_names or top in _LIBRARIES:
                found[f"{module} {bound}"] = bound
            else:
                found[module] = ""
    return found


class AnyName(MetaPathFinder, Loader):
    """Finds the program under every name, dotted ones too, by which the tests import what is no library."""

    def __init__(self, solution: ModuleType, imported: Mapping[str, str]):
        self._solution = solution
        parts = [name.split(".") for name, bound in imported.items() if not bound]
        self._names = {".".join(name[: i + 1]) for name in parts for i in range(len(name))}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Answer to the names that the tests import, and their parts."""
        return ModuleSpec(fullname, self, is_package=True) if fullname in self._names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the program."""
        return self._solution

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing: it is there already."""
        module.__path__ = []  # nothing is looked for on disk
