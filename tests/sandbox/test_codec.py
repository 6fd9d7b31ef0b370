"""The codec between a program's process and ours: plain data arrives unchanged, and hostile text is harmless."""

import collections
import enum
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markscheme.sandbox.wire.codec import DEPTH, Items, NotPlainError, decode, encode

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | st.complex_numbers(allow_nan=False) | st.fractions() | st.decimals(allow_nan=False)
)  # fmt: skip


def containers_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, max_size=4)
    pairs = st.tuples(inner, inner)
    return lists | pairs | st.dictionaries(st.text(), inner, max_size=3)


@given(st.recursive(SCALARS, containers_of, max_leaves=20))
def test_plain_data_comes_back_unchanged(value: Any) -> None:
    decoded = decode(encode(value))
    assert decoded == value
    assert type(decoded) is type(value)


TAGS = st.sampled_from(["i", "f", "b", "d", "s", "n", "F", "D", "@", "x", "date", "timedelta", "C"])


def tagged_or_listed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner) | st.dictionaries(TAGS, inner, max_size=1)


def as_json(value: Any) -> str:
    """Return text that is nearly JSON, and may be invalid where a string holds quotes."""
    return str(value).replace("'", '"').replace("None", "null")


TAGGED_TEXT = st.recursive(st.none() | st.integers() | st.text(), tagged_or_listed).map(as_json)


@given(st.text() | TAGGED_TEXT)
def test_hostile_text_is_a_value_or_a_value_error(text: str) -> None:
    try:
        decode(text)
    except ValueError:
        return


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"i": "' + "f" * (1 << 21) + '"}',
        "1" * 10_000,
        '{"n": ["x; import os", ["a"], [1]]}',
        '{"n": ["class", ["a"], [1]]}',
        '{"q": 3}',
        '{"d": [1]}',
        '{"s": [[1]]}',
        "NaN x",
        "\x00",
    ],
)
def test_text_made_to_harm_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (json, int and the codec each have their own message)
        decode(text)


class Level(enum.IntEnum):
    LOW = 1


class LyingList(list[int]):
    """A list whose methods report other items than it holds."""

    def __iter__(self) -> Any:
        return iter([9])

    def __len__(self) -> int:
        return 7


Point = collections.namedtuple("Point", "x y")


def test_an_instance_of_a_derived_class_arrives_as_the_plain_data_that_it_holds() -> None:
    derived = [Level.LOW, LyingList([1, 2]), Point(1, 2), collections.Counter("aab")]
    assert decode(encode(derived)) == [1, [1, 2], (1, 2), {"a": 2, "b": 1}]
    assert decode(encode(Point(1, 2))).y == 2
    assert type(decode(encode(LyingList([1])))) is list
    assert decode(encode(Decimal("1.10"))) == Decimal("1.1")
    assert decode(encode(Fraction(1, 3))) == Fraction(1, 3)


def test_an_iterator_arrives_as_items_that_equal_no_list() -> None:
    drained = decode(encode(x for x in range(3)))
    assert isinstance(drained, Items)
    assert drained != [0, 1, 2]
    assert list(drained) == [0, 1, 2]


@pytest.mark.parametrize("value", [object(), len, [object()], {1: object()}, type])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(NotPlainError, match="not plain data"):
        encode(value)


def test_depth_and_size_are_bounded() -> None:
    deep: list[Any] = []
    for _ in range(DEPTH + 5):
        deep = [deep]
    with pytest.raises(NotPlainError, match="too deeply"):
        encode(deep)
    with pytest.raises(NotPlainError, match="too large"):
        encode([[0] * 1500] * 1500)
