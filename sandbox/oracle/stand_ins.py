"""Stand-ins, on the tests' side of a check, for the program's classes and objects.

Expected values must not reach the program, and its own methods must not decide what is equal. So a
stand-in is equal to nothing but another one, or by the plain data that it holds where its class is
derived from a built-in one; an operator with a plain value on its other side goes to the program only
for an object that the tests themselves made from one of its classes, and then only another object may
come back.
"""

from collections.abc import Callable
from typing import Any, Protocol

COMPARING = frozenset(f"__{name}__" for name in "eq ne lt le gt ge".split())
TELLING_NOTHING = frozenset(
    f"__{name}__"
    for name in (
        "len bool iter next getitem setitem delitem call enter exit str repr hash int float index complex"
        " round abs neg pos invert reversed format bytes copy await"
    ).split()
)
"""Special methods that tell the program nothing of what is expected."""
_ASKING = frozenset(
    "difference symmetric_difference intersection union issubset issuperset isdisjoint index count startswith"
    " endswith find rfind rindex".split()
)
"""Methods that tests ask of plain data, and by which they would tell an object what is expected."""
_SHOWN = frozenset(("__name__", "__qualname__", "__module__", "__annotations__", "__wrapped__"))


class Refused(BaseException):
    """An expected value would have reached the program. No test can catch this as an Exception."""


class Link(Protocol):
    """What a stand-in needs of the program."""

    def call(self, handle: int, args: tuple[Any, ...], kwargs: dict[str, Any], special: str = "") -> Any:
        """Call an object, or a special method of its class."""

    def get(self, handle: int, name: str) -> Any:
        """Return an attribute."""

    def set(self, handle: int, name: str, value: Any) -> None:
        """Set an attribute."""

    def delete(self, handle: int, name: str) -> None:
        """Delete an attribute."""

    def data(self, handle: int) -> Any:
        """Return the plain data of an object whose class is derived from a built-in one."""

    def refuse(self, what: str) -> Refused:
        """Return the exception to raise, and remember it."""
        ...


class RemoteClass(type):
    """The class of stand-ins of one of the program's classes: calling it makes an object there."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make an object in the program's process, and its stand-in here."""
        made = cls._markscheme_program.call(cls._markscheme_class, args, kwargs)
        if isinstance(made, Remote) and cls._markscheme_trusted:
            object.__setattr__(made, "_markscheme_ours", True)
        return made

    def __getattr__(cls, name: str) -> Any:
        if name.startswith(("_markscheme", "__", "_abc")) or "_markscheme_class" not in cls.__dict__:
            raise AttributeError(name)
        return cls._markscheme_program.get(cls._markscheme_class, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        if name.startswith(("_markscheme", "__", "_abc")):
            type.__setattr__(cls, name, value)
        else:
            cls._markscheme_program.set(cls._markscheme_class, name, value)

    def __iter__(cls) -> Any:
        return cls._markscheme_program.call(cls._markscheme_class, (), {}, special="__iter__")

    def __len__(cls) -> int:
        return cls._markscheme_program.call(cls._markscheme_class, (), {}, special="__len__")

    def __bool__(cls) -> bool:
        return True

    def __getitem__(cls, key: Any) -> Any:
        return cls._markscheme_program.call(cls._markscheme_class, (key,), {}, special="__getitem__")


class Remote:
    """A stand-in for an object of the program."""

    __slots__ = ("__weakref__", "_markscheme_handle", "_markscheme_ours")
    _markscheme_program: Link
    _markscheme_plain = False
    """Whether its class is derived from a built-in one, so that it holds plain data."""

    def __getattr__(self, name: str) -> Any:
        if name == "_markscheme_ours":
            return False
        if name.startswith("__") and name not in _SHOWN:  # protocols: an array's could point into our memory
            raise AttributeError(name)
        if name in _ASKING and not self._markscheme_ours:
            return lambda *args, **kwargs: _asked(self, name, args, kwargs)
        return self._markscheme_program.get(self._markscheme_handle, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._markscheme_program.set(self._markscheme_handle, name, value)

    def __delattr__(self, name: str) -> None:
        self._markscheme_program.delete(self._markscheme_handle, name)


def _asked(remote: Remote, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    program = remote._markscheme_program
    if all(isinstance(arg, Remote) for arg in args):
        return program.get(remote._markscheme_handle, name)(*args, **kwargs)
    if remote._markscheme_plain:
        return getattr(program.data(remote._markscheme_handle), name)(*args, **kwargs)
    raise program.refuse(name)


def space_of(program: Link, handle: int, special: list[str], plain: bool) -> dict[str, Any]:
    """Return what a stand-in's class holds: the special methods that the program's class has."""
    own = {name: _special(program, name, plain) for name in special}
    own |= {
        "__slots__": (),
        "_markscheme_program": program,
        "_markscheme_class": handle,
        "_markscheme_trusted": False,
        "_markscheme_plain": plain,
        "__eq__": _equal(program, "__eq__" in special, plain),
        "__doc__": property(lambda remote: program.get(remote._markscheme_handle, "__doc__")),
        "__dict__": property(lambda remote: program.get(remote._markscheme_handle, "__dict__")),
    }
    own.pop("__ne__", None)  # the opposite of __eq__
    own.setdefault("__hash__", lambda remote: hash((id(program), remote._markscheme_handle)))
    return own


def _special(program: Link, name: str, plain: bool) -> Callable[..., Any]:
    def method(self: Remote, *args: Any, **kwargs: Any) -> Any:
        if name in TELLING_NOTHING or all(isinstance(arg, Remote) for arg in args):
            return program.call(self._markscheme_handle, args, kwargs, special=name)
        if plain:
            data = program.data(self._markscheme_handle)
            return getattr(type(data), name)(data, *args, **kwargs)
        if not self._markscheme_ours or name in COMPARING:
            raise program.refuse(name)
        made = program.call(self._markscheme_handle, args, kwargs, special=name)
        if name != "__contains__" and not isinstance(made, Remote) and made is not NotImplemented:
            raise program.refuse(name)
        return made

    method.__name__ = name
    return method


def _equal(program: Link, defined: bool, plain: bool) -> Callable[[Remote, object], Any]:
    def equal(self: Remote, other: object) -> Any:
        if self is other:
            return True
        if isinstance(other, Remote):
            if not defined:
                return NotImplemented
            return program.call(self._markscheme_handle, (other,), {}, special="__eq__")
        return program.data(self._markscheme_handle) == other if plain else NotImplemented

    return equal


def restore(ours: Any, now: Any) -> None:
    """Make our lists, dicts and sets what the program's copies have become, in place."""
    if type(ours) is not type(now):
        return
    if isinstance(ours, list):
        for old, new in zip(ours, now, strict=False):
            restore(old, new)
        kept = [old if _same_kind(old, new) else new for old, new in zip(ours, now, strict=False)]
        ours[:] = kept + now[len(ours) :]
    elif isinstance(ours, dict):
        for key, new in now.items():
            if key in ours and _same_kind(ours[key], new):
                restore(ours[key], new)
                now[key] = ours[key]
        ours.clear()
        ours.update(now)
    elif isinstance(ours, set):
        ours.clear()
        ours.update(now)
    elif isinstance(ours, tuple):
        for old, new in zip(ours, now, strict=False):
            restore(old, new)


def _same_kind(old: Any, new: Any) -> bool:
    return type(old) is type(new) and isinstance(old, list | dict | set)
