"""What a program may do with the objects that tests lend to it, such as callbacks."""

from collections.abc import Mapping, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

LENT_METHODS = tuple(
    f"__{name}__"
    for name in "iter next len getitem contains eq lt gt le ge hash str repr bool enter exit".split()
)
"""Special methods of a lent object that the program may call."""
FUNCTION_NAMES = frozenset(("__name__", "__qualname__", "__doc__", "__module__"))
"""Attributes of a lent object that the program may read although they begin with an underscore."""


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
    is_function = isinstance(lent, type | FunctionType | MethodType | BuiltinFunctionType)
    if name not in FUNCTION_NAMES and (name[0] == "_" or is_function):
        raise AttributeError(name)
    if how == "get":
        return getattr(lent, name)
    # A mock's records, methods and properties decide whether a test passes, so they stay as they are.
    own = getattr(type(lent), name, None)
    if _is_mock(lent) or callable(own) or hasattr(own, "__get__"):
        raise AttributeError(f"a program may not set {name!r} of an object that the tests have lent to it")
    setattr(lent, name, args[0])
    return None


def _is_mock(value: Any) -> bool:
    return any(base.__module__ == "unittest.mock" for base in type(value).__mro__)
