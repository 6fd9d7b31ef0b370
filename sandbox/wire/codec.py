"""Plain data between a program's process and ours, as JSON with tags, which cannot hold code.

None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, Decimal, Fraction, dates and
times, ranges, slices, paths, Counter, OrderedDict, deque and named tuples arrive as they were. An instance of
a class derived from one of them arrives as the plain data that it holds, read by methods of the base class so
that none of the program's methods is called. Arrays arrive as lists, and iterators are drained into `Items`.

`RemoteSandbox` sends the source of this file to a server, so it may not import anything from this package.
"""

import importlib
import itertools
import json
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

Foreign = Callable[[Any], Any]
"""When packing: returns the JSON for a value that is not plain data. When unpacking: the reverse."""
DEPTH = 200
"""The deepest nesting of a value that is sent."""
NODES = 2_000_000
"""The most items of all containers together in a value that is sent."""
DIGITS = 1 << 20
"""The most hexadecimal digits of an integer that is read."""
FINE_DIGITS = 4096
"""The most digits of a fraction or decimal, and its highest power of ten: arithmetic with more is slow."""
COLLISIONS = 1000
"""The most members of a set or dict that share a hash with another: adding them takes quadratic time."""
KINDS = 1000
"""The most named tuples in a text that is read, since each may need a class of its own."""
_DRAINED = 100_000
"""The most items of an iterator that is sent."""
_SMALL = 1 << 53
"""Integers from here on are sent in hexadecimal, to which Python's limit of 4300 digits does not apply."""
_OWN = frozenset("builtins collections decimal fractions datetime pathlib itertools numpy".split())
"""Where `foreign` is given, only values of these modules' classes are packed here; others go to `foreign`."""
_FACTORIES = (int, float, str, list, dict, set, tuple, bool)
_FACTORIES_BY_NAME = {factory.__name__: factory for factory in _FACTORIES}
"""What a defaultdict that is sent may fill in."""
_HINTS = {
    "DataFrame": "; return its to_dict() or its values",
    "Series": "; return its to_list()",
    "coroutine": "; a test must await it, as asyncio.run does",
    "Tensor": "; return its tolist()",
}
"""What to do about some types of values."""
_VIEWS = (type({}.keys()), type({}.values()), type({}.items()))
_ITERATORS = (
    map, zip, filter, enumerate, reversed, type(iter([])), type(iter(())), type(iter(set())), type(iter("")),
    type(iter({})), type(i for i in ()), type(iter(range(0))), type(reversed([])), itertools.chain,
    itertools.islice, itertools.product, itertools.permutations, itertools.combinations,
    itertools.accumulate, itertools.starmap,
)  # fmt: skip


class Items:
    """The items of a drained iterator. It can be iterated over, as by list(), and equals only itself."""

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __init__(self, items: list[Any]):
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._items


class View(Items):
    """The items of a dictionary's view, which unlike an iterator has a length."""

    def __len__(self) -> int:
        return len(self._items)


class NotPlainError(TypeError):
    """A value is not plain data, or is nested too deeply."""


class TooLargeError(NotPlainError):
    """A value has too many items, or takes too many bytes."""


def encode(value: Any, foreign: Foreign | None = None) -> str:
    """Return a value as JSON text; without `foreign`, iterators are drained.

    Raises:
        NotPlainError: the value holds something that is not plain data, and there is no `foreign`.
    """
    return json.dumps(pack(value, foreign))


def array_of(kind: Any, items: Any) -> Any:
    """Return the numpy array that was sent as `A`; the items themselves if numpy is not installed here."""
    try:
        numpy = importlib.import_module("numpy")
    except ImportError:
        return items
    return numpy.array(items, dtype=numpy.dtype(str(kind)))


def pack(value: Any, foreign: Foreign | None = None, known: Mapping[int, int] | None = None) -> Any:
    """Return a value as objects that JSON can hold; see `encode`.

    `known` maps the id() of lists, dicts and sets that the other side already has to their numbers: a number
    is sent in place of such an object, so that the other side gets its own object back.
    """
    return _Encoder(foreign, known or {}).pack(value, 0)


def containers(value: Any) -> list[Any]:
    """Return the lists, dicts and sets in a value, in the order in which both sides meet them."""
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
    """A packer of one value, which counts down how many items the value may still have (`left`)."""

    def __init__(self, foreign: Foreign | None, known: Mapping[int, int]):
        self.foreign, self.known = foreign, known
        self.left = NODES

    def pack(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if -_SMALL < value < _SMALL else {"i": f"{value:x}"}
        if kind is float:
            return value if value - value == 0 else {"f": repr(value)}  # true for finite numbers only
        self.left -= 1
        if depth > DEPTH:
            raise NotPlainError(f"the value is nested too deeply (at most {DEPTH})")
        if self.left < 0:
            raise TooLargeError(f"the value is too large (at most {NODES} items)")
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
            raise TooLargeError(f"the value is too large (at most {NODES} items)")
        return [self.pack(item, depth + 1) for item in values]

    def _tagged(self, value: Any, kind: type, depth: int) -> Any:
        """Return {tag: content} for a value that JSON cannot hold as it is."""
        if issubclass(kind, tuple):
            fields = getattr(kind, "_fields", None)
            if type(fields) is tuple and fields:
                names, items = self._all(fields, depth), self._all(list(tuple.__iter__(value)), depth)
                return {"n": [kind.__name__, names, items]}
        if kind is defaultdict and value.default_factory in _FACTORIES:
            return {"dd": [value.default_factory.__name__, *self._all(list(_pairs(value)), depth)]}
        for base, tag, read in _CONTAINERS:
            if issubclass(kind, base):
                return {tag: self._all(list(read(value)), depth)}
        for base, write in _SCALARS:
            if issubclass(kind, base):
                return write(value)
        if isinstance(value, _VIEWS) or (self.foreign is None and isinstance(value, _ITERATORS)):
            drained = list(itertools.islice(iter(value), _DRAINED + 1))
            if len(drained) > _DRAINED:
                raise NotPlainError(f"the value holds an iterator of more than {_DRAINED} items")
            return {"V" if isinstance(value, _VIEWS) else "I": self._all(drained, depth)}
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
            shaped = numpy.ndarray.tolist(value) if isinstance(value, numpy.ndarray) else value.item()
            if self.foreign is not None and isinstance(value, numpy.ndarray) and value.dtype.kind in "biufcU":
                return {"A": [value.dtype.str, self.pack(shaped, depth + 1)]}
            if type(shaped) is not kind:  # the item() of a longdouble is a longdouble again
                return self.pack(shaped, depth + 1)
        if self.foreign is not None:
            return self.foreign(value)
        hint = _HINTS.get(kind.__name__, "")
        raise NotPlainError(f"a value of type {kind.__name__!r} is not plain data{hint}")


def _pairs(value: Any) -> Iterator[Any]:
    return itertools.chain.from_iterable(dict.items(value))


# The first base that fits decides, so a class precedes the classes that it is derived from.
_CONTAINERS: tuple[tuple[type, str, Any], ...] = (
    (list, "l", list.__iter__), (tuple, "t", tuple.__iter__), (Counter, "C", _pairs),
    (OrderedDict, "O", _pairs), (dict, "d", _pairs), (deque, "q", deque.__iter__),
    (set, "s", set.__iter__), (frozenset, "z", frozenset.__iter__),
)  # fmt: skip
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
    (type(Ellipsis), lambda value: {"ellipsis": 0}),
    (range, lambda value: {"range": [value.start, value.stop, value.step]}),
    (slice, lambda value: {"slice": [value.start, value.stop, value.step]}),
    (PurePath, lambda value: {"path": PurePath.__str__(value)}),
)  # fmt: skip


def decode(text: str | bytes, foreign: Foreign | None = None) -> Any:
    """Return the value that `encode` wrote. The text may come from a hostile program.

    Raises:
        ValueError: the text is not an encoded value, or one that would take too long to build.
    """
    named = text.count('{"n"') if isinstance(text, str) else text.count(b'{"n"')
    if named > KINDS:
        raise ValueError(f"{named} named tuples (at most {KINDS} are read)")
    try:
        packed = json.loads(text)
    except (RecursionError, TypeError) as error:
        raise ValueError(f"not a value: {error}") from error
    return unpack(packed, foreign)


def unpack(packed: Any, foreign: Foreign | None = None) -> Any:
    """Return the value that `pack` wrote; see `decode`."""
    try:
        return _unpack(packed, foreign, 0)
    except (RecursionError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"not a value: {error}") from error


def _unpack(packed: Any, foreign: Foreign | None, depth: int) -> Any:
    if depth > 2 * DEPTH:
        raise ValueError(f"a value nested more than {2 * DEPTH} deep")
    if isinstance(packed, list):
        return [_unpack(item, foreign, depth + 1) for item in packed]
    if not isinstance(packed, dict):
        return packed
    ((tag, body),) = packed.items()
    if tag == "n":
        name, fields, items = body
        kind = _named_tuple(str(name), tuple(fields))
        return kind(*(_unpack(item, foreign, depth + 1) for item in items))
    if tag == "dd":
        return defaultdict(
            _FACTORIES_BY_NAME[body[0]], _mapping([_unpack(item, foreign, depth + 1) for item in body[1:]])
        )
    if tag in _REBUILT:
        return _REBUILT[tag]([_unpack(item, foreign, depth + 1) for item in body])
    if tag in _READ:
        return _READ[tag](body)
    if foreign is not None:
        return foreign(packed)
    raise ValueError(f"unknown tag {tag!r}")


@lru_cache(maxsize=256)
def _named_tuple(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields)


def _mapping(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(_hashed(items[::2]), items[1::2], strict=True))


def _hashed(items: list[Any]) -> list[Any]:
    """Return the members of a set or the keys of a dict, after checking that it can be built quickly."""
    if len(items) - len(set(map(hash, items))) > COLLISIONS:
        raise ValueError(f"a set or dictionary with more than {COLLISIONS} members that share a hash")
    return items


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if value.is_finite() and (abs(value.adjusted()) > FINE_DIGITS or len(text) > FINE_DIGITS):
        raise ValueError(f"a decimal of more than {FINE_DIGITS} digits, or with a larger power of ten")
    return value


def _integer(digits: str, most: int = DIGITS) -> int:
    if len(digits) > most:
        raise ValueError(f"an integer of more than {most} digits")
    return int(digits, 16)


_REBUILT: dict[str, Callable[[list[Any]], Any]] = {
    "l": list, "t": tuple, "d": _mapping, "q": deque, "I": Items, "V": View,
    "C": lambda items: Counter(_mapping(items)),
    "O": lambda items: OrderedDict(_mapping(items)),
    "s": lambda items: set(_hashed(items)),
    "z": lambda items: frozenset(_hashed(items)),
}  # fmt: skip
_READ: dict[str, Callable[[Any], Any]] = {
    "i": _integer, "f": float, "b": bytes.fromhex, "y": bytearray.fromhex, "D": _decimal,
    "c": lambda body: complex(float(body[0]), float(body[1])),
    "F": lambda body: Fraction(_integer(body[0], FINE_DIGITS), _integer(body[1], FINE_DIGITS)),
    "datetime": datetime.fromisoformat, "date": date.fromisoformat, "time": time.fromisoformat,
    "timedelta": lambda body: timedelta(*body),
    "ellipsis": lambda body: ...,
    "range": lambda body: range(*body),
    "slice": lambda body: slice(*body),
    "path": lambda body: Path(body),
}  # fmt: skip
