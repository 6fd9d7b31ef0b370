"""Telling whether a name that tests import or use means a library, or the program under any module name."""

import ast
import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ALIASES = {"np": "numpy", "pd": "pandas"}
_LIBRARIES = frozenset("numpy pandas scipy sympy sklearn torch pytest hypothesis networkx".split())


def used_libraries(trees: Sequence[ast.AST], names: Mapping[str, Any]) -> dict[str, ModuleType]:
    """Return the libraries whose attributes the tests use, by the names that the tests have for them.

    Tests may use a library that only the program imports. They get the real one, since the program must not
    decide what its results are compared with. `names` are the program's own names: one that is also the name
    of a library counts as the library only if the library has the attribute.
    """
    used = {}
    for node in _nodes(trees):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = node.value.id
            library = _ALIASES.get(name, name)
            if _is_library(library):
                with contextlib.suppress(ImportError):
                    module = importlib.import_module(library)
                    if hasattr(module, node.attr) or name not in names:
                        used[name] = module
    return used


def imports_of(trees: Sequence[ast.AST]) -> tuple[set[str], set[str]]:
    """Return the modules that tests import as the program, and the names that they import from libraries.

    A module that belongs neither to Python nor to a known library can only be the program.
    """
    program_modules: set[str] = set()
    library_names: set[str] = set()
    for node in _nodes(trees):
        if isinstance(node, ast.ImportFrom) and not node.level:
            bound = [(node.module or "", alias.asname or alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            bound = [(alias.name, alias.asname or alias.name.partition(".")[0]) for alias in node.names]
        else:
            continue
        for module, name in bound:
            if _is_library(module.partition(".")[0]):
                library_names.add(name)
            else:
                program_modules.add(module)
    return program_modules, library_names


def _nodes(trees: Sequence[ast.AST]) -> Iterator[ast.AST]:
    for tree in trees:
        yield from ast.walk(tree)


def _is_library(name: str) -> bool:
    return name in sys.stdlib_module_names or name in _LIBRARIES


class ProgramFinder(MetaPathFinder, Loader):
    """An import hook that finds the program under each of the given dotted names and their parents."""

    def __init__(self, solution: ModuleType, modules: Set[str]):
        self._solution = solution
        parts = [module.split(".") for module in modules]
        self._names = {".".join(name[: i + 1]) for name in parts for i in range(len(name))}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return the program's spec for one of the names."""
        return ModuleSpec(fullname, self, is_package=True) if fullname in self._names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the program."""
        return self._solution

    def exec_module(self, module: ModuleType) -> None:
        """Execute nothing: the program is defined already."""
        module.__path__ = []  # so that no submodule is looked for on disk, where the program may have put one
