"""The tests' side of a check: stand-ins for the program's functions, classes and objects.

Expected values must not reach the program, and its own methods must not decide what is equal. So a
stand-in is equal to nothing but another one, and an operator with a plain value on its other side
goes to the program only for an object that the tests themselves made from one of its classes.
"""

import builtins
import importlib
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from .codec import pack, unpack
from .exchange import Link, Message
from .served import is_builtin

_COMPARING = frozenset(f"__{name}__" for name in ("eq", "ne", "lt", "le", "gt", "ge"))
_UNARY = frozenset(
    f"__{name}__"
    for name in (
        "len bool iter next getitem call enter exit str repr hash int float index complex round abs neg pos"
        " invert reversed format bytes copy"
    ).split()
)
"""Special methods that tell the program nothing of what is expected."""


_SHOWN = frozenset(("__name__", "__qualname__", "__doc__", "__module__", "__annotations__", "__wrapped__"))


class ProgramEndedError(BaseException):
    """The program's process is gone: no test can go on, nor catch this as an Exception."""


class Refused(TypeError):
    """An expected value would have reached the program."""


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
        self.ended = False

    def names(self) -> tuple[dict[str, Any], tuple[str, str] | None]:
        """Return what the program defines: plain values as they are, all else as stand-ins.

        Modules of the standard library that it imports are imported here.

        And, where it could not be defined, what failed and the error's text.
        """
        answer = self._asked({"do": "names"})
        value, failed = answer.get("value"), answer.get("failed")
        if isinstance(failed, list) and len(failed) == 2:
            return {}, (str(failed[0]), str(failed[1]))
        if not isinstance(value, dict):
            raise ProgramEndedError
        modules = answer.get("modules")
        names = {
            str(name): importlib.import_module(module)
            for name, module in (modules.items() if isinstance(modules, dict) else ())
            if module in sys.stdlib_module_names
        }
        return {**names, **{str(name): self.unpack(packed) for name, packed in value.items()}}, None

    def call(self, handle: int, args: tuple[Any, ...], kwargs: dict[str, Any], special: str = "") -> Any:
        """Call something of the program's; lists, dicts and sets that it changed are changed here too."""
        given, named = list(args), dict(kwargs)
        question: Message = {"do": "call", "on": handle, "args": self.pack(given), "kwargs": self.pack(named)}
        if special:
            question["special"] = special
        answer = self._asked(question)
        for key, ours in (("args", given), ("kwargs", named)):
            if key in answer:
                _restore(ours, self.unpack(answer[key]))
        self._raise(answer)
        value = answer.get("value")
        return NotImplemented if value == {"N": []} else self.unpack(value)

    def get(self, handle: int, name: str) -> Any:
        """Return an attribute."""
        answer = self._asked({"do": "get", "on": handle, "name": name})
        self._raise(answer)
        return self.unpack(answer.get("value"))

    def set(self, handle: int, name: str, value: Any) -> None:
        """Set an attribute."""
        self._raise(self._asked({"do": "set", "on": handle, "name": name, "value": self.pack(value)}))

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
        raised = answer.get("raised")
        if not isinstance(raised, dict):
            return
        name, text = str(raised.get("builtin")), str(raised.get("text"))
        kind = getattr(builtins, name, None)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)) or name == "KeyboardInterrupt":
            kind = RuntimeError
        if isinstance(handle := raised.get("class"), int):
            kind = self._class(handle)
        maker: Any = kind
        try:
            error = maker(*self.unpack(raised.get("args")))
        except Exception:
            error = maker.__new__(maker, text)
        if "_markscheme_text" in vars(kind):
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
        handle = _handle_of(value)
        if handle is not None:
            return {"^": handle}
        if is_builtin(value):
            return {"B": value.__name__}
        if isinstance(value, ModuleType):
            raise Refused("a module cannot be handed to the program")
        if not any(value is lent for lent in self._lent):
            self._lent.append(value)
        return {"!": next(i for i, lent in enumerate(self._lent) if lent is value)}

    def _known(self, packed: Message) -> Any:
        if "!" in packed:
            return self._lent[packed["!"]]
        if "B" in packed:
            found = getattr(builtins, packed["B"])
            if not is_builtin(found):
                raise ValueError("not a type or function of Python's own")
            return found
        if "@c" in packed:
            return self._class(packed["@c"])
        handle, kind = packed["@"]
        if handle not in self._objects:
            made = object.__new__(self._stand_in(kind))
            object.__setattr__(made, "_markscheme_handle", handle)
            self._objects[handle] = made
        return self._objects[handle]

    def _stand_in(self, kind: int) -> type:
        """Return the class of an instance's stand-in."""
        made = self._class(kind)
        return made if issubclass(made, Remote) else Remote

    def _class(self, handle: int) -> type:
        if handle not in self._classes:
            told = self._asked({"do": "describe", "on": handle}).get("value")
            if not isinstance(told, dict) or not isinstance(told.get("bases"), list):
                raise ProgramEndedError
            self._classes[handle] = self._made(handle, told)
        return self._classes[handle]

    def _made(self, handle: int, told: Message) -> type:
        name = str(told.get("name"))
        if told.get("error"):
            bases = tuple(
                self._class(b) if isinstance(b, int) else getattr(builtins, str(b)) for b in told["bases"]
            )
            bases = tuple(b for b in bases if isinstance(b, type) and issubclass(b, BaseException)) or (
                Exception,
            )
            space = {"_markscheme_text": "", "_markscheme_handle": None, "__str__": _error_text}
            return type(name, bases, {**space, "__getattr__": lambda error, n: self._of_error(error, n)})
        bases = tuple(
            b for b in (self._class(b) for b in told["bases"] if isinstance(b, int)) if issubclass(b, Remote)
        )
        special = [n for n in told.get("dunders", ()) if isinstance(n, str)]
        space = {n: _special(self, n) for n in special}
        space |= {
            "_markscheme_program": self,
            "_markscheme_class": handle,
            "__eq__": _equal(self, "__eq__" in special),
        }
        space.setdefault("__hash__", lambda remote: hash((id(self), remote._markscheme_handle)))
        return RemoteClass(name, bases or (Remote,), space)

    def _of_error(self, error: Any, name: str) -> Any:
        if name.startswith("_") or not isinstance(error._markscheme_handle, int):
            raise AttributeError(name)
        return self.get(error._markscheme_handle, name)

    def _serve(self, question: Message) -> Message:
        """Answer the program: call what was lent to it, or show a public attribute of an instance."""
        try:
            lent = self._lent[question["on"]]
            args, kwargs = self.unpack(question["args"]), self.unpack(question["kwargs"])
            if question["do"] == "call":
                return {"value": self.pack(lent(*args, **kwargs))}
            name = question["name"]
            if name.startswith("_") or isinstance(
                lent, type | FunctionType | MethodType | BuiltinFunctionType
            ):
                raise AttributeError(name)
            if question["do"] == "set":
                setattr(lent, name, args[0])
                return {"value": None}
            return {"value": self.pack(getattr(lent, name))}
        except Exception as error:
            builtin = next(
                b.__name__ for b in type(error).__mro__ if getattr(builtins, b.__name__, None) is b
            )
            return {"raised": {"builtin": builtin, "args": [str(error)]}}


def _handle_of(value: Any) -> int | None:
    if isinstance(value, RemoteClass):
        return type.__getattribute__(value, "_markscheme_class")
    if isinstance(value, Remote):
        return object.__getattribute__(value, "_markscheme_handle")
    return None


class RemoteClass(type):
    """The class of stand-ins of one of the program's classes: calling it makes an object there."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an object in the program's process, and its stand-in here."""
        made = cls._markscheme_program.call(cls._markscheme_class, args, kwargs)
        if isinstance(made, Remote):
            object.__setattr__(made, "_markscheme_ours", True)
        return made

    def __getattr__(cls, name: str) -> Any:
        if name.startswith(("_markscheme", "__", "_abc")) or "_markscheme_class" not in cls.__dict__:
            raise AttributeError(name)
        return cls._markscheme_program.get(cls._markscheme_class, name)


class Remote:
    """A stand-in for an object of the program."""

    __slots__ = ("__weakref__", "_markscheme_handle", "_markscheme_ours")
    _markscheme_program: Program

    def __getattr__(self, name: str) -> Any:
        if name == "_markscheme_ours":
            return False
        if name.startswith("__") and name not in _SHOWN:  # protocols: an array's could point into our memory
            raise AttributeError(name)
        return self._markscheme_program.get(self._markscheme_handle, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._markscheme_program.set(self._markscheme_handle, name, value)


def _special(program: Program, name: str) -> Callable[..., Any]:
    def method(self: Remote, *args: Any, **kwargs: Any) -> Any:
        theirs = all(isinstance(arg, Remote) for arg in args)
        if not (theirs or name in _UNARY or (self._markscheme_ours and name not in _COMPARING)):
            if name in _COMPARING:
                return NotImplemented
            raise Refused(f"{name} of an object of the program would be told a value of the tests")
        made = program.call(self._markscheme_handle, args, kwargs, special=name)
        if isinstance(made, Remote) and self._markscheme_ours and name not in _UNARY:
            object.__setattr__(made, "_markscheme_ours", True)
        return made

    method.__name__ = name
    return method


def _equal(program: Program, defined: bool) -> Callable[[Remote, object], Any]:
    def equal(self: Remote, other: object) -> Any:
        if self is other:
            return True
        if not defined or not isinstance(other, Remote):
            return NotImplemented
        return program.call(self._markscheme_handle, (other,), {}, special="__eq__")

    return equal


def _error_text(error: Any) -> str:
    return error._markscheme_text or Exception.__str__(error)


def _restore(ours: Any, now: Any) -> None:
    """Make our lists, dicts and sets what the program's copies have become, in place."""
    if type(ours) is not type(now):
        return
    if isinstance(ours, list):
        for old, new in zip(ours, now, strict=False):
            _restore(old, new)
        kept = [old if _same_kind(old, new) else new for old, new in zip(ours, now, strict=False)]
        ours[:] = kept + now[len(ours) :]
    elif isinstance(ours, dict):
        for key, new in now.items():
            if key in ours and _same_kind(ours[key], new):
                _restore(ours[key], new)
                now[key] = ours[key]
        ours.clear()
        ours.update(now)
    elif isinstance(ours, set):
        ours.clear()
        ours.update(now)
    elif isinstance(ours, tuple):
        for old, new in zip(ours, now, strict=False):
            _restore(old, new)


def _same_kind(old: Any, new: Any) -> bool:
    return type(old) is type(new) and isinstance(old, list | dict | set)
