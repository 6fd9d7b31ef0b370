"""The program's side of tests that run in another process and use its functions and objects by handle.

The tests ask over a link (`wire/dialogue.py`), and get plain data or, for everything else, a handle: the
number of an object here. This code shares its process with the program, which may change it, so the tests'
side (`tests_side.py`) trusts nothing that comes from here except plain data.

Besides the codec's tags, these messages use the following ones. From the program: `@` [handle of an object,
handle of its class], `@c` handle of a class, `@co` handle of a coroutine, `a` number of a container among the
arguments, `N` for NotImplemented. From the tests: `^` handle, `E` [name, arguments] of a built-in exception.
From both: `A` [type, items] of an array, `B` name of a built-in, `!` [number, special methods] of an object
that the tests have lent.
"""

import builtins
import contextlib
import copy
import os
import sys
from types import BuiltinFunctionType, CoroutineType, ModuleType
from typing import Any

from ..wire.codec import NotPlainError, array_of, containers, pack, unpack
from ..wire.dialogue import Link, Message
from .lent_objects import Borrowed, borrowed_class

DUNDERS = tuple(
    f"__{name}__"
    for name in (
        "len bool iter next contains getitem setitem delitem call enter exit str repr hash int float index"
        " complex round abs neg pos invert eq ne lt le gt ge add sub mul truediv floordiv mod pow matmul and"
        " or xor lshift rshift radd rsub rmul rtruediv rfloordiv rmod rpow iadd isub imul divmod reversed"
        " format bytes await copy floor ceil trunc ior iand ixor itruediv ifloordiv imod ilshift irshift"
        " aiter anext aenter aexit"
    ).split()
)
"""Special methods, which Python looks up on a class: a stand-in's class gets those that the program's has."""
_PURE = frozenset(
    "abs all any ascii bin callable chr divmod format hash hex isinstance issubclass len max min oct ord pow"
    " print repr round sorted sum".split()
)
"""Built-in functions that a program may hand to tests: none of them executes text as code."""
_AWAITABLES = frozenset(("async_generator_asend", "async_generator_athrow"))
"""Types of what the methods of an asynchronous generator return."""
_PLAIN = (int, float, complex, str, bytes, list, tuple, dict, set, frozenset)
"""Built-in classes of plain data, which the program may derive classes from."""


class ObjectServer:
    """A server, in the program's process, of the tests' questions about the program and its objects.

    Args:
        descriptor: socket to the tests' process.
        module: the program.
        failed: if it could not be defined, what failed (a value of a record's `failed`) and the error's text.
    """

    def __init__(self, descriptor: int, module: ModuleType, failed: tuple[str, str] | None = None):
        self._failed = failed
        self._objects: list[Any] = [module]
        self._handles: dict[int, int] = {id(module): 0}
        self._borrowed: dict[int, Borrowed] = {}
        self._printed = _size(1)
        self._loop: Any = None  # the event loop in which coroutines are run
        self._link = Link(descriptor, self._serve)

    def serve(self) -> int:
        """Answer until the tests are done; return the exit status."""
        with contextlib.suppress(EOFError):
            self._link.serve_for_ever()
        return 0

    def _serve(self, question: Message) -> Message:
        try:
            answer: Message = getattr(self, f"_do_{question['do']}")(question)
        except BaseException as error:
            answer = {"raised": self._raised(error)}
        printed = self._new_output()
        if printed:
            answer["printed"] = printed
        return answer

    def _do_names(self, question: Message) -> Message:
        """Return what the program defines, or why it could not be defined."""
        if self._failed is not None:
            return {"failed": list(self._failed)}
        names = {}
        for name, value in list(vars(self._objects[0]).items()):
            if not (name.startswith("__") or isinstance(value, ModuleType)):
                try:
                    names[name] = self._pack(value)
                except NotPlainError:
                    names[name] = self._foreign(value)
        return {"value": names}

    def _do_get(self, question: Message) -> Message:
        return {"value": self._pack(getattr(self._objects[question["on"]], question["name"]))}

    def _do_set(self, question: Message) -> Message:
        setattr(self._objects[question["on"]], question["name"], self._unpack(question["value"]))
        return {"value": None}

    def _do_delete(self, question: Message) -> Message:
        delattr(self._objects[question["on"]], question["name"])
        return {"value": None}

    def _do_data(self, question: Message) -> Message:
        """Return the plain data of an object whose class is derived from a built-in one."""
        return {"value": pack(self._objects[question["on"]])}

    def _do_copy(self, question: Message) -> Message:
        """Return a copy of an object."""
        make = copy.deepcopy if question["deep"] else copy.copy
        return {"value": self._pack(make(self._objects[question["on"]]))}

    def _do_finish(self, question: Message) -> Message:
        """Run a coroutine to its end; return its result."""
        import asyncio

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return {
            "value": self._pack(self._loop.run_until_complete(_as_coroutine(self._objects[question["on"]])))
        }

    def _do_call(self, question: Message) -> Message:
        """Call an object, or a special method of its class; return also the arguments that this changed."""
        target = self._objects[question["on"]]
        args, kwargs = self._unpack(question["args"]), self._unpack(question["kwargs"])
        # The first two containers are the lists around the arguments, which only exist here.
        given = containers([args, list(kwargs.values())])[2:]
        known = {id(container): place for place, container in enumerate(given)}
        if name := question.get("special"):
            value = getattr(type(target), name)(target, *args, **kwargs)
        else:
            value = target(*args, **kwargs)
        answer = {"value": {"N": []} if value is NotImplemented else self._pack(value, known)}
        for key, before, after in (("args", question["args"], args), ("kwargs", question["kwargs"], kwargs)):
            try:
                packed = self._pack(after)
            except NotPlainError:
                continue
            if packed != before:
                answer[key] = packed
        return answer

    def _do_describe(self, question: Message) -> Message:
        """Return what a stand-in for a class needs to know about it."""
        kind = self._objects[question["on"]]
        own = [base for base in kind.__mro__ if base not in (object, type)]
        dunders = [name for name in DUNDERS if any(vars(base).get(name) is not None for base in own)]
        bases = [base.__name__ if is_builtin(base) else self._handle(base) for base in kind.__bases__]
        description = {
            "name": kind.__name__,
            "module": kind.__module__,
            "bases": bases,
            "dunders": dunders,
            "error": issubclass(kind, BaseException),
            "plain": issubclass(kind, _PLAIN),
        }
        return {"value": description}

    def _pack(self, value: Any, known: dict[int, int] | None = None) -> Any:
        return pack(value, self._foreign, known)

    def _unpack(self, packed: Any) -> Any:
        return unpack(packed, self._known)

    def _foreign(self, value: Any) -> Any:
        """Return what is sent in place of a value that is not plain data; see above for the tags."""
        if isinstance(value, Borrowed):
            return {"!": [object.__getattribute__(value, "_number"), []]}
        if is_harmless_builtin(value):
            return {"B": value.__name__}
        if isinstance(value, type):
            return {"@c": self._handle(value)}
        if isinstance(value, CoroutineType) or type(value).__name__ in _AWAITABLES:
            return {"@co": self._handle(value)}
        return {"@": [self._handle(value), self._handle(type(value))]}

    def _known(self, packed: Message) -> Any:
        """Return the value for what the tests' `Program` sends where a value is not plain data."""
        if "^" in packed:
            return self._objects[packed["^"]]
        if "E" in packed:
            name, args = packed["E"]
            return getattr(builtins, name)(*self._unpack(args))
        if "B" in packed:
            return getattr(builtins, packed["B"])
        if "A" in packed:
            kind, items = packed["A"]
            return array_of(kind, self._unpack(items))
        number, special = packed["!"]
        if number not in self._borrowed:
            self._borrowed[number] = borrowed_class(tuple(special))(number, self._borrow)
        return self._borrowed[number]

    def _handle(self, value: Any) -> int:
        handle = self._handles.get(id(value))
        if handle is None:
            handle = self._handles[id(value)] = len(self._objects)
            self._objects.append(value)
        return handle

    def _borrow(self, question: Message, args: Any = (), kwargs: Any = None) -> Any:
        """Ask the tests' process to do something with an object that it has lent."""
        packed = {"args": self._pack(list(args)), "kwargs": self._pack(kwargs or {})}
        answer = self._link.ask({**question, **packed})
        if "raised" not in answer:
            return self._unpack(answer["value"])
        handle = answer["raised"].get("on")
        if isinstance(handle, int):
            raise self._objects[handle]
        kind = getattr(builtins, str(answer["raised"].get("builtin")), Exception)
        raise kind(*self._unpack(answer["raised"]["args"]))

    def _raised(self, error: BaseException, depth: int = 0) -> Message:
        kind = type(error)
        builtin = nearest_builtin(kind)
        raised: Message = {"builtin": builtin, "on": self._handle(error), "text": _text(error)}
        if builtin != kind.__name__:
            raised["class"] = self._handle(kind)
        if error.__cause__ is not None and depth < 3:
            raised["cause"] = self._raised(error.__cause__, depth + 1)
        try:
            raised["args"] = self._pack(list(error.args))
        except BaseException:
            raised["args"] = [raised["text"]]
        return raised

    def _new_output(self) -> str:
        """Return what the program has printed since the last answer."""
        try:
            sys.stdout.flush()
            size = _size(1)
            if size <= self._printed:
                return ""
            printed = os.pread(1, min(size - self._printed, 1 << 20), self._printed)
            self._printed = size
            return printed.decode(errors="replace")
        except BaseException:
            return ""


def is_builtin(value: Any) -> bool:
    """Whether a value is a built-in type or function, which every process has under the value's own name."""
    if not isinstance(value, type | BuiltinFunctionType):
        return False
    return getattr(builtins, getattr(value, "__name__", ""), None) is value


def is_harmless_builtin(value: Any) -> bool:
    """Whether a value is a built-in type, or a built-in function that executes no text as code."""
    return is_builtin(value) and (isinstance(value, type) or value.__name__ in _PURE)


def nearest_builtin(kind: type) -> str:
    """Return the name of the first built-in class among a class and its bases."""
    return next(base.__name__ for base in kind.__mro__ if getattr(builtins, base.__name__, None) is base)


async def _as_coroutine(awaitable: Any) -> Any:
    return await awaitable


def _size(descriptor: int) -> int:
    return os.fstat(descriptor).st_size


def _text(error: BaseException) -> str:
    try:
        return str(error)[:10_000]
    except BaseException:
        return ""
