"""Sets of real numbers as unions of intervals: their union, their intersection, and whether two are equal.

Texts such as `x < 1 or x > 3` are read into these sets by `real_sets.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from .outline import Same


@dataclass(frozen=True)
class Piece:
    """One interval of the real line, or one point."""

    low: Fraction | None
    """None = without a lower end."""
    high: Fraction | None
    """None = without an upper end."""
    low_open: bool
    high_open: bool
    texts: tuple[str, str]
    """Both ends as they are written, empty for an end that is not there."""


@dataclass(frozen=True)
class Region:
    """A set of real numbers: sorted pieces that do not touch each other."""

    pieces: tuple[Piece, ...]
    variable: str = ""
    """The variable of its inequalities, as in `x < 3`; empty for a set without one."""


REAL_NUMBERS = Region((Piece(None, None, True, True, ("", "")),))


def merged(pieces: Iterable[Piece], variable: str = "") -> Region:
    """Return the union of pieces, which may overlap and be in any order."""
    joined: list[Piece] = []
    for piece in sorted(pieces, key=_low):
        last = joined[-1] if joined else None
        if last is None or not _touch(last, piece):
            joined.append(piece)
        elif _high(piece) > _high(last):
            texts = (last.texts[0], piece.texts[1])
            joined[-1] = Piece(last.low, piece.high, last.low_open, piece.high_open, texts)
    return Region(tuple(joined), variable)


def intersection(regions: list[Region], variable: str = "") -> Region:
    """Return the numbers that are in all regions."""
    common = list(regions[0].pieces)
    for region in regions[1:]:
        overlaps = [_overlap(one, two) for one in common for two in region.pieces]
        common = [piece for piece in overlaps if piece is not None]
    return merged(common, variable)


def complement(region: Region) -> Region:
    """Return the real numbers that are not in a region."""
    gaps: list[Piece] = []
    low, low_open, text = None, True, ""
    for piece in region.pieces:
        if piece.low is not None:
            gaps.append(Piece(low, piece.low, low_open, not piece.low_open, (text, piece.texts[0])))
        if piece.high is None:
            return Region(tuple(gaps), region.variable)
        low, low_open, text = piece.high, not piece.high_open, piece.texts[1]
    gaps.append(Piece(low, None, low_open, True, (text, "")))
    return Region(tuple(gaps), region.variable)


def _overlap(one: Piece, two: Piece) -> Piece | None:
    bottom = one if _low(one) >= _low(two) else two
    top = one if _high(one) <= _high(two) else two
    piece = Piece(bottom.low, top.high, bottom.low_open, top.high_open, (bottom.texts[0], top.texts[1]))
    if piece.low is None or piece.high is None or piece.low < piece.high:
        return piece
    is_point = piece.low == piece.high and not (piece.low_open or piece.high_open)
    return piece if is_point else None


def _low(piece: Piece) -> tuple[int, Fraction, int]:
    """Return a key that sorts lower ends; at the same value, an open end comes after a closed one."""
    return (0, Fraction(0), 0) if piece.low is None else (1, piece.low, int(piece.low_open))


def _high(piece: Piece) -> tuple[int, Fraction, int]:
    """Return a key that sorts upper ends; at the same value, an open end comes before a closed one."""
    return (2, Fraction(0), 0) if piece.high is None else (1, piece.high, -int(piece.high_open))


def _touch(last: Piece, piece: Piece) -> bool:
    """Return whether a piece overlaps or continues the one before it: [0, 1) and [1, 2] do."""
    if last.high is None or piece.low is None or piece.low < last.high:
        return True
    return piece.low == last.high and not (piece.low_open and last.high_open)


def same_region(one: Region, two: Region, same: Same) -> bool:
    """Return whether two regions are equal; all tiers compare the texts of their ends."""
    if len(one.pieces) != len(two.pieces):
        return False
    if one.variable and two.variable and one.variable != two.variable:
        return False
    return all(_same_piece(a, b, same) for a, b in zip(one.pieces, two.pieces, strict=True))


def _same_piece(one: Piece, two: Piece, same: Same) -> bool:
    if (one.low_open, one.high_open) != (two.low_open, two.high_open):
        return False
    return all(_same_end(a, b, same) for a, b in zip(one.texts, two.texts, strict=True))


def _same_end(one: str, two: str, same: Same) -> bool:
    if one == two:
        return True
    if not one or not two:
        return False  # one of them has an end there, the other has none
    return same(one, two) is True
