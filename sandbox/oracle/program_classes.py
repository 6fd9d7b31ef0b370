"""Classes that represent the program's classes in the tests' process: stand-ins, and exceptions."""

import builtins
import importlib
import sys
from typing import Any, Protocol

from .stand_ins import ProgramLink, StandIn, StandInClass, namespace_of

_JUDGING = frozenset("unittest doctest bdb test _pytest pytest".split())
"""Modules whose exceptions steer test runners. A program may not raise them here."""


class Describer(ProgramLink, Protocol):
    """The operations on the program that are needed here besides those of stand-ins."""

    def describe(self, handle: int) -> dict[str, Any]:
        """Return what there is to know about a class; see `ObjectServer` in `program_side.py`."""
        ...

    def handle_of_error(self, error: Any) -> int:
        """Return the handle of an exception of one of the program's classes."""
        ...


class ProgramClasses:
    """The classes that represent those of a program, by the handles of these."""

    def __init__(self, program: Describer):
        self._program = program
        self._classes: dict[int, type] = {}

    def of(self, handle: int) -> type:
        """Return the class that represents the program's class with this handle."""
        if handle not in self._classes:
            description = self._program.describe(handle)
            make = self._error_class if description.get("error") else self._stand_in_class
            self._classes[handle] = make(handle, description)
        return self._classes[handle]

    def _stand_in_class(self, handle: int, description: dict[str, Any]) -> type:
        known = [self.of(base) for base in description["bases"] if isinstance(base, int)]
        bases = tuple(base for base in known if issubclass(base, StandIn)) or (StandIn,)
        special = [name for name in description.get("dunders", ()) if isinstance(name, str)]
        namespace = namespace_of(self._program, handle, special, description.get("plain") is True)
        name = str(description.get("name"))
        try:
            return StandInClass(name, bases, namespace)
        except TypeError:  # without the program's built-in bases, the others may have no consistent order
            return StandInClass(name, (StandIn,), namespace)

    def _error_class(self, handle: int, description: dict[str, Any]) -> type:
        """Return an exception class: the standard library's own, or one made here like the program's."""
        module, name = str(description.get("module")), str(description.get("name"))
        if module.partition(".")[0] in sys.stdlib_module_names - _JUDGING:
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and issubclass(found, Exception):
                return found
        bases = [
            self.of(base) if isinstance(base, int) else getattr(builtins, str(base), None)
            for base in description["bases"]
        ]
        errors = tuple(b for b in bases if isinstance(b, type) and issubclass(b, Exception)) or (Exception,)

        program = self._program

        def attribute(error: Any, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return program.get(program.handle_of_error(error), name)

        namespace = {
            "_markscheme_text": "",
            "_markscheme_handle": None,
            "_markscheme_class": handle,
            "__str__": _error_text,
            "__getattr__": attribute,
        }
        return type(name, errors, namespace)


def _error_text(error: Any) -> str:
    return error._markscheme_text or Exception.__str__(error)
