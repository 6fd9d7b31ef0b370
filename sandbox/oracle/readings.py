"""What the tests' process remembers of a program's values, so that it need not ask for them twice.

A program computes the value of an attribute anew each time that it is asked, so a property could first be
above 3 and then below 5. And it may change what a test has passed to it, and computes expected values from.
"""

import copy
from collections.abc import Sequence
from typing import Any

READS = frozenset(
    f"__{name}__"
    for name in "len getitem contains bool int float index complex str repr hash abs round neg pos".split()
)
"""Special methods that do not change an object."""
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_UNCHANGING = (type(None), int, float, complex, str, bytes)


def is_plain(value: Any) -> bool:
    """Return whether a value consists of numbers, text, lists, tuples, dicts and sets."""
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if type(value) in (list, tuple, set, frozenset):
        return all(map(is_plain, value))
    return type(value) in _PLAIN


def _cannot_change(data: Any) -> bool:
    if isinstance(data, tuple | frozenset):
        return all(map(_cannot_change, data))
    return isinstance(data, _UNCHANGING)


class Readings:
    """What has been read from the program's objects since the program ran last."""

    def __init__(self) -> None:
        self.values: dict[Any, Any] = {}
        """By the handle of the object, what was read, and the arguments."""
        self.data: dict[int, Any] = {}
        """The plain data of objects whose class is derived from a built-in one, by handle."""

    def keep(self, handle: int, data: Any) -> Any:
        """Keep an object's plain data, and return it."""
        self.data[handle] = data
        return data

    def forget(self) -> None:
        """Forget what may change when the program runs."""
        self.values.clear()
        self.data = {handle: data for handle, data in self.data.items() if _cannot_change(data)}


class Originals:
    """Containers that a test has passed to the program, as they were before the program changed them."""

    def __init__(self) -> None:
        self._before: dict[
            int, tuple[Any, Any, bool]
        ] = {}  # by id(): the container, the copy, and whether weak
        self._noted: dict[int, tuple[Any, Any]] = {}
        self._fields: dict[
            tuple[int, str], tuple[Any, Any]
        ] = {}  # by id() and name: the object, and the value

    def keep(self, passed: Sequence[Any], weak: bool) -> None:
        """Keep copies of containers before a call changes them.

        `weak`: the call returns nothing, so that changing them may be all that it is for.
        """
        for container in passed:
            if id(container) not in self._before:
                try:
                    self._before[id(container)] = container, copy.deepcopy(container), weak
                except Exception:  # it holds an object that cannot be copied
                    continue

    def note(self, value: Any, original: Any) -> None:
        """Remember what a value that a test has computed would be, had its arguments not been changed."""
        if isinstance(value, list | dict | set | tuple):  # other values may be one object with two meanings
            self._noted[id(value)] = value, original

    def keep_field(self, owner: Any, name: str) -> None:
        """Keep the value of an object's attribute before the program sets it."""
        if hasattr(owner, name):
            self._fields.setdefault((id(owner), name), (owner, getattr(owner, name)))

    def field(self, owner: Any, name: str) -> Any:
        """Return an attribute as it was before the program set it."""
        kept = self._fields.get((id(owner), name))
        return getattr(owner, name) if kept is None else kept[1]

    def of(self, value: Any, weak: bool = False) -> Any:
        """Return a value as it was before the program changed it; `weak`: also in calls without a result."""
        if id(value) in self._before and (weak or not self._before[id(value)][2]):
            return self._before[id(value)][1]
        if id(value) in self._noted:
            return self._noted[id(value)][1]
        if type(value) in (list, tuple):
            items = [self.of(item, weak) for item in value]
            return value if all(map(_is, items, value)) else type(value)(items)
        if type(value) is dict:
            pairs = {key: self.of(item, weak) for key, item in value.items()}
            return value if all(map(_is, pairs.values(), value.values())) else pairs
        return value

    def forget(self) -> None:
        """Forget all of them."""
        self._before.clear()
        self._noted.clear()
        self._fields.clear()


def _is(one: Any, other: Any) -> bool:
    return one is other
