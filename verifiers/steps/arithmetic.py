r"""Does a step calculate right? Equations in its text, judged by the answer verifier.

Read are calculator annotations (GSM8K's `<<16-3=13>>13`) and plain equations between numbers
(`16 - 3 = 13`, `3 x 4 = 12 = 24 / 2`). What holds letters, or is only a part of something larger, is no
claim; a step without a claim is not judged. A step that calculates right with a number that neither the
problem nor an earlier step gave is not judged either: `unsupported`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from ...tasks.problem import Problem
from ..answers.verify import compare_answers
from ..formulas.tokens import TooLarge
from ..structures.real_sets import constant_of
from ..text.exact_number import read_safely
from ..text.number_words import spelt_number
from ..verdict import Reason, Verdict

_ANNOTATION = re.compile(r"<<([^<>\n]*)>>[ \t*_]{0,4}(?:\$[ \t]*)?(-?(?:\d[\d,]*)?(?:\.\d+)?(?<=\d))?")
_UNSIGNED = r"[$€£]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)?(?:\.\d+)?(?<=\d)%?"
_OPEN, _CLOSE = r"[(]{0,6}", r"[)]{0,6}"  # counts are bounded: without an end it would be quadratic
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
_PART_BEHIND = re.compile(
    r"[A-Za-z_{\\½¼¾⅓⅔]|(?![ \t]+-[ \t]+[A-Za-z]{3})"  # a dash before words
    r"[ \t]*(?:[-+*/×÷·^][ \t]*[\w(\\{$.√]|x[ \t]*[\d(]|\\[A-Za-z]|\d|[½¼¾⅓⅔]"
    r"|(?:and|&)[ \t]+\d+/\d|\(mod|¢"
    r"|(?:r|rem|remainder|with|mod|cents?|thousand|million|billion|hundred|dozen)\b)"
    r"|[ \t]*[(]+\d|[.,:]\d|![ \t]*[=\d]",
    re.IGNORECASE,
)
_X_IS_A_LETTER = re.compile(
    r"[-+=(/*][ \t]*x\b|\d[ \t]*x[ \t]*[-+=)]|\)[ \t]*x\b|\bx[ \t]*[=<>]|\blet x\b", re.IGNORECASE
)
_LETTERS = re.compile(r"[A-Za-z\\]")
_SYMBOLS = str.maketrans({"×": "*", "·": "*", "÷": "/", "$": None, "€": None, "£": None, "x": "*"})
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_AMBIGUOUS = re.compile(r"/[ \t]*\d+[ \t]*/[ \t]*\d|[-+][ \t]*\d+(?:\.\d+)?%|%[ \t]*[-+]|\d[ \t]+\d")
"""`25 / 1/3`, `50 + 10%`, `1 1/2`: people mean either of two things."""
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
"""Numbers that anyone may bring along: hours of a day, per cent, halves, cents of a coin."""
_WORDS = {"twice": 2, "double": 2, "doubled": 2, "triple": 3, "tripled": 3, "thrice": 3, "quadruple": 4}

_CALCULATION = re.compile(r"[\d)%][ \t]*[-+*/×÷·^x]")
SIDE_CHARS = 200
"""Longer sides are not read."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An equation between two numbers."""

    left: str
    right: str
    rounded: bool = False
    """The right side only writes down the left one, and may round it to whole units."""
    about: bool = False
    """`≈`, or written so that it may mean something else: never wrong, only not known."""


def judge_arithmetic(problems: Sequence[Problem], steps: Sequence[Sequence[str]]) -> list[list[Verdict]]:
    """Judge the equations of each step: one verdict a step, None where it has none that can be told."""
    return [_judge_chain(problem, texts) for problem, texts in zip(problems, steps, strict=True)]


def _judge_chain(problem: Problem, texts: Sequence[str]) -> list[Verdict]:
    known = set(_given(str(problem.prompt))) if problem.prompt else None
    verdicts = []
    for text in texts:
        found = list(claims_of(text))
        verdicts.append(_judge(found, known))
        if known is not None:
            known.update(value for value in map(_value_of, _VALUE.findall(text)) if value is not None)
    return verdicts


def _judge(claims: Sequence[Claim], known: set[Fraction] | None) -> Verdict:
    marks = [holds(claim) for claim in claims]
    for claim, mark in zip(claims, marks, strict=True):
        if mark is False:
            said = f"{claim.left} = {claim.right}"
            return Verdict(False, Reason.FAILED, tier="arithmetic", evidence={"claim": said})
    if not any(marks):
        return Verdict(None, Reason.NOTHING_TO_CHECK, tier="arithmetic")
    if known is not None and (foreign := _unsupported(claims, known)):
        return Verdict(None, Reason.UNSUPPORTED, tier="arithmetic", evidence={"numbers": foreign})
    return Verdict(True, Reason.PASSED, tier="arithmetic", evidence={"claims": len(claims)})


def claims_of(text: str) -> Iterator[Claim]:
    """Yield the equations between numbers that a text states, annotations first."""
    for match in _ANNOTATION.finditer(text):
        sides = [side.strip() for side in match[1].split("=")]
        found = list(_pairs(sides, ""))
        yield from found
        whole = not re.match(r"[ \t]\d", text[match.end() : match.end() + 2])  # `20 000` goes on
        if found and match[2] and whole and _VALUE.fullmatch(sides[-1].lstrip("-")):
            yield Claim(sides[-1], match[2], rounded=True)  # what is written behind it is what was calculated
    plain = _ANNOTATION.sub(lambda match: match[1].rpartition("=")[2], text)
    for pattern, written in _MARKUP:
        plain = pattern.sub(written, plain)
    letter = _X_IS_A_LETTER.search(plain) is not None
    for chain in _CHAIN.finditer(plain):
        if letter and "x" in chain.group():
            continue
        before = plain[max(0, chain.start() - 12) : chain.start()]
        sides = [side.strip() for side in re.split("[=≈]", chain.group())]
        signs = re.findall("[=≈]", chain.group())
        counted = not _CALCULATION.search(sides[0]) and re.search(r"[A-Za-z][ \t]*$", before)  # `week 2 = `
        if _PART_BEFORE.search(before) or counted:
            sides, signs = sides[1:], signs[1:]
        if _PART_BEHIND.match(plain, chain.end()):
            sides, signs = sides[:-1], signs[:-1]
        a_range = re.fullmatch(r"\d+-\d+", sides[0]) if sides else None
        if not (a_range and re.search(r"[A-Za-z][ \t]*$", before)):
            yield from _pairs(sides, "".join(signs))


def _pairs(sides: Sequence[str], signs: str) -> Iterator[Claim]:
    sides = [_balanced(side) for side in sides]
    if not any(map(_CALCULATION.search, sides)):
        return  # `20 = 20` says nothing, and `half of 50 = 25` is no equation of numbers
    for place, (left, right) in enumerate(pairwise(sides)):
        longest = max(len(left), len(right))
        if left and right and longest <= SIDE_CHARS and not _LETTERS.search((left + right).replace("x", "")):
            about = signs[place : place + 1] == "≈" or bool(
                _AMBIGUOUS.search(left) or _AMBIGUOUS.search(right)
            )
            yield Claim(left, right, about=about)


def _balanced(side: str) -> str:
    """Drop a bracket that the text around the equation opened or closed."""
    while side.count("(") > side.count(")") and side.startswith("("):
        side = side[1:].lstrip()
    while side.count(")") > side.count("(") and side.endswith(")"):
        side = side[:-1].rstrip()
    return side


def holds(claim: Claim) -> bool | None:
    """Say whether two sides are equal; a decimal may be rounded or cut in its last digit.

    None where a side cannot be read, or may mean something else.
    """
    one, two = (_THOUSANDS.sub("", side.translate(_SYMBOLS)) for side in (claim.left, claim.right))
    try:
        left, right = constant_of(one), constant_of(two)
    except TooLarge:
        return None
    if left is None or right is None:
        return True if compare_answers(one, two).correct else None
    if left == right or _near(left, right, one, two, claim):
        return True
    if (
        "100" in one
        and re.fullmatch(r"[\d.]+%", two)
        and "%" not in one
        and abs(left - 100 * right) < Fraction(1, 2)
    ):
        return True  # `25/100 x 100 = 25%`: the sign says what the number is
    percent = two.endswith("%") and "%" not in one and left == 100 * right  # `25 - 5 = 20%`
    scaled = right != 0 and left / right in (100, Fraction(1, 100)) and "$" in claim.left + claim.right
    return None if claim.about or scaled or percent else False  # `100 * 0.75 = $0.75`: cents


def _near(left: Fraction, right: Fraction, one: str, two: str, claim: Claim) -> bool:
    noise = abs(left) / 10**9  # calculators print 14.999999999999998
    if claim.rounded or claim.about:  # to whole units too, up or down; and `13 fewer` may stand for -13
        number = read_safely(two)
        unit = Fraction(1, 10 ** max((number.decimals or 0) if number else 0, 0))
        apart = abs(abs(left) - abs(right)) if claim.rounded else abs(left - right)
        if apart < noise or (abs(left) >= 1 and right != 0 and apart < min(unit, abs(left))):
            return True
    sides = ((left, two, right), (right, one, left))
    return abs(left - right) < noise or any(_shows(exact, text, value) for exact, text, value in sides)


def _shows(exact: Fraction, text: str, value: Fraction) -> bool:
    """Whether a decimal or percentage is what an exact value is when rounded, or cut, to as many digits."""
    number = read_safely(text)
    if number is None or value == 0 or not (number.percent or number.decimals) or (number.decimals or 0) < 0:
        return False
    unit = Fraction(1, 10 ** (number.decimals or 0)) / (100 if number.percent else 1)
    return abs(exact - value) <= unit / 2 or 0 <= abs(exact) - abs(value) < unit


def _unsupported(claims: Sequence[Claim], known: set[Fraction]) -> list[str]:
    results = set(known)
    foreign = []
    for claim in claims:
        for written in _VALUE.findall(claim.left) if _CALCULATION.search(claim.left) else ():
            value = _value_of(written)
            if value is not None and not _is_known(value, results):
                foreign.append(written)
        results.update(value for value in map(_value_of, _VALUE.findall(claim.right)) if value is not None)
    return foreign


def _is_known(value: Fraction, known: set[Fraction]) -> bool:
    """Whether a number was given: as it is, as a percentage, as what is left of or added to a whole."""
    forms = (value, value * 100, value / 100, 100 - value, (1 - value) * 100, value - 100, (value - 1) * 100)
    return value in FACTS or any(form in known for form in forms) or (value != 0 and 1 / value in known)


def _value_of(written: str) -> Fraction | None:
    if not written or len(written) > 40:
        return None
    return Fraction(written.rstrip("%").replace(",", ""))


@lru_cache(maxsize=4096)
def _given(prompt: str) -> frozenset[Fraction]:
    """Return the numbers that a problem states, in digits or words."""
    values = [value for value in map(_value_of, _VALUE.findall(prompt)) if value is not None]
    for match in re.finditer(r"[A-Za-z]+", prompt):
        word = match.group().lower()
        values += [Fraction(_WORDS[word])] if word in _WORDS else []
        for text in (word, prompt[match.start() : match.start() + 60].lower()):  # `three dozen`: 3 and 36
            spelt = spelt_number(text)
            value = Fraction(spelt[0]) if spelt is not None else Fraction(1)
            values += [value, Fraction(value.numerator), Fraction(value.denominator)]
    for top, bottom in re.findall(r"(\d{1,6})/(\d{1,6})", prompt):
        values += [Fraction(int(top), int(bottom))] if int(bottom) else []
    return frozenset(values)
