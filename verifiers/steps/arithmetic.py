"""The check `arithmetic`: a step is right if the equations between numbers in its text hold.

Two forms are read: calculator annotations as in GSM8K (`<<16-3=13>>13`), and plain equations between numbers
(`16 - 3 = 13`, `3 x 4 = 12 = 24 / 2`). An equation with letters in it, or one that is only a part of
something larger, is not read. A step without equations is not judged. Nor is one whose equations hold but
use a number that neither the problem nor an earlier step gave (`unsupported`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from ...tasks.problem import Problem
from ..answers.compare import compare_answers
from ..formulas.tokens import TooLarge
from ..structures.real_sets import constant_of
from ..text.exact_number import read_safely
from ..text.number_words import spelt_number
from ..verdict import Reason, Verdict

_ANNOTATION = re.compile(r"<<([^<>\n]*)>>[ \t*_]{0,4}(?:\$[ \t]*)?(-?(?:\d[\d,]*)?(?:\.\d+)?(?<=\d))?")
_UNSIGNED = r"[$€£]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+)?(?<=\d)%?"
# The number of brackets, spaces and terms is bounded; otherwise the search could take quadratic time.
_OPEN, _CLOSE = r"[(]{0,6}", r"[)]{0,6}"
_TERM = rf"{_OPEN}[-+]?{_UNSIGNED}{_CLOSE}"
_GAP = r"[ \t]{0,3}"
_TIMES = rf"(?:\bx\b|(?<=\d)x(?=\d)){_GAP}{_OPEN}{_UNSIGNED}{_CLOSE}"
_SIDE = rf"{_TERM}(?:{_GAP}(?:[-+*/×÷·^]{_GAP}{_TERM}|{_TIMES})){{0,40}}"
_CHAIN = re.compile(rf"(?<![\w.,:/%)$]){_SIDE}(?:{_GAP}[=≈]{_GAP}{_SIDE}){{1,20}}")
_PART_BEFORE = re.compile(
    r"(?:[-+*/×÷·^(<>{}√]|\\[A-Za-z]+|\d|\d,|\b(?:of|times|plus|minus|over|by|than|x|and|per|to|from|into|every"
    r"|log|ln|sqrt|root))[ \t]*$",
    re.IGNORECASE,
)
"""Text before an equation that makes its first side a part of something larger: `half of 5 + 3 = 4`."""
_PART_AFTER = re.compile(
    r"[A-Za-z_{\\½¼¾⅓⅔]|(?![ \t]+-[ \t]+[A-Za-z]{3})"  # but not a dash before words
    r"[ \t]*(?:[-+*/×÷·^][ \t]*[\w(\\{$.√]|x[ \t]*[\d(]|\\[A-Za-z]|\d|[½¼¾⅓⅔]"
    r"|(?:and|&)[ \t]+\d+/\d|\(mod|¢"
    r"|(?:r|rem|remainder|with|mod|cents?|thousand|million|billion|hundred|dozen)\b)"
    r"|[ \t]*[(]+\d|[.,:]\d|![ \t]*[=\d]",
    re.IGNORECASE,
)
"""Text after an equation that makes its last side a part of something larger: `17 / 3 = 5 R 2`."""
_X_IS_A_LETTER = re.compile(
    r"[-+=(/*][ \t]*x\b|\d[ \t]*x[ \t]*[-+=)]|\)[ \t]*x\b|\bx[ \t]*[=<>]|\blet x\b", re.IGNORECASE
)
_LETTERS = re.compile(r"[A-Za-z\\]")
_SYMBOLS = str.maketrans({"×": "*", "·": "*", "÷": "/", "$": None, "€": None, "£": None, "x": "*"})
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_AMBIGUOUS = re.compile(r"/[ \t]*\d+[ \t]*/[ \t]*\d|[-+][ \t]*\d+(?:\.\d+)?%|%[ \t]*[-+]|\d[ \t]+\d")
"""Notations that have two usual meanings: `25 / 1/3`, `50 + 10%`, `1 1/2`."""
_MARKUP = (
    (re.compile(r"(?<=\d)\*\*(?=\d)"), "^"),
    (re.compile(r"(?m)^[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]+|\*\*|__|`|\\left|\\right"), ""),
    (re.compile(r"\\[dt]?frac\{([\d.]+)\}\{([\d.]+)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\(?:text|mathrm)\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\boxed\{([^{}]*)\}"), r" ; \1 ; "),
    (re.compile(r"\\boxed\{|\\[()\[\]]|\$\$"), " "), (re.compile("=="), "="),
    (re.compile(r"\\times|\\cdot"), "×"), (re.compile(r"\\div"), "÷"), (re.compile(r"\\approx"), "≈"),
    (re.compile(r"\\([$%])"), r"\1"), (re.compile("[–−—]"), "-"),
)  # fmt: skip
_VALUE = re.compile(r"(?:\d[\d,]*)?(?:\.\d+)?(?<=\d)%?")

FACTS = frozenset(
    map(Fraction, "0 1 2 4 5 7 10 12 24 25 30 52 60 100 365 1000 1/2 1/4 1/10 1/20 1/100".split())
)
"""Numbers that a step may use without a source: hours in a day, cents of a coin, per cent, halves."""
_WORDS = {"twice": 2, "double": 2, "doubled": 2, "triple": 3, "tripled": 3, "thrice": 3, "quadruple": 4}

_CALCULATION = re.compile(r"[\d)%][ \t]*[-+*/×÷·^x]")
_WORD_BEFORE = re.compile(r"[A-Za-z][ \t]*$")
SIDE_CHARS = 200
"""Longest side of an equation that is read, in characters."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An equation between two numbers, as a step states it."""

    left: str
    """The text of the left side."""
    right: str
    """The text of the right side."""
    rounded: bool = False
    """Whether the right side is the number after an annotation, which may be rounded to whole units."""
    approximate: bool = False
    """Whether it has a `≈`, or can be read in two ways. It is then never wrong, but may remain unjudged."""


def judge_arithmetic(problems: Sequence[Problem], steps: Sequence[Sequence[str]]) -> list[list[Verdict]]:
    """Judge the equations of each step; `correct` is None if it has none, or none that can be judged."""
    return [_judge_steps(problem, texts) for problem, texts in zip(problems, steps, strict=True)]


def _judge_steps(problem: Problem, texts: Sequence[str]) -> list[Verdict]:
    known = set(_numbers_given(str(problem.prompt))) if problem.prompt else None
    verdicts = []
    for text in texts:
        verdicts.append(_judge(list(claims_of(text)), known))
        if known is not None:
            known.update(_values_in(text))
    return verdicts


def _judge(claims: Sequence[Claim], known: set[Fraction] | None) -> Verdict:
    """Judge the claims of one step; `known` are the numbers given so far, or None to accept any number."""
    marks = [holds(claim) for claim in claims]
    for claim, mark in zip(claims, marks, strict=True):
        if mark is False:
            evidence = {"claim": f"{claim.left} = {claim.right}"}
            return Verdict(False, Reason.FAILED, tier="arithmetic", evidence=evidence)
    if not any(marks):
        return Verdict(None, Reason.NOTHING_TO_CHECK, tier="arithmetic")
    unsupported = [] if known is None else _unsupported(claims, known)
    if unsupported:
        return Verdict(None, Reason.UNSUPPORTED, tier="arithmetic", evidence={"numbers": unsupported})
    return Verdict(True, Reason.PASSED, tier="arithmetic", evidence={"claims": len(claims)})


def claims_of(text: str) -> Iterator[Claim]:
    """Yield the equations between numbers that a text states, annotations first."""
    for annotation in _ANNOTATION.finditer(text):
        yield from _annotated_claims(text, annotation)
    plain = _ANNOTATION.sub(lambda annotation: annotation[1].rpartition("=")[2], text)
    for pattern, replacement in _MARKUP:
        plain = pattern.sub(replacement, plain)
    x_is_a_letter = _X_IS_A_LETTER.search(plain) is not None
    for chain in _CHAIN.finditer(plain):
        if not (x_is_a_letter and "x" in chain.group()):
            yield from _chained_claims(plain, chain)


def _annotated_claims(text: str, annotation: re.Match[str]) -> Iterator[Claim]:
    sides = [side.strip() for side in annotation[1].split("=")]
    claims = list(_claims_between(sides, ""))
    yield from claims
    written = annotation[2]
    # `<<5/100*400000=20000>>20 000`: the number continues after the space.
    continues = re.match(r"[ \t]\d", text[annotation.end() : annotation.end() + 2])
    if claims and written and not continues and _VALUE.fullmatch(sides[-1].lstrip("-")):
        yield Claim(sides[-1], written, rounded=True)


def _chained_claims(plain: str, chain: re.Match[str]) -> Iterator[Claim]:
    """Yield the claims of `a = b = c`, without a first or last side that is part of something larger."""
    sides = [side.strip() for side in re.split("[=≈]", chain.group())]
    signs = "".join(re.findall("[=≈]", chain.group()))
    before = plain[max(0, chain.start() - 12) : chain.start()]
    word_before = _WORD_BEFORE.search(before) is not None
    is_label = word_before and not _CALCULATION.search(sides[0])  # `week 2 = 35`
    if is_label or _PART_BEFORE.search(before):
        sides, signs = sides[1:], signs[1:]
    if _PART_AFTER.match(plain, chain.end()):
        sides, signs = sides[:-1], signs[:-1]
    is_range = bool(sides) and re.fullmatch(r"\d+-\d+", sides[0]) is not None
    if not (is_range and word_before):  # `lines 3-5 = 3 lines`
        yield from _claims_between(sides, signs)


def _claims_between(sides: Sequence[str], signs: str) -> Iterator[Claim]:
    """Yield a claim for each two neighbouring sides; `signs` are those between them, empty if all are `=`."""
    sides = [_balanced(side) for side in sides]
    if not any(map(_CALCULATION.search, sides)):
        return  # `20 = 20` states nothing, and in `half of 50 = 25` the left side is not a number
    for i, (left, right) in enumerate(pairwise(sides)):
        if not left or not right or max(len(left), len(right)) > SIDE_CHARS:
            continue
        if _LETTERS.search((left + right).replace("x", "")):
            continue
        is_ambiguous = _AMBIGUOUS.search(left) or _AMBIGUOUS.search(right)
        is_approximate = signs[i : i + 1] == "≈"
        yield Claim(left, right, approximate=is_approximate or bool(is_ambiguous))


def _balanced(side: str) -> str:
    """Return a side without brackets at its ends that are opened or closed outside of it."""
    while side.count("(") > side.count(")") and side.startswith("("):
        side = side[1:].lstrip()
    while side.count(")") > side.count("(") and side.endswith(")"):
        side = side[:-1].rstrip()
    return side


def holds(claim: Claim) -> bool | None:
    """Return whether both sides are equal, where a decimal may be rounded or cut in its last digit.

    None if a side cannot be read, or may mean something else.
    """
    one, two = (_THOUSANDS.sub("", side.translate(_SYMBOLS)) for side in (claim.left, claim.right))
    try:
        left, right = constant_of(one), constant_of(two)
    except TooLarge:
        return None
    if left is None or right is None:
        return True if compare_answers(one, two).correct else None
    if left == right or _is_near(left, right, one, two, claim):
        return True
    counts_percent = two.endswith("%") and "%" not in one
    # `25/100 x 100 = 25%`: the left side is already in per cent.
    converts = counts_percent and "100" in one and re.fullmatch(r"[\d.]+%", two) is not None
    if converts and abs(left - 100 * right) < Fraction(1, 2):
        return True
    # `25 - 5 = 20%`: both sides may be in per cent.
    lacks_percent = counts_percent and left == 100 * right
    # `100 * 0.75 = $0.75`: one side may be in cents.
    has_dollars = "$" in claim.left + claim.right
    may_be_cents = has_dollars and right != 0 and left / right in (100, Fraction(1, 100))
    return None if claim.approximate or lacks_percent or may_be_cents else False


def _is_near(left: Fraction, right: Fraction, one: str, two: str, claim: Claim) -> bool:
    """Return whether two values differ by no more than rounding; `one` and `two` are their texts."""
    noise = abs(left) / 10**9  # calculators print 14.999999999999998
    if abs(left - right) < noise:
        return True
    if claim.rounded or claim.approximate:
        # Rounding to whole units is allowed too, up or down. After an annotation, `13 fewer` may mean -13.
        number = read_safely(two)
        decimals = (number.decimals or 0) if number else 0
        unit = Fraction(1, 10 ** max(decimals, 0))
        difference = abs(abs(left) - abs(right)) if claim.rounded else abs(left - right)
        is_rounded = abs(left) >= 1 and right != 0 and difference < min(unit, abs(left))
        if difference < noise or is_rounded:
            return True
    return _is_rounded_from(left, two, right) or _is_rounded_from(right, one, left)


def _is_rounded_from(exact: Fraction, text: str, value: Fraction) -> bool:
    """Return whether a decimal or percentage is an exact value, rounded or cut to the digits that it has."""
    number = read_safely(text)
    if number is None or value == 0:
        return False
    decimals = number.decimals or 0
    if decimals < 0 or not (number.percent or decimals):
        return False
    unit = Fraction(1, 10**decimals) / (100 if number.percent else 1)
    is_rounded = abs(exact - value) <= unit / 2
    is_cut = 0 <= abs(exact) - abs(value) < unit
    return is_rounded or is_cut


def _unsupported(claims: Sequence[Claim], known: set[Fraction]) -> list[str]:
    """Return the numbers in the claims' calculations that were not given before, not even by a claim."""
    given = set(known)
    unsupported = []
    for claim in claims:
        if _CALCULATION.search(claim.left):
            for written in _VALUE.findall(claim.left):
                value = _value_of(written)
                if value is not None and not _is_known(value, given):
                    unsupported.append(written)
        given.update(_values_in(claim.right))
    return unsupported


def _is_known(value: Fraction, known: set[Fraction]) -> bool:
    """Return whether a number was given, perhaps in another form.

    Other forms are a percentage, the rest of a whole or what is added to it, and the reciprocal.
    """
    forms = (value, value * 100, value / 100, 100 - value, (1 - value) * 100, value - 100, (value - 1) * 100)
    return value in FACTS or any(form in known for form in forms) or (value != 0 and 1 / value in known)


def _values_in(text: str) -> list[Fraction]:
    return [value for value in map(_value_of, _VALUE.findall(text)) if value is not None]


def _value_of(written: str) -> Fraction | None:
    if not written or len(written) > 40:
        return None
    return Fraction(written.rstrip("%").replace(",", ""))


@lru_cache(maxsize=4096)
def _numbers_given(prompt: str) -> frozenset[Fraction]:
    """Return the numbers that a problem states, in digits or in words."""
    values = _values_in(prompt)
    for match in re.finditer(r"[A-Za-z]+", prompt):
        word = match.group().lower()
        if word in _WORDS:
            values.append(Fraction(_WORDS[word]))
        for text in (word, prompt[match.start() : match.start() + 60].lower()):  # `three dozen`: 3 and 36
            spelt = spelt_number(text)
            # Any other word counts as a 1: it may stand for one thing, as in `a box`.
            value = Fraction(1) if spelt is None else Fraction(spelt[0])
            values += [value, Fraction(value.numerator), Fraction(value.denominator)]
    for top, bottom in re.findall(r"(\d{1,6})/(\d{1,6})", prompt):
        if int(bottom):
            values.append(Fraction(int(top), int(bottom)))
    return frozenset(values)
