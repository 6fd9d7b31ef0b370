"""The tests' side of a program in another process: calls go out, plain data and stand-ins come back.

`program_side.py` has the other side, and explains the messages.
"""

import builtins
import importlib
import sys
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import Any

from ..wire.codec import containers, pack, unpack
from ..wire.dialogue import Link, Message
from .lent_objects import special_methods_of, use_lent
from .program_side import is_builtin, is_harmless_builtin, nearest_builtin
from .stand_ins import RefusedError, StandIn, StandInClass, namespace_of, restore

_JUDGING = frozenset("unittest doctest bdb test _pytest pytest".split())
"""Modules whose exceptions steer test runners. A program may not raise them here."""


class ProgramEndedError(BaseException):
    """The program's process has ended. Not an Exception, so that no test catches it and goes on."""


class Program:
    """The program that tests use, with the operations that stand-ins need.

    Args:
        descriptor: socket to the program's process.
        on_cpu: called with the program's CPU seconds whenever it answers.
    """

    def __init__(self, descriptor: int, on_cpu: Callable[[float], None]):
        self._link = Link(descriptor, self._serve)
        self._on_cpu = on_cpu
        self._classes: dict[int, type] = {}
        self._objects: dict[int, Any] = {}
        self._lent: list[Any] = []
        self._lent_numbers: dict[int, int] = {}  # by the object's id()
        self.ended = False
        self.refused = ""  # the message of the last refusal; `Recorder.begin` clears it for each test

    def names(self) -> tuple[dict[str, Any], tuple[str, str] | None]:
        """Return what the program defines, by name: plain values as they are, everything else as stand-ins.

        If it could not be defined, return no names, and what failed (a value of a record's `failed`) with the
        error's text.
        """
        answer = self._ask({"do": "names"})
        value, failed = answer.get("value"), answer.get("failed")
        if isinstance(failed, list) and len(failed) == 2:
            return {}, (str(failed[0]), str(failed[1]))
        if not isinstance(value, dict):
            raise ProgramEndedError
        # Names with two underscores mean something to Python, as __path__ does to its imports.
        names = {n: self.unpack(p) for n, p in value.items() if n.isidentifier() and not n.startswith("__")}
        classes = {name: kind for name, kind in names.items() if isinstance(kind, StandInClass)}
        # A class with a function's name is used as a function: its objects are answers, which must not be
        # shown what the tests expect.
        answers = [kind for name, kind in classes.items() if not _is_class_name(name)]
        for name, kind in classes.items():
            if _is_class_name(name) and kind not in answers:
                kind._markscheme_trusted = True
        return names, None

    def call(self, handle: int, args: tuple[Any, ...], kwargs: dict[str, Any], special: str = "") -> Any:
        """Call one of the program's objects; lists, dicts and sets that it changes are changed here too."""
        own_args, own_kwargs = list(args), dict(kwargs)
        # Both sides number the containers alike, so that the program can return one of ours by its number.
        ours = containers([own_args, list(own_kwargs.values())])[2:]
        packed = {"args": self.pack(own_args), "kwargs": self.pack(own_kwargs)}
        question: Message = {"do": "call", "on": handle, **packed}
        if special:
            question["special"] = special
        answer = self._ask(question)
        for key, mine in (("args", own_args), ("kwargs", own_kwargs)):
            if key in answer:
                restore(mine, self.unpack(answer[key]))
        self._raise(answer)
        value = answer.get("value")
        if value == {"N": []}:
            return NotImplemented
        return unpack(value, lambda packed: ours[packed["a"]] if "a" in packed else self._known(packed))

    def get(self, handle: int, name: str) -> Any:
        """Return an object's attribute."""
        return self._do({"do": "get", "on": handle, "name": name})

    def set(self, handle: int, name: str, value: Any) -> None:
        """Set an object's attribute."""
        self._do({"do": "set", "on": handle, "name": name, "value": self.pack(value)})

    def delete(self, handle: int, name: str) -> None:
        """Delete an object's attribute."""
        self._do({"do": "delete", "on": handle, "name": name})

    def data(self, handle: int) -> Any:
        """Return the plain data of an object whose class is derived from a built-in one."""
        answer = self._ask({"do": "data", "on": handle})
        self._raise(answer)
        return unpack(answer.get("value"))

    def refuse(self, what: str) -> RefusedError:
        """Return the error to raise, and remember it, so that a test that catches it fails all the same."""
        self.refused = f"{what} would show the program a value of the tests; compare plain data instead"
        return RefusedError(self.refused)

    def _do(self, question: Message) -> Any:
        answer = self._ask(question)
        self._raise(answer)
        return self.unpack(answer.get("value"))

    def _ask(self, question: Message) -> Message:
        try:
            answer = self._link.ask(question)
        except EOFError:
            self.ended = True
            raise ProgramEndedError("the program's process has ended") from None
        cpu, printed = answer.get("cpu"), answer.get("printed")
        if isinstance(cpu, float):
            self._on_cpu(cpu)
        if isinstance(printed, str):
            sys.stdout.write(printed)
        return answer

    def _raise(self, answer: Message) -> None:
        """Raise what the program raised, if it raised anything, as an Exception or a SystemExit."""
        raised = answer.get("raised")
        if not isinstance(raised, dict):
            return
        kind: Any = getattr(builtins, str(raised.get("builtin")), None)
        if not (isinstance(kind, type) and issubclass(kind, Exception | SystemExit)):
            kind = RuntimeError
        handle = raised.get("class")
        if isinstance(handle, int):
            kind = self._class(handle)
            if not issubclass(kind, Exception):
                kind = RuntimeError
        text = str(raised.get("text"))
        error: Any
        try:
            error = kind(*self.unpack(raised.get("args")))
        except Exception:
            error = kind.__new__(kind, text)  # the __init__ of the class expects other arguments
        if hasattr(kind, "_markscheme_text"):
            error._markscheme_text, error._markscheme_handle = text, raised.get("on")
        raise error

    def pack(self, value: Any) -> Any:
        """Return a value as a message holds it: what is not plain data becomes a handle or is lent."""
        return pack(value, self._foreign)

    def unpack(self, packed: Any) -> Any:
        """Return the value that a message holds.

        Raises:
            ValueError: it holds none.
        """
        return unpack(packed, self._known)

    def _foreign(self, value: Any) -> Any:
        if isinstance(value, StandInClass):
            return {"^": type.__getattribute__(value, "_markscheme_class")}
        if isinstance(value, StandIn):
            return {"^": object.__getattribute__(value, "_markscheme_handle")}
        if isinstance(value, BaseException) or "_markscheme_class" in getattr(value, "__dict__", ()):
            return self._packed_error(value)
        if is_builtin(value):
            return {"B": value.__name__}
        if isinstance(value, ModuleType):
            raise self.refuse("passing a module")
        if isinstance(value, TracebackType):
            return None
        number = self._lent_numbers.get(id(value))
        if number is None:
            number = self._lent_numbers[id(value)] = len(self._lent)
            self._lent.append(value)
        return {"!": [number, special_methods_of(value)]}

    def _packed_error(self, value: Any) -> Any:
        """Return what is sent for an exception, or for one of the program's classes of exceptions."""
        if isinstance(value, type):
            return {"^": vars(value)["_markscheme_class"]}
        if hasattr(type(value), "_markscheme_class"):
            return {"^": self._handle_of_error(value)}
        return {"E": [nearest_builtin(type(value)), self.pack(list(value.args))]}

    def _handle_of_error(self, error: Any) -> int:
        """Return the handle of an exception of one of the program's classes, creating it there if need be."""
        if not isinstance(error._markscheme_handle, int):
            question: Message = {"do": "call", "on": type(error)._markscheme_class, "kwargs": {"d": []}}
            answer = self._ask({**question, "args": self.pack(list(error.args))})
            self._raise(answer)
            error._markscheme_handle = answer["value"]["@"][0]
        return error._markscheme_handle

    def _known(self, packed: Message) -> Any:
        """Return the value for what the program's `ObjectServer` sends where a value is not plain data."""
        if "!" in packed:
            return self._lent[packed["!"][0]]
        if "B" in packed:
            value = getattr(builtins, packed["B"])
            if not is_harmless_builtin(value):
                raise ValueError("not a built-in that a program may hand to tests")
            return value
        if "@c" in packed:
            return self._class(packed["@c"])
        handle, of_class = packed["@"]
        if handle not in self._objects:
            kind = self._class(of_class)
            if issubclass(kind, BaseException):
                error = kind.__new__(kind)
                error._markscheme_handle = handle  # pyright: ignore[reportAttributeAccessIssue]
                return error
            stand_in = object.__new__(kind if issubclass(kind, StandIn) else StandIn)
            object.__setattr__(stand_in, "_markscheme_handle", handle)
            self._objects[handle] = stand_in
        return self._objects[handle]

    def _class(self, handle: int) -> type:
        """Return the class that represents one of the program's classes here."""
        if handle not in self._classes:
            description = self._ask({"do": "describe", "on": handle}).get("value")
            if not isinstance(description, dict) or not isinstance(description.get("bases"), list):
                raise ProgramEndedError
            make = self._error_class if description.get("error") else self._stand_in_class
            self._classes[handle] = make(handle, description)
        return self._classes[handle]

    def _stand_in_class(self, handle: int, description: Message) -> type:
        known = [self._class(base) for base in description["bases"] if isinstance(base, int)]
        bases = tuple(base for base in known if issubclass(base, StandIn)) or (StandIn,)
        special = [name for name in description.get("dunders", ()) if isinstance(name, str)]
        namespace = namespace_of(self, handle, special, description.get("plain") is True)
        name = str(description.get("name"))
        try:
            return StandInClass(name, bases, namespace)
        except TypeError:  # without the program's built-in bases, the others may have no consistent order
            return StandInClass(name, (StandIn,), namespace)

    def _error_class(self, handle: int, description: Message) -> type:
        """Return an exception class: the standard library's own, or one made here like the program's."""
        module, name = str(description.get("module")), str(description.get("name"))
        if module.partition(".")[0] in sys.stdlib_module_names - _JUDGING:
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and issubclass(found, Exception):
                return found
        bases = [
            self._class(base) if isinstance(base, int) else getattr(builtins, str(base), None)
            for base in description["bases"]
        ]
        errors = tuple(b for b in bases if isinstance(b, type) and issubclass(b, Exception)) or (Exception,)

        def attribute(error: Any, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            return self.get(self._handle_of_error(error), name)

        namespace = {
            "_markscheme_text": "",
            "_markscheme_handle": None,
            "_markscheme_class": handle,
            "__str__": _error_text,
            "__getattr__": attribute,
        }
        return type(name, errors, namespace)

    def _serve(self, question: Message) -> Message:
        """Answer the program about an object that was lent to it."""
        try:
            lent = self._lent[question["on"]]
            args, kwargs = self.unpack(question["args"]), self.unpack(question["kwargs"])
            name = str(question.get("name"))
            return {"value": self.pack(use_lent(lent, question["do"], name, args, kwargs))}
        except Exception as error:
            from_program = hasattr(type(error), "_markscheme_class")
            handle = self._handle_of_error(error) if from_program else None
            return {"raised": {"builtin": nearest_builtin(type(error)), "args": [str(error)], "on": handle}}


def _is_class_name(name: str) -> bool:
    """Whether a name is written as that of a class; a class with another name is used as a function."""
    return name.lstrip("_")[:1].isupper()


def _error_text(error: Any) -> str:
    return error._markscheme_text or Exception.__str__(error)
