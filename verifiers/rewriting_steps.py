r"""Does a rewriting keep the value? `= 2(x + 1)` and in the next line `= 2x + 2`, by the answer verifier.

Read is what stands in formulas, or a line that is nothing else. A side that follows another with `=` in
one chain, or starts a line with `=`, must have the value of the side before it; an equation that
follows an equation in the same letters must have the same solutions. What is not of that form is not
judged.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..tasks.problem import Problem
from .answer import compare_answers
from .verdict import Reason, Verdict

_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_EQUALS = re.compile(r"(?<![<>!:=\\])=(?!=)")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")
_OTHER_SIGNS = re.compile(r"[<>≤≥≠]|\\(?:le|ge|lt|gt|ne|approx|equiv|in|to|Rightarrow|implies)(?![A-Za-z])")
MAX_CHARS = 300


def judge_rewriting(problems: Sequence[Problem], steps: Sequence[Sequence[str]]) -> list[list[Verdict]]:
    """Judge each step's rewriting of what stands before it: one verdict a step."""
    return [_judge_chain(texts) for texts in steps]


def _judge_chain(texts: Sequence[str]) -> list[Verdict]:
    verdicts: list[Verdict] = []
    before = ""  # the last side of the chain that a line with `=` would go on with
    equation = ""
    for text in texts:
        marks: list[tuple[bool | None, str]] = []
        for formula in _formulas(text):
            sides = [side.strip(" \t\n&.,;") for side in _EQUALS.split(formula)]
            goes_on = len(sides) > 1 and not sides[0]
            chain = [before, *sides[1:]] if goes_on else sides
            letters = [set(_LETTER.findall(side)) for side in chain]
            if not goes_on and len(sides) == 2 and letters[0] | letters[1]:
                marks.append((_same(equation, formula, equation_of=True), formula))
                equation = formula
            if goes_on or len(sides) > 2:
                for one, two in pairwise(chain):
                    marks.append((_same(one, two), f"{one} = {two}"))
            before = chain[-1]
        verdicts.append(_verdict(marks))
    return verdicts


def _formulas(text: str) -> Iterator[str]:
    found = [next(filter(None, match.groups())) for match in _FORMULA.finditer(text)]
    for formula in found or ([text] if not _WORD.search(text) else []):
        for line in formula.split("\\\\"):
            if len(line) <= MAX_CHARS and not _OTHER_SIGNS.search(line):
                yield line.replace("&", "")


def _same(one: str, two: str, *, equation_of: bool = False) -> bool | None:
    """Compare two sides, or two equations; None where they do not speak of the same letters."""
    letters = set(_LETTER.findall(one)), set(_LETTER.findall(two))
    if not one or not two or letters[0] != letters[1]:
        return None
    if not equation_of and len(letters[0]) == 0 and re.fullmatch(r"[\d.,\s]*", one + two):
        return compare_answers(one, two).correct
    verdict = compare_answers(one, two)
    if verdict.correct is False and verdict.reason is Reason.UNEVALUATED:
        verdict = compare_answers(two, one)
    return verdict.correct


def _verdict(marks: Sequence[tuple[bool | None, str]]) -> Verdict:
    for mark, said in marks:
        if mark is False:
            return Verdict(False, Reason.FAILED, tier="rewriting", evidence={"claim": said})
    if any(mark for mark, _ in marks):
        return Verdict(True, Reason.PASSED, tier="rewriting")
    return Verdict(None, Reason.NOTHING_TO_CHECK, tier="rewriting")
