"""Plain data between a program's process and ours: JSON with tags, nothing that could run.

Exact values of None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset and dict,
Decimal, Fraction, dates and times, Counter, OrderedDict, deque and named tuples. What a program
derives from one of them counts as the plain data that it holds, so that no method of a program's own
is ever asked. Arrays count as their lists; iterators are drained into `Items`.
"""

import itertools
import json
import sys
from collections import Counter, OrderedDict, deque, namedtuple
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

DEPTH = 200
"""Deepest nesting,"""
NODES = 2_000_000
"""and most values, that are sent."""
DIGITS = 1 << 20
"""Most hexadecimal digits of a whole number that are read,"""
FINE_DIGITS = 4096
"""and digits, or tens of an exponent, of a fraction or a decimal: what works with them is slow."""
COLLISIONS = 1000
"""Most members of a set that share their hash with another: a set of only such ones is quadratic."""
KINDS = 1000
"""Most named tuples."""
_DRAINED = 100_000
_SMALL = 1 << 53
_OWN = frozenset("builtins collections decimal fractions datetime pathlib itertools numpy".split())
"""Modules whose classes are sent as data to the other side of a check; all others by handle."""
_VIEWS = (type({}.keys()), type({}.values()), type({}.items()))
_ITERATORS = (
    map, zip, filter, enumerate, reversed, type(iter([])), type(iter(())), type(iter(set())), type(iter("")),
    type(iter({})), type(i for i in ()), type(iter(range(0))), type(reversed([])), itertools.chain,
    itertools.islice, itertools.product, itertools.permutations, itertools.combinations,
    itertools.accumulate, itertools.starmap,
)  # fmt: skip


class Items:
    """What an iterator gave: to be gone through, as by list() or set(), and equal to nothing."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self, items: list[Any]):
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._items


class View(Items):
    """What a view of a dictionary gave: it has a length too."""

    def __len__(self) -> int:
        return len(self._items)


class NotPlainError(TypeError):
    """A value that is not plain data, too deep or too large."""


def encode(value: Any, foreign: Callable[[Any], Any] | None = None) -> str:
    """Return a value as JSON text.

    Args:
        value: what a program gave.
        foreign: returns the JSON of what is not plain data (and of iterators); without it that is
            an error (and iterators are drained).

    Raises:
        NotPlainError: says what is not plain.
    """
    return json.dumps(pack(value, foreign))


def pack(
    value: Any, foreign: Callable[[Any], Any] | None = None, known: Mapping[int, int] | None = None
) -> Any:
    """Return a value as what JSON can hold; see `encode`.

    Args:
        value: what is sent.
        foreign: as for `encode`.
        known: lists, dicts and sets that the other side has, by their id(): it gets back its own.
    """
    return _Encoder(foreign, known or {}).pack(value, 0)


def containers(value: Any) -> list[Any]:
    """Return the lists, dicts and sets in a value, in the order in which they are met."""
    found: list[Any] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) in (list, dict, set):
            found.append(item)
        if type(item) in (list, tuple):
            waiting.extend(reversed(item))
        elif type(item) is dict:
            waiting.extend(reversed(item.values()))
    return found


class _Encoder:
    def __init__(self, foreign: Callable[[Any], Any] | None, known: Mapping[int, int]):
        self.foreign, self.known = foreign, known
        self.left = NODES

    def pack(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if -_SMALL < value < _SMALL else {"i": f"{value:x}"}
        if kind is float:
            return value if value - value == 0 else {"f": repr(value)}
        self.left -= 1
        if depth > DEPTH or self.left < 0:
            raise NotPlainError("the value is nested too deeply, or too large")
        if id(value) in self.known:
            return {"a": self.known[id(value)]}
        if kind is list:
            return self._all(value, depth)
        if self.foreign is not None and kind.__module__ not in _OWN:
            return self.foreign(value)
        return self._tagged(value, kind, depth)

    def _all(self, values: Any, depth: int) -> list[Any]:
        self.left -= len(values)
        if self.left < 0:
            raise NotPlainError("the value is too large")
        return [self.pack(item, depth + 1) for item in values]

    def _tagged(self, value: Any, kind: type, depth: int) -> Any:
        if issubclass(kind, tuple) and type(fields := getattr(kind, "_fields", None)) is tuple and fields:
            return {
                "n": [
                    kind.__name__,
                    self._all(list(fields), depth),
                    self._all(list(tuple.__iter__(value)), depth),
                ]
            }
        for base, tag, items in _CONTAINERS:
            if issubclass(kind, base):
                return {tag: self._all(list(items(value)), depth)}
        for base, write in _SCALARS:
            if issubclass(kind, base):
                return write(value)
        if isinstance(value, _VIEWS) or (self.foreign is None and isinstance(value, _ITERATORS)):
            drained = list(itertools.islice(iter(value), _DRAINED + 1))
            if len(drained) > _DRAINED:
                raise NotPlainError(f"an iterator of more than {_DRAINED} items")
            return {"V" if isinstance(value, _VIEWS) else "I": self._all(drained, depth)}
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
            shaped = numpy.ndarray.tolist(value) if isinstance(value, numpy.ndarray) else value.item()
            if type(shaped) is not kind:
                return self.pack(shaped, depth + 1)
        if self.foreign is not None:
            return self.foreign(value)
        raise NotPlainError(f"a value of type {kind.__name__!r} is not plain data")


def _pairs(value: Any) -> Iterator[Any]:
    for pair in dict.items(value):
        yield from pair


_CONTAINERS: tuple[tuple[type, str, Any], ...] = (
    (list, "l", list.__iter__),
    (tuple, "t", tuple.__iter__),
    (Counter, "C", _pairs),
    (OrderedDict, "O", _pairs),
    (dict, "d", _pairs),
    (deque, "q", deque.__iter__),
    (set, "s", set.__iter__),
    (frozenset, "z", frozenset.__iter__),
)
_SCALARS: tuple[tuple[type, Any], ...] = (
    (int, lambda value: {"i": int.__format__(value, "x")}),
    (float, lambda value: {"f": float.__repr__(value)}),
    (str, lambda value: str.__str__(value)),
    (bytes, lambda value: {"b": bytes.hex(value)}),
    (bytearray, lambda value: {"y": bytearray.hex(value)}),
    (complex, lambda value: {"c": [repr(complex.__getattribute__(value, p)) for p in ("real", "imag")]}),
    (Decimal, lambda value: {"D": Decimal.__str__(value)}),
    (Fraction, lambda value: {"F": [f"{value._numerator:x}", f"{value._denominator:x}"]}),
    (datetime, lambda value: {"datetime": datetime.isoformat(value)}),
    (date, lambda value: {"date": date.isoformat(value)}),
    (time, lambda value: {"time": time.isoformat(value)}),
    (timedelta, lambda value: {"timedelta": [value.days, value.seconds, value.microseconds]}),
    (range, lambda value: {"range": [value.start, value.stop, value.step]}),
    (slice, lambda value: {"slice": [value.start, value.stop, value.step]}),
    (PurePath, lambda value: {"path": PurePath.__str__(value)}),
)  # fmt: skip


def decode(text: str | bytes, foreign: Callable[[Any], Any] | None = None) -> Any:
    """Return the value that `encode` wrote; the text may come from a hostile program.

    Raises:
        ValueError: it is no such text.
    """
    named = text.count('{"n"') if isinstance(text, str) else text.count(b'{"n"')
    if named > KINDS:
        raise ValueError("too many named tuples")
    try:
        packed = json.loads(text)
    except (RecursionError, TypeError) as error:
        raise ValueError(f"not a value: {error}") from error
    return unpack(packed, foreign)


def unpack(packed: Any, foreign: Callable[[Any], Any] | None = None) -> Any:
    """Return the value that `pack` wrote; see `decode`."""
    try:
        return _unpack(packed, foreign, 0)
    except (RecursionError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"not a value: {error}") from error


def _unpack(packed: Any, foreign: Callable[[Any], Any] | None, depth: int) -> Any:
    if depth > 2 * DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(packed, list):
        return [_unpack(item, foreign, depth + 1) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((tag, body),) = packed.items()
    if tag == "n":
        return _named(body, foreign, depth)
    if tag in _REBUILT:
        return _REBUILT[tag]([_unpack(item, foreign, depth + 1) for item in body])
    if tag in _READ:
        return _READ[tag](body)
    if foreign is not None:
        return foreign(packed)
    raise ValueError(f"unknown tag {tag!r}")


def _mapping(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(_hashed(items[::2]), items[1::2], strict=True))


def _hashed(items: list[Any]) -> list[Any]:
    if len(items) - len(set(map(hash, items))) > COLLISIONS:
        raise ValueError("a set or dictionary whose members share their hashes")
    return items


def _named(body: list[Any], foreign: Callable[[Any], Any] | None, depth: int) -> Any:
    name, fields, items = body
    made = _named_kind(str(name), tuple(fields))
    return made(*(_unpack(item, foreign, depth + 1) for item in items))


@lru_cache(maxsize=256)
def _named_kind(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields)


_REBUILT: dict[str, Callable[[list[Any]], Any]] = {
    "l": list,
    "t": tuple,
    "d": _mapping,
    "C": lambda items: Counter(_mapping(items)),
    "O": lambda items: OrderedDict(_mapping(items)),
    "q": deque,
    "s": lambda items: set(_hashed(items)),
    "z": lambda items: frozenset(_hashed(items)),
    "I": Items,
    "V": View,
}
_READ: dict[str, Callable[[Any], Any]] = {
    "i": lambda body: _whole(body),
    "f": float,
    "b": bytes.fromhex,
    "y": bytearray.fromhex,
    "c": lambda body: complex(float(body[0]), float(body[1])),
    "D": lambda body: _decimal(body),
    "F": lambda body: Fraction(_whole(body[0], FINE_DIGITS), _whole(body[1], FINE_DIGITS)),
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda body: timedelta(*body),
    "range": lambda body: range(*body),
    "slice": lambda body: slice(*body),
    "path": lambda body: Path(body),
}


def _decimal(text: str) -> Decimal:
    made = Decimal(text)
    if made.is_finite() and (abs(made.adjusted()) > FINE_DIGITS or len(text) > FINE_DIGITS):
        raise ValueError("a decimal of too many digits")
    return made


def _whole(digits: str, most: int = DIGITS) -> int:
    if len(digits) > most:
        raise ValueError("a number of too many digits")
    return int(digits, 16)
