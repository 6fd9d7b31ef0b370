"""Objects that tests lend to a program, such as callbacks: what the program may do with them."""

from collections.abc import Mapping, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

LENT = tuple(
    f"__{name}__"
    for name in "iter next len getitem contains eq lt gt le ge hash str repr bool enter exit".split()
)
"""Special methods of a lent object that the program may call."""
FUNCTION_NAMES = frozenset(("__name__", "__qualname__", "__doc__", "__module__"))
"""Attributes of a lent object that the program may read although they begin with an underscore."""


def special_methods_of(value: Any) -> list[str]:
    """Return those of `LENT` that an object's class defines."""
    return [name for name in LENT if any(name in vars(base) for base in type(value).__mro__[:-1])]


def use_lent(lent: Any, how: str, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Do with a lent object what the program asks for, and return the result.

    Args:
        lent: the object.
        how: `call`, `special`, `get` or `set`.
        name: of the attribute or special method.
        args: the arguments of a call, or the value to set.
        kwargs: the keyword arguments of a call.

    Raises:
        AttributeError: the program may not do this.
    """
    if how == "call":
        return lent(*args, **kwargs)
    if how == "special" and name in LENT:
        return getattr(type(lent), name)(lent, *args)
    function = isinstance(lent, type | FunctionType | MethodType | BuiltinFunctionType)
    if not (name in FUNCTION_NAMES or (name[0] != "_" and not function)):
        raise AttributeError(name)
    if how == "get":
        return getattr(lent, name)
    # A mock's records, methods and properties decide whether a test passes, so they stay as they are.
    own = getattr(type(lent), name, None)
    if _is_mock(lent) or callable(own) or hasattr(own, "__get__"):
        raise AttributeError(f"{name} of an object of the tests is not the program's to set")
    setattr(lent, name, args[0])
    return None


def _is_mock(value: Any) -> bool:
    return any(base.__module__ == "unittest.mock" for base in type(value).__mro__)
