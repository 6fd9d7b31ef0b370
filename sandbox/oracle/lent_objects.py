"""What a program may do with the objects that tests lend to it, such as callbacks and mocks.

An object of the tests may lead to what they expect, so a program gets as little of it as its use needs: it
may call functions, iterate, and use the methods of standard objects and the public attributes of the tests'
own objects.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CellType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
    TracebackType,
)
from typing import Any

LENT_METHODS = tuple(
    f"__{name}__"
    for name in "iter next len getitem contains eq lt gt le ge hash str repr bool enter exit".split()
)
"""Special methods of a lent object that the program may call."""
FUNCTION_NAMES = frozenset(("__name__", "__qualname__", "__doc__", "__module__"))
"""Attributes of a lent object that the program may read although they begin with an underscore."""
NEVER_LENT = (FrameType, CodeType, TracebackType, ModuleType, CellType)
"""Objects that lead to everything in the tests' process."""
TESTS, PROMPT = "tests", "prompt"
"""The names of the tests' module and of the prompt's code, which the classes that are defined there carry."""
_FUNCTIONS = (type, FunctionType, MethodType, BuiltinFunctionType, functools.partial)
"""Objects that may only be called: their other attributes are about their code and its arguments."""
_GENERATORS = (GeneratorType, CoroutineType, AsyncGeneratorType)
_OF_GENERATORS = ("send", "throw", "close")


def special_methods_of(value: Any) -> list[str]:
    """Return those of `LENT_METHODS` that an object's class defines."""
    classes = type(value).__mro__[:-1]  # without `object`
    return [name for name in LENT_METHODS if any(name in vars(base) for base in classes)]


def use_lent(lent: Any, how: str, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Use a lent object as the program asks, and return the result.

    Args:
        lent: the lent object.
        how: `call`, `special`, `get` or `set`.
        name: the name of the attribute or special method.
        args: the arguments of a call, or the value to set.
        kwargs: the keyword arguments of a call.

    Raises:
        AttributeError: the program may not do this.
    """
    if how == "call":
        return lent(*args, **kwargs)
    if how == "special" and name in LENT_METHODS:
        return getattr(type(lent), name)(lent, *args)
    if how == "get" and _may_read(lent, name):
        return getattr(lent, name)
    if how == "set" and _may_set(lent, name):
        setattr(lent, name, args[0])
        return None
    raise AttributeError(f"a program may not {how} {name!r} of an object that the tests have lent to it")


def _may_read(lent: Any, name: str) -> bool:
    if name.startswith("_") or isinstance(lent, _FUNCTIONS):
        return name in FUNCTION_NAMES
    if isinstance(lent, _GENERATORS):
        return name in _OF_GENERATORS
    if _is_mock(lent):
        return not _belongs_to_mocks(name)
    return (
        isinstance(lent, SimpleNamespace) or _is_of_tests(lent) or callable(getattr(type(lent), name, None))
    )


def _may_set(lent: Any, name: str) -> bool:
    own = getattr(type(lent), name, None)
    is_data = not callable(own) and not hasattr(own, "__get__")
    is_open = isinstance(lent, SimpleNamespace) or _is_of_tests(lent)
    return is_data and not name.startswith("_") and is_open and not _is_mock(lent)


def _is_of_tests(lent: Any) -> bool:
    return not isinstance(lent, _FUNCTIONS) and any(
        base.__module__ in (TESTS, PROMPT) for base in type(lent).__mro__
    )


def _is_mock(value: Any) -> bool:
    return any(base.__module__ == "unittest.mock" for base in type(value).__mro__)


def _belongs_to_mocks(name: str) -> bool:
    """Return whether a name is one with which a mock records calls, is configured, or decides a test."""
    from unittest.mock import Mock

    return name.startswith("assert") or name in dir(Mock())


class Borrowed:
    """An object that the tests have lent to the program, which may call it and use its public attributes."""

    def __init__(self, number: int, borrow: Callable[..., Any]):
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_borrow", borrow)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the object in the tests' process."""
        return self._borrow({"do": "call", "on": self._number}, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name not in FUNCTION_NAMES:
            raise AttributeError(name)
        return self._borrow({"do": "get", "on": self._number, "name": name})

    def __setattr__(self, name: str, value: Any) -> None:
        self._borrow({"do": "set", "on": self._number, "name": name}, (value,))


@functools.lru_cache(maxsize=256)
def borrowed_class(special: tuple[str, ...]) -> type[Borrowed]:
    """Return a class of lent objects, as the program sees them, that have these special methods."""

    def method(name: str) -> Callable[..., Any]:
        def call(self: Any, *args: Any) -> Any:
            return self._borrow({"do": "special", "on": self._number, "name": name}, args)

        return call

    return type("Borrowed", (Borrowed,), {name: method(name) for name in special if name in LENT_METHODS})
