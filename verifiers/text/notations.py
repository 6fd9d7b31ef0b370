"""The `notation` tier: number bases, clock times, ratios, remainders and congruences.

The notation is part of the value. `204_5` equals `54_{10}`, but neither `204` nor `204_7`. `2:30` and
`14:30` are times, `2:3` and `4:6` are the same ratio, and `17 R 3` is a quotient with a remainder.
"""

import re
from collections.abc import Sequence

from ..policy import Judge
from ..spelling.lexicon import BELOW_TWENTY
from ..verdict import Verdict, equal_or_different
from .chemistry import is_surely_chemistry, read_chemistry, same_chemistry
from .times import compare_times, read_time

_BASE_WORDS = {
    **{word: value for word, value in BELOW_TWENTY.items() if 2 <= value <= 12},
    "sixteen": 16, "bin": 2, "oct": 8, "dec": 10, "hex": 16,
}  # fmt: skip
_DIGITS = r"(?:\d[0-9A-Fa-f]*(?:[ ,][0-9A-Fa-f]{3,4})*|[A-Fa-f][0-9A-Fa-f]+)(?:\.[0-9A-Fa-f]+)?"
_BASED = re.compile(
    rf"(?P<sign>-?)\(?(?P<digits>{_DIGITS})\)? ?"
    r"(?:_ ?\{? ?\(?(?:base )?(?P<sub>\d{1,2}|[a-z]{3,7})\)? ?\}?|,? ?\(?(?:in )?base[- ](?P<word>\d{1,2}"
    r"|[a-z]{3,7})\)?)"
)
_UPRIGHT = re.compile(r" ?\\(?:mathrm|text|mathtt|texttt|unit) ?\{ ?(\w+) ?\}")
MAX_DIGITS = 1000
"""Longer numbers in a base are not read."""
_PREFIXED = re.compile(r"(?P<sign>-?)0(?P<kind>[bBoOxX])(?P<digits>[0-9A-Fa-f]+)")


def compare(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare two texts if at least one of them uses one of the notations, else return None."""
    chemistry = _chemistry(reference, answer)
    if chemistry is not None:
        return chemistry
    congruence, other_congruence = _congruence(reference), _congruence(answer)
    if congruence is not None and other_congruence is None:
        other_congruence = _family(answer)
    elif other_congruence is not None and congruence is None:
        congruence = _family(reference)
    if congruence is not None and other_congruence is not None:
        return equal_or_different(_same_congruence(congruence, other_congruence, judge))
    if congruence is not None or other_congruence is not None:
        return equal_or_different(False)
    quotient, other_quotient = _remainder(reference), _remainder(answer)
    if quotient is not None or other_quotient is not None:
        return equal_or_different(quotient == other_quotient)
    based, other = read_base(reference), read_base(answer)
    if based is not None and other is not None:
        return equal_or_different(_same_base(based, other))
    if based is not None:
        return _one_base(based, answer, judge, flipped=False)
    if other is not None and reference.isalnum() and _asks_for_base(judge.policy.question, other[0]):
        return equal_or_different(reference.lstrip("0").lower() == other[1])
    if other is not None:
        return _one_base(other, reference, judge, flipped=True)
    times = compare_times(reference, answer)
    return _ratios(reference, answer, judge) if times is None else times


def read_base(text: str) -> tuple[int, str] | None:
    """Return the base and the digits of `1011_2`, `1F_{16}`, `12 (base 5)` or `0xFF`; else None.

    Digits are in lower case and without leading zeros.

    >>> read_base("1F_{16}"), read_base("0b011"), read_base("1F")
    ((16, '1f'), (2, '11'), None)
    """
    text = _UPRIGHT.sub(r"\1", text) if "\\" in text else text
    if match := _PREFIXED.fullmatch(text):
        base, digits = {"b": 2, "o": 8, "x": 16}[match["kind"].lower()], match["digits"]
    elif match := _BASED.fullmatch(text):
        named = match["sub"] or match["word"]
        base = int(named) if named.isdigit() else _BASE_WORDS.get(named, 0)
        digits = re.sub(r"[ ,]", "", match["digits"])
        if match["sub"] and digits[0].isalpha() and base != 16:
            return None  # a_{12} is a term of a sequence
    else:
        return None
    if (
        not 2 <= base <= 36
        or len(digits) > MAX_DIGITS
        or any(int(digit, 36) >= base for digit in digits.replace(".", ""))
    ):
        return None
    return base, match["sign"] + (digits.lstrip("0") or "0").lower()


def _asks_for_base(question: str, base: int) -> bool:
    """Return whether a question asks for a number in a base, so that `1011_2` may answer `1011`."""
    names = "|".join([str(base), *(name for name, value in _BASE_WORDS.items() if value == base)])
    pattern = rf"\b(?:in|to|into) (?:base[ -]?(?:{names})\b|(?:{names})(?:ary|al|adecimal)\b)"
    return re.search(pattern, question, re.IGNORECASE) is not None


def _same_base(one: tuple[int, str], two: tuple[int, str]) -> bool:
    if "." in one[1] + two[1]:
        return one == two
    return int(one[1], one[0]) == int(two[1], two[0])


def _one_base(based: tuple[int, str], plain: str, judge: Judge, *, flipped: bool) -> Verdict:
    """Compare a number in a base with a text without one: only base 10 can be equal.

    `flipped` says that the number in a base is the answer.
    """
    if based[0] != 10:
        return equal_or_different(False)
    return judge(plain, based[1]) if flipped else judge(based[1], plain)


def _chemistry(reference: str, answer: str) -> Verdict | None:
    """Compare chemical formulas; None if neither side must be one, and they are not the same."""
    one = read_chemistry(reference)
    two = read_chemistry(answer) if one is not None else None
    if one is None or two is None:
        return None
    if same_chemistry(one, two):
        return equal_or_different(True)
    return equal_or_different(False) if "@" in one or is_surely_chemistry(reference + answer) else None


_FAMILY = re.compile(
    r"(?:(?P<left>[a-z]) ?= ?)?(?:(?P<before>-?\d+) ?\+ ?)?(?P<modulus>\d+) ?(?P<letter>[a-z])(?: "
    r"?(?P<after>[-+] ?\d+))?"
    r",? ?\(?(?:where |for )?(?P=letter) ?\\in ?\\mathbb ?\{?Z\}?\)?"
)


def _family(text: str) -> tuple[str, str, str] | None:
    r"""Return the left side, residue and modulus of `x = 7k + 5, k \in \mathbb{Z}`; None for other texts."""
    match = _FAMILY.fullmatch(text)
    if match is None:
        return None
    residue = match["before"] or (match["after"] or "0").replace(" ", "").removeprefix("+")
    return match["left"] or "", residue, match["modulus"]


_CONGRUENCE = re.compile(
    r"(?:(?P<left>[^=<>]*?) ?(?:\\equiv|=) ?)?(?P<right>[^=<>]+?) ?\\pmod ?\{(?P<modulus>\w+)\}"
)


def _congruence(text: str) -> tuple[str, str, str] | None:
    r"""Return the left side, right side and modulus of `p \equiv 1 \pmod 4`; the left side may be empty."""
    match = _CONGRUENCE.fullmatch(text) if "pmod" in text else None
    if match is None:
        return None
    return (match["left"] or "").strip(), match["right"].strip(), match["modulus"]


def _same_congruence(one: tuple[str, str, str], two: tuple[str, str, str], judge: Judge) -> bool:
    left, residue, modulus = one
    other_left, other_residue, other_modulus = two
    if modulus != other_modulus:
        return False
    if left and other_left and left.replace(" ", "") != other_left.replace(" ", ""):
        return False
    are_integers = all(re.fullmatch(r"-?\d{1,30}", text) for text in (residue, other_residue))
    if are_integers and modulus.isdigit() and int(modulus):
        return (int(residue) - int(other_residue)) % int(modulus) == 0
    return judge(residue, other_residue).correct is True


_REMAINDER = re.compile(r"(\d{1,30}),? ?(?:R|r|remainder|rem\.?|with (?:a )?remainder(?: of)?) ?(\d{1,30})")


def _remainder(text: str) -> tuple[int, int] | None:
    """Return the quotient and the remainder of `17 R 3`, else None."""
    match = _REMAINDER.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]))


_OUTSIDE_RATIOS = re.compile(r"[;,=<>|]|\\\{|[ap]\.?m\b")
_SPOKEN_RATIO = re.compile(r"\d+(?:\.\d+)? to \d+(?:\.\d+)?(?: to \d+(?:\.\d+)?)*")
MAX_TERMS = 12
"""Ratios of more terms are not read."""


def read_ratio(text: str) -> tuple[str, ...] | None:
    r"""Return the terms of `2:3`, `2 to 3` or `1 : \sqrt{3} : 2`; None if the text is not a ratio."""
    if ":" in text and _OUTSIDE_RATIOS.search(text) is None:
        terms = tuple(term.strip() for term in text.split(":"))
    elif " to " in text and _SPOKEN_RATIO.fullmatch(text):
        terms = tuple(text.split(" to "))
    else:
        return None
    if not 2 <= len(terms) <= MAX_TERMS or any(re.match(r"0\d", term) for term in terms):
        return None  # 7:05 is a time
    return terms if all(re.search(r"[\d\\a-z]", term) and len(term) <= 80 for term in terms) else None


def _ratios(reference: str, answer: str, judge: Judge) -> Verdict | None:
    """Compare ratios with each other or with a quotient; None if neither side is a ratio."""
    (names, reference), (given_names, answer) = without_names(reference), without_names(answer)
    one, two = read_ratio(reference), read_ratio(answer)
    if one is not None and two is not None:
        if names and given_names and names != given_names:
            if sorted(names) != sorted(given_names):
                return equal_or_different(False)
            two = tuple(two[given_names.index(name)] for name in names)
        return equal_or_different(_same_ratio(one, two, judge))
    if one is not None:
        quotient = _quotient(one, reference)
        return equal_or_different(False) if quotient is None else judge(quotient, answer)
    if two is not None:
        quotient = _quotient(two, answer)
        return equal_or_different(False) if quotient is None else judge(reference, quotient)
    return None


_NAMED_RATIO = re.compile(r"(?P<names>[^=:<>,;]{1,40}(?::[^=:<>,;]{1,40})+)=(?P<ratio>[^=]+)")


def without_names(text: str) -> tuple[list[str], str]:
    """Split `AB:CD = 3:4` into the names and the ratio; the names are empty where the text has none."""
    match = _NAMED_RATIO.fullmatch(text) if ":" in text and "=" in text else None
    if match is None or match["names"].count(":") != match["ratio"].count(":"):
        return [], text
    return match["names"].replace(" ", "").split(":"), match["ratio"].strip()


def _quotient(terms: Sequence[str], text: str) -> str | None:
    """Return `(a)/(b)` for the ratio `a:b`; None for more terms, or if its text may also be a time."""
    if len(terms) != 2 or read_time(text) is not None:
        return None
    return f"({terms[0]})/({terms[1]})"


def _same_ratio(one: Sequence[str], two: Sequence[str], judge: Judge) -> bool:
    """Return whether two ratios are equal: a : b = c : d if ad = bc, and a 0 needs a 0 opposite."""
    if len(one) != len(two):
        return False
    if any("ldots" in term for term in (*one, *two)):
        return all(judge(a, b).correct is True for a, b in zip(one, two, strict=True))
    zeros, other_zeros = ([judge("0", term).correct is True for term in terms] for terms in (one, two))
    if zeros != other_zeros or all(zeros):
        return False
    base = zeros.index(False)  # the pair of terms that all others are multiplied by, crosswise
    return all(
        judge(f"({a})*({two[base]})", f"({b})*({one[base]})").correct is True
        for a, b in zip(one, two, strict=True)
    )
