"""The program, seen from its tests' process: calls go out, plain data and stand-ins come back."""

import builtins
import importlib
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, TracebackType
from typing import Any

from ..wire.codec import containers, pack, unpack
from ..wire.dialogue import Link, Message
from .program_side import FUNCTION_NAMES, LENT, PURE, is_builtin
from .stand_ins import Refused, Remote, RemoteClass, restore, space_of

_JUDGING = frozenset("unittest doctest bdb test _pytest pytest".split())
"""Modules whose exceptions steer test runners."""


class ProgramEndedError(BaseException):
    """The program's process is gone: no test can go on, nor catch this as an Exception."""


class Program:
    """The program, seen from the tests.

    Args:
        descriptor: to the program's side.
        heard: told the program's CPU seconds with every answer.
    """

    def __init__(self, descriptor: int, heard: Callable[[float], None]):
        self._link = Link(descriptor, self._serve)
        self._heard = heard
        self._classes: dict[int, type] = {}
        self._objects: dict[int, Any] = {}
        self._lent: list[Any] = []
        self._places: dict[int, int] = {}
        self.ended = False
        self.refused = ""
        """What was refused last; the recorder of tests empties it."""

    def names(self) -> tuple[dict[str, Any], tuple[str, str] | None]:
        """Return what the program defines: plain values as they are, all else as stand-ins.

        And, where it could not be defined, what failed and the error's text.
        """
        answer = self._asked({"do": "names"})
        value, failed = answer.get("value"), answer.get("failed")
        if isinstance(failed, list) and len(failed) == 2:
            return {}, (str(failed[0]), str(failed[1]))
        if not isinstance(value, dict):
            raise ProgramEndedError
        # No name that means something to Python itself, such as __path__ of a package.
        named = {n: self.unpack(p) for n, p in value.items() if n.isidentifier() and not n.startswith("__")}
        lower = [made for n, made in named.items() if isinstance(made, RemoteClass) and not _is_class_name(n)]
        for name, made in named.items():
            if isinstance(made, RemoteClass) and _is_class_name(name) and made not in lower:
                made._markscheme_trusted = True
        return named, None

    def call(self, handle: int, args: tuple[Any, ...], kwargs: dict[str, Any], special: str = "") -> Any:
        """Call something of the program's; lists, dicts and sets that it changed are changed here too."""
        given, named = list(args), dict(kwargs)
        ours = containers([given, list(named.values())])[2:]
        question: Message = {"do": "call", "on": handle, "args": self.pack(given), "kwargs": self.pack(named)}
        if special:
            question["special"] = special
        answer = self._asked(question)
        for key, mine in (("args", given), ("kwargs", named)):
            if key in answer:
                restore(mine, self.unpack(answer[key]))
        self._raise(answer)
        value = answer.get("value")
        if value == {"N": []}:
            return NotImplemented
        return unpack(value, lambda packed: ours[packed["a"]] if "a" in packed else self._known(packed))

    def get(self, handle: int, name: str) -> Any:
        """Return an attribute."""
        return self._done({"do": "get", "on": handle, "name": name})

    def set(self, handle: int, name: str, value: Any) -> None:
        """Set an attribute."""
        self._done({"do": "set", "on": handle, "name": name, "value": self.pack(value)})

    def delete(self, handle: int, name: str) -> None:
        """Delete an attribute."""
        self._done({"do": "delete", "on": handle, "name": name})

    def data(self, handle: int) -> Any:
        """Return the plain data of an object whose class is derived from a built-in one."""
        answer = self._asked({"do": "data", "on": handle})
        self._raise(answer)
        return unpack(answer.get("value"))

    def refuse(self, what: str) -> Refused:
        """Return the exception to raise, and remember it: a test that hides it has failed."""
        self.refused = f"{what} of an object of the program would be told a value of the tests"
        return Refused(self.refused)

    def _done(self, question: Message) -> Any:
        answer = self._asked(question)
        self._raise(answer)
        return self.unpack(answer.get("value"))

    def _asked(self, question: Message) -> Message:
        try:
            answer = self._link.ask(question)
        except EOFError:
            self.ended = True
            raise ProgramEndedError("the program's process has ended") from None
        if isinstance(cpu := answer.get("cpu"), float):
            self._heard(cpu)
        if isinstance(printed := answer.get("printed"), str):
            sys.stdout.write(printed)
        return answer

    def _raise(self, answer: Message) -> None:
        """Raise what the program raised: an Exception, or SystemExit, and nothing else."""
        raised = answer.get("raised")
        if not isinstance(raised, dict):
            return
        kind: Any = getattr(builtins, str(raised.get("builtin")), None)
        if not (isinstance(kind, type) and issubclass(kind, Exception | SystemExit)):
            kind = RuntimeError
        if isinstance(handle := raised.get("class"), int):
            made = self._class(handle)
            kind = made if issubclass(made, Exception) else RuntimeError
        text = str(raised.get("text"))
        error: Any
        try:
            error = kind(*self.unpack(raised.get("args")))
        except Exception:
            error = kind.__new__(kind, text)
        if hasattr(kind, "_markscheme_text"):
            error._markscheme_text, error._markscheme_handle = text, raised.get("on")
        raise error

    def pack(self, value: Any) -> Any:
        """Return a value as a message holds it; what is not plain data goes by handle."""
        return pack(value, self._foreign)

    def unpack(self, packed: Any) -> Any:
        """Return the value that a message holds.

        Raises:
            ValueError: it holds none.
        """
        return unpack(packed, self._known)

    def _foreign(self, value: Any) -> Any:
        if isinstance(value, RemoteClass):
            return {"^": type.__getattribute__(value, "_markscheme_class")}
        if isinstance(value, Remote):
            return {"^": object.__getattribute__(value, "_markscheme_handle")}
        if isinstance(value, BaseException) or "_markscheme_class" in getattr(value, "__dict__", ()):
            return self._packed_error(value)
        if is_builtin(value):
            return {"B": value.__name__}
        if isinstance(value, ModuleType):
            raise self.refuse("a module")
        if isinstance(value, TracebackType):
            return None
        place = self._places.get(id(value))
        if place is None:
            place = self._places[id(value)] = len(self._lent)
            self._lent.append(value)
        special = [name for name in LENT if any(name in vars(base) for base in type(value).__mro__[:-1])]
        return {"!": [place, special]}

    def _packed_error(self, value: Any) -> Any:
        """Return an exception, or a program's class of exceptions: as the program's own where it is."""
        if isinstance(value, type):
            return {"^": vars(value)["_markscheme_class"]}
        if hasattr(type(value), "_markscheme_class"):
            return {"^": self._handle_of_error(value)}
        kind = next(b for b in type(value).__mro__ if getattr(builtins, b.__name__, None) is b)
        return {"E": [kind.__name__, self.pack(list(value.args))]}

    def _handle_of_error(self, error: Any) -> int:
        """Return the handle of a program's exception; one that the tests made is made there first."""
        if not isinstance(error._markscheme_handle, int):
            question: Message = {"do": "call", "on": type(error)._markscheme_class, "kwargs": {"d": []}}
            answer = self._asked({**question, "args": self.pack(list(error.args))})
            self._raise(answer)
            error._markscheme_handle = answer["value"]["@"][0]
        return error._markscheme_handle

    def _known(self, packed: Message) -> Any:
        if "!" in packed:
            return self._lent[packed["!"][0]]
        if "B" in packed:
            found = getattr(builtins, packed["B"])
            if not (is_builtin(found) and (isinstance(found, type) or found.__name__ in PURE)):
                raise ValueError("no type, nor a function that runs no code")
            return found
        if "@c" in packed:
            return self._class(packed["@c"])
        handle, kind = packed["@"]
        if handle not in self._objects:
            made = self._class(kind)
            if issubclass(made, BaseException):
                error = made.__new__(made)
                error._markscheme_handle = handle  # pyright: ignore[reportAttributeAccessIssue]
                return error
            remote = object.__new__(made if issubclass(made, Remote) else Remote)
            object.__setattr__(remote, "_markscheme_handle", handle)
            self._objects[handle] = remote
        return self._objects[handle]

    def _class(self, handle: int) -> type:
        if handle not in self._classes:
            told = self._asked({"do": "describe", "on": handle}).get("value")
            if not isinstance(told, dict) or not isinstance(told.get("bases"), list):
                raise ProgramEndedError
            self._classes[handle] = (
                self._error(handle, told) if told.get("error") else self._made(handle, told)
            )
        return self._classes[handle]

    def _made(self, handle: int, told: Message) -> type:
        bases = [
            made
            for base in told["bases"]
            if isinstance(base, int) and issubclass(made := self._class(base), Remote)
        ]
        special = [name for name in told.get("dunders", ()) if isinstance(name, str)]
        space = space_of(self, handle, special, told.get("plain") is True)
        try:
            return RemoteClass(str(told.get("name")), tuple(bases) or (Remote,), space)
        except TypeError:  # bases that do not go together here
            return RemoteClass(str(told.get("name")), (Remote,), space)

    def _error(self, handle: int, told: Message) -> type:
        """Return an exception's class: the standard library's own, or one made here like the program's."""
        module, name = str(told.get("module")), str(told.get("name"))
        if module.partition(".")[0] in sys.stdlib_module_names - _JUDGING:
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and issubclass(found, Exception):
                return found
        bases = [
            self._class(b) if isinstance(b, int) else getattr(builtins, str(b), None) for b in told["bases"]
        ]
        own = tuple(b for b in bases if isinstance(b, type) and issubclass(b, Exception)) or (Exception,)
        space = {"_markscheme_text": "", "_markscheme_handle": None, "__str__": _error_text}
        space["_markscheme_class"] = handle
        return type(name, own, {**space, "__getattr__": lambda error, n: self._of_error(error, n)})

    def _of_error(self, error: Any, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.get(self._handle_of_error(error), name)

    def _serve(self, question: Message) -> Message:
        """Answer the program about an object that was lent to it."""
        try:
            lent = self._lent[question["on"]]
            args, kwargs = self.unpack(question["args"]), self.unpack(question["kwargs"])
            name = str(question.get("name"))
            if question["do"] == "call":
                return {"value": self.pack(lent(*args, **kwargs))}
            if question["do"] == "special" and name in LENT:
                return {"value": self.pack(getattr(type(lent), name)(lent, *args))}
            function = isinstance(lent, type | FunctionType | MethodType | BuiltinFunctionType)
            if not (name in FUNCTION_NAMES or (name[0] != "_" and not function)):
                raise AttributeError(name)
            if question["do"] == "get":
                return {"value": self.pack(getattr(lent, name))}
            own = getattr(type(lent), name, None)
            if _is_mock(lent) or callable(own) or hasattr(own, "__get__"):
                raise AttributeError(f"{name} of an object of the tests is not the program's to set")
            setattr(lent, name, args[0])
            return {"value": None}
        except Exception as error:
            builtin = next(
                b.__name__ for b in type(error).__mro__ if getattr(builtins, b.__name__, None) is b
            )
            own = hasattr(type(error), "_markscheme_class")
            known = self._handle_of_error(error) if own else None
            return {"raised": {"builtin": builtin, "args": [str(error)], "on": known}}


def _is_mock(value: Any) -> bool:
    return any(base.__module__ == "unittest.mock" for base in type(value).__mro__)


def _is_class_name(name: str) -> bool:
    """Whether a name is that of a class, by the custom: what is written as a function is used as one."""
    return name.lstrip("_")[:1].isupper()


def _error_text(error: Any) -> str:
    return error._markscheme_text or Exception.__str__(error)
