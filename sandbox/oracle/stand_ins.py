"""Stand-ins for the program's classes and objects, in the process of the tests.

Expected values must not reach the program, and the program must not decide what is equal to them. So the
program is asked whether two of its objects are equal, but never whether one is equal to a plain value: that
is decided here, by the plain data that the object holds if its class is derived from a built-in one.

Other operators between an object and a plain value are passed to the program only if the tests have created
the object themselves from one of its classes, and their result counts only if it is another object:
`Vector(1, 2) * 3` works. (`in` may give any result.) Everything else that would show an expected value to the
program is refused, and the test fails.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import Any, Protocol

COMPARING = frozenset(f"__{name}__" for name in "eq ne lt le gt ge".split())
REVEALING_NOTHING = frozenset(
    f"__{name}__"
    for name in (
        "len bool iter next getitem setitem delitem call enter exit str repr hash int float index complex"
        " round abs neg pos invert reversed format bytes copy await aiter anext aenter aexit"
    ).split()
)
"""Special methods whose arguments, if there are any, are inputs rather than expected values."""
_QUERIES = frozenset(
    "difference symmetric_difference intersection union issubset issuperset isdisjoint index count startswith"
    " endswith find rfind rindex".split()
)
"""Methods of plain data that tests call with an expected value as the argument."""
_OF_DATA = frozenset(
    f"__{name}__"
    for name in "len bool iter getitem int float index complex round abs neg pos invert reversed".split()
)
"""Special methods of an answer that holds plain data, which answers them, and not the program's class."""
_MOST_ITEMS = 10_000
"""The most items of an object that are compared with its length and indices."""
_READABLE = frozenset(("__name__", "__qualname__", "__module__", "__annotations__", "__wrapped__"))
"""Special attributes that are read from the program's object."""


class RefusedError(BaseException):
    """An expected value would have reached the program. Not an Exception, since a test might catch that."""


class ProgramLink(Protocol):
    """The operations on the program that stand-ins need; `Program` in `tests_side.py` provides them."""

    def call(
        self,
        handle: int,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        special: str = "",
        once: bool = False,
    ) -> Any:
        """Call an object, or a special method of its class; `once`: answer a repeated reading from memory."""

    def get(self, handle: int, name: str, once: bool = False) -> Any:
        """Return an object's attribute; `once`: answer a repeated reading from memory."""

    def set(self, handle: int, name: str, value: Any) -> None:
        """Set an object's attribute."""

    def delete(self, handle: int, name: str) -> None:
        """Delete an object's attribute."""

    def data(self, handle: int) -> Any:
        """Return the plain data of an object whose class is derived from a built-in one."""

    def copy(self, handle: int, deep: bool) -> Any:
        """Return a copy of an object, which is made in the program's process."""

    def hide(self, failure: BaseException) -> None:
        """Remember a failed assert that the program may hide."""

    def refuse(self, what: str, why: str = "") -> RefusedError:
        """Return the error to raise, and remember it."""
        ...


class StandInClass(type):
    """The metaclass of stand-ins for the program's classes."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Create an object in the program's process, and return its stand-in."""
        result = cls._markscheme_program.call(cls._markscheme_class, args, kwargs)
        if isinstance(result, StandIn) and cls._markscheme_trusted:
            object.__setattr__(result, "_markscheme_ours", True)
        return result

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


class StandIn:
    """A stand-in for one of the program's objects."""

    __slots__ = ("__weakref__", "_markscheme_handle", "_markscheme_ours")
    _markscheme_program: ProgramLink
    _markscheme_plain = False
    """Whether the object's class is derived from a built-in one, so that it holds plain data."""

    def __getattr__(self, name: str) -> Any:
        if name == "_markscheme_ours":  # the slot is set only if the tests have created the object
            return False
        if name.startswith("_markscheme"):
            raise AttributeError(name)
        # Other special names belong to protocols, such as that of arrays, which could point into our memory.
        if name.startswith("__") and name not in _READABLE:
            raise AttributeError(name)
        if name in _QUERIES and not self._markscheme_ours:
            return lambda *args, **kwargs: _query(self, name, args, kwargs)
        return self._markscheme_program.get(self._markscheme_handle, name, once=not self._markscheme_ours)

    def __copy__(self) -> Any:
        return self._markscheme_program.copy(self._markscheme_handle, False)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._markscheme_program.copy(self._markscheme_handle, True)

    def __setattr__(self, name: str, value: Any) -> None:
        self._markscheme_program.set(self._markscheme_handle, name, value)

    def __delattr__(self, name: str) -> None:
        self._markscheme_program.delete(self._markscheme_handle, name)


def _query(stand_in: StandIn, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call one of `_QUERIES`: in the program if all arguments are its objects, else here on plain data."""
    program = stand_in._markscheme_program
    if all(isinstance(arg, StandIn) for arg in args):
        return program.get(stand_in._markscheme_handle, name)(*args, **kwargs)
    if stand_in._markscheme_plain:
        return getattr(program.data(stand_in._markscheme_handle), name)(*args, **kwargs)
    raise program.refuse(f"calling {name} of one of its objects")


def namespace_of(program: ProgramLink, handle: int, special: list[str], plain: bool) -> dict[str, Any]:
    """Return the namespace of the stand-in for a class.

    Args:
        program: the program that has the class.
        handle: the handle of the class.
        special: the special methods that the class has.
        plain: whether the class is derived from a built-in one.
    """
    namespace = {name: _special(program, name, special, plain) for name in special}
    namespace |= {
        "__slots__": (),
        "_markscheme_program": program,
        "_markscheme_class": handle,
        "_markscheme_trusted": False,
        "_markscheme_plain": plain,
        "__eq__": _equal(program, "__eq__" in special, plain),
        "__doc__": property(lambda stand_in: program.get(stand_in._markscheme_handle, "__doc__")),
        "__dict__": property(lambda stand_in: program.get(stand_in._markscheme_handle, "__dict__")),
    }
    namespace.pop("__copy__", None)
    if "__getitem__" in special and "__iter__" not in special:
        namespace["__iter__"] = _iterated_by_index(program, special)
    namespace.pop("__ne__", None)  # Python then takes the opposite of __eq__
    namespace.setdefault("__hash__", lambda stand_in: hash((id(program), stand_in._markscheme_handle)))
    return namespace


def _special(program: ProgramLink, name: str, special: Sequence[str], plain: bool) -> Callable[..., Any]:
    """Return a special method of a stand-in's class; the arguments are those of `namespace_of`."""

    def method(self: StandIn, *args: Any, **kwargs: Any) -> Any:
        if name in ("__exit__", "__aexit__") and isinstance(args[1], AssertionError | RefusedError):
            program.hide(args[1])  # a context manager of the program may not hide that a test has failed
        if plain and name in _OF_DATA and not self._markscheme_ours:
            data = program.data(self._markscheme_handle)
            if hasattr(type(data), name):
                return getattr(type(data), name)(data, *args, **kwargs)
            if name == "__bool__":
                return bool(data)
        if name == "__iter__" and not self._markscheme_ours and {"__len__", "__getitem__"} & set(special):
            return iter(_items(program, self, special))
        if name in REVEALING_NOTHING or all(isinstance(arg, StandIn) for arg in args):
            once = not self._markscheme_ours
            return program.call(self._markscheme_handle, args, kwargs, special=name, once=once)
        if plain:
            data = program.data(self._markscheme_handle)
            return getattr(type(data), name)(data, *args, **kwargs)
        if not self._markscheme_ours or name in COMPARING:
            raise program.refuse(f"calling {name} of one of its objects")
        result = program.call(self._markscheme_handle, args, kwargs, special=name)
        if name != "__contains__" and not isinstance(result, StandIn) and result is not NotImplemented:
            raise program.refuse(f"calling {name} of one of its objects")
        return result

    method.__name__ = name
    return method


def _iterated_by_index(program: ProgramLink, special: Sequence[str]) -> Callable[[StandIn], Any]:
    """Return an `__iter__` that asks for items until there is no next one, as Python does without it."""

    def iterate(self: StandIn) -> Any:
        items: list[Any] = []
        while len(items) <= _MOST_ITEMS:
            try:
                items.append(program.call(self._markscheme_handle, (len(items),), {}, special="__getitem__"))
            except IndexError:
                break
        if "__len__" in special and program.call(self._markscheme_handle, (), {}, special="__len__") != len(
            items
        ):
            raise program.refuse("an object", "has another length than items")
        return iter(items)

    return iterate


def _items(program: ProgramLink, stand_in: StandIn, special: Sequence[str]) -> Iterable[Any]:
    """Return the items of an object, after checking that its length and its indices tell the same of it.

    Raises:
        RefusedError: they do not.
    """
    handle = stand_in._markscheme_handle
    iterator = program.call(handle, (), {}, special="__iter__")
    items = list(islice(iterator, _MOST_ITEMS + 1))
    if len(items) > _MOST_ITEMS:
        return chain(items, iterator)
    if "__len__" in special and program.call(handle, (), {}, special="__len__") != len(items):
        raise program.refuse("an object", "has another length than its iteration has items")
    if "__getitem__" in special:
        try:
            indexed = [program.call(handle, (i,), {}, special="__getitem__") for i in range(len(items))]
        except Exception:  # its indices are no numbers
            return items
        if indexed != items and not hasattr(stand_in, "keys"):
            raise program.refuse("an object", "has other items by index than by iteration")
    return items


def _equal(program: ProgramLink, defined: bool, plain: bool) -> Callable[[StandIn, object], Any]:
    """Return `__eq__` of a stand-in's class; `defined` says whether the program's class has one too."""

    def equal(self: StandIn, other: object) -> Any:
        if self is other:
            return True
        if isinstance(other, StandIn):
            if not defined:
                return NotImplemented
            return program.call(self._markscheme_handle, (other,), {}, special="__eq__")
        return program.data(self._markscheme_handle) == other if plain else NotImplemented

    return equal


def restore(ours: Any, theirs: Any) -> None:
    """Change our lists, dicts and sets in place, to what a call has made of the program's copies of them."""
    if type(ours) is not type(theirs):
        return
    if isinstance(ours, list):
        pairs = list(zip(ours, theirs, strict=False))
        for old, new in pairs:
            restore(old, new)
        ours[:] = [old if _is_restored(old, new) else new for old, new in pairs] + theirs[len(ours) :]
    elif isinstance(ours, dict):
        for key, new in theirs.items():
            if key in ours and _is_restored(ours[key], new):
                restore(ours[key], new)
                theirs[key] = ours[key]
        ours.clear()
        ours.update(theirs)
    elif isinstance(ours, set):
        ours.clear()
        ours.update(theirs)
    elif isinstance(ours, tuple):
        for old, new in zip(ours, theirs, strict=False):
            restore(old, new)


def _is_restored(old: Any, new: Any) -> bool:
    """Whether `restore` changes `old` in place to be as `new`, so that the object can stay."""
    return type(old) is type(new) and isinstance(old, list | dict | set)
