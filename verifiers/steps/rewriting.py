r"""Does a rewriting keep the value? `= 2(x + 1)` and in the next line `= 2x + 2`, by the answer verifier.

Read is what stands in formulas, or a line that is nothing else. A side with letters that follows another
with the same letters in one chain of `=`, or in a line that starts with `=`, must have its value. What is
known to agree is right (numbers, and equations that follow each other, too); but numbers are for
`arithmetic`, and an equation may well choose a root or say something new: those are never wrong here.
Neither is anything with words, names of several letters, units or dots in it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ...tasks.problem import Problem
from ..answers.verify import compare_answers
from ..verdict import Reason, Verdict

_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_EQUALS = re.compile(r"(?<![<>!:=\\])=(?!=)")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z](?![A-Za-z])")
_UNREAD = re.compile(r"[<>≤≥≠≈°%?:|]|\.\.|(?<![A-Za-z\d])[A-Za-z]{2,}|\d[ \t]+\d")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_READ = frozenset(
    f"\\{name}" for name in "frac dfrac tfrac sqrt cdot times div left right pi sin cos tan log ln".split()
)
"""Commands of formulas that are read."""
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
            if not goes_on and len(sides) == 2 and _LETTER.search(formula):
                marks.append((_same(equation, formula) or None, formula))
                equation = formula
            if goes_on or len(sides) > 2:
                marks += [(_rewritten(one, two), f"{one} = {two}") for one, two in pairwise(chain)]
            before = chain[-1]
        verdicts.append(_verdict(marks))
    return verdicts


def _formulas(text: str) -> Iterator[str]:
    found = [next(filter(None, match.groups())) for match in _FORMULA.finditer(text)]
    for formula in found or ([text] if not _WORD.search(text) else []):
        for line in formula.split("\\\\"):
            plain = line.replace("&", "")
            read = all(command in _READ for command in _COMMAND.findall(plain))
            if len(line) <= MAX_CHARS and read and not _UNREAD.search(_COMMAND.sub(" ", plain)):
                yield plain


def _same(one: str, two: str) -> bool | None:
    """Compare two sides, or two equations; None where they do not speak of the same letters."""
    letters = [set(_LETTER.findall(_COMMAND.sub(" ", side))) for side in (one, two)]
    if not one or not two or letters[0] != letters[1]:
        return None
    verdict = compare_answers(one, two)
    if verdict.correct is False and verdict.reason is Reason.UNEVALUATED:
        verdict = compare_answers(two, one)
    return verdict.correct


def _rewritten(one: str, two: str) -> bool | None:
    """As `_same`, but numbers are never wrong here: whether they are rounded is another check's."""
    same = _same(one, two)
    return same if same or _LETTER.search(_COMMAND.sub(" ", one)) else None


def _verdict(marks: Sequence[tuple[bool | None, str]]) -> Verdict:
    for mark, said in marks:
        if mark is False:
            return Verdict(False, Reason.FAILED, tier="rewriting", evidence={"claim": said})
    if any(mark for mark, _ in marks):
        return Verdict(True, Reason.PASSED, tier="rewriting")
    return Verdict(None, Reason.NOTHING_TO_CHECK, tier="rewriting")
