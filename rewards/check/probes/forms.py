"""Finding the form in which a task reads answers, so that probes can put other answers into the same form."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from ....tasks.problem import Completion, Problem
from ....verifiers.answers.compare import compare_answers
from ....verifiers.programs.find_code import extract_program
from ...scheme import MarkScheme
from ...score import Score

THOUGHT = "Let me work this out step by step."
_WRAPS = {
    "bare": ("", ""),
    "box": ("\\boxed{", "}"),
    "tag": ("<answer>", "</answer>"),
    "tag with line breaks": ("<answer>\n", "\n</answer>"),
    "last line": ("Answer: ", ""),
    "hashes": ("#### ", ""),
    "sentence": ("The answer is ", "."),
    "bold": ("**", "**"),
    "program": ("```python\n", "\n```"),
    "code tag": ("<code>", "</code>"),
}
"""What stands around an answer, by the name of the form; the plainest first."""


@dataclass(frozen=True)
class Sampled:
    """A problem that probes are made for."""

    place: str
    problem: Problem
    right: str
    """Its right answer: the first reference, or else the solution; empty if it has neither."""
    wrong: tuple[str, ...]
    """Wrong answers of the same kind, most of them the right answers to other problems."""
    kind: str
    """Which of the entries with a route apply to it; earnings are compared within a kind."""


def sampled(
    problems: Sequence[tuple[str, Problem]], *, programs: bool, kinds: Sequence[str]
) -> list[Sampled]:
    """Return problems with a right and wrong answers for each.

    Args:
        problems: with the places of their rows.
        programs: whether answers are programs, so that the solutions' code stands for references.
        kinds: for each problem, which entries apply to it; see `Sampled.kind`.
    """
    rights = [right_answer(problem, programs) for _, problem in problems]
    found = []
    for i, (place, problem) in enumerate(problems):
        others = dict.fromkeys([*rights[i + 1 :], *rights[:i]])
        wrong = [one for one in others if one and is_wrong(one, rights[i], problem)][:3]
        more = (one for one in _altered(rights[i], Random(i)) if is_wrong(one, rights[i], problem))
        wrong += [one for one in more if one not in wrong][: 3 - len(wrong)]
        found.append(Sampled(place, problem, rights[i], tuple(wrong), kinds[i]))
    return found


def right_answer(problem: Problem, programs: bool) -> str:
    """Return a problem's right answer: its first reference, or else its solution; a program's code."""
    if programs:
        return extract_program(str(problem.solution or "")).text or ""
    return problem.references[0] if problem.references else str(problem.solution or "")


def is_wrong(answer: str, right: str, problem: Problem) -> bool:
    """Return whether an answer is wrong: by luck, one to another problem may be right here too."""
    if right.strip().casefold() == answer.strip().casefold() or answer in problem.references:
        return False
    if max(len(right), len(answer)) > 300:
        return True
    return not any(compare_answers(one, answer).correct for one in problem.references or (right,))


def _altered(answer: str, rng: Random) -> list[str]:
    """Return wrong answers that are made by changing a right one."""
    words = ["banana", "unicorn", "teapot", "lantern"]
    rng.shuffle(words)
    digits = answer.replace(",", "")
    if not any(map(str.isdigit, digits)):
        return words
    try:
        if digits.lstrip("+-").isdecimal():  # as a whole number, since a float would lose digits
            return [str(int(digits) + shift) for shift in (7, 13, 101)]
        return [f"{float(digits) + shift:g}" for shift in (7, 13, 101)]
    except ValueError:
        return words


@dataclass(frozen=True)
class Form:
    """A way to write an answer down that the task's scheme reads."""

    name: str
    thinks: bool = False
    """Whether a thinking part stands before the answer."""

    def before(self, one: Sampled) -> str:
        """Return the text before the answer to a problem, such as a thinking part."""
        return self._around(one)[0]

    def wrap(self, one: Sampled, answer: str) -> str:
        """Return an answer to a problem with what has to stand around it."""
        _, opening, closing = self._around(one)
        return opening + answer + closing

    def __call__(self, one: Sampled, answer: str) -> str:
        """Return a completion that gives an answer to a problem."""
        return self.before(one) + self.wrap(one, answer)

    def _around(self, one: Sampled) -> tuple[str, str, str]:
        if self.name in _WRAPS:
            return (f"<think>\n{THOUGHT}\n</think>\n" if self.thinks else "", *_WRAPS[self.name])
        before, found, after = str(one.problem.solution or "").rpartition(one.right)
        start = max(before.rfind(mark) for mark in ("\n", " ", ">")) + 1
        return (before[:start], before[start:], after) if found and one.right else ("", "", "")


@dataclass(frozen=True)
class Forms:
    """The forms in which a scheme marks right answers right."""

    best: Form
    """The one that earns the most; if there is none, a box."""
    right: Mapping[Form, Sequence[Score]]
    """All of them, the plainest first, each with the scores of the right answers to `problems` in it."""
    problems: Sequence[Sampled]
    """The problems that have a right answer."""
    refused: Sequence[Score]
    """The scores of right answers in a box, for messages if no form is right."""

    @property
    def scores(self) -> Sequence[tuple[Sampled, Score]]:
        """The scores of the right answers in the best form; empty if no form is right."""
        return list(zip(self.problems, self.right.get(self.best, ()), strict=False))

    @property
    def plainest(self) -> Sequence[tuple[Sampled, Score]]:
        """The same in the plainest form."""
        first = next(iter(self.right.values()), ())
        return list(zip(self.problems, first, strict=False))


def find_forms(scheme: MarkScheme, problems: Sequence[Sampled]) -> Forms:
    """Find out how answers must be written to be marked right, on at least half of the problems."""
    known = [one for one in problems if one.right]
    forms = [*map(Form, _WRAPS), *(Form(name, thinks=True) for name in _WRAPS), Form("solution")]
    right: dict[Form, Sequence[Score]] = {}
    refused: Sequence[Score] = []
    best, most = Form("box"), -math.inf
    for form in forms if known else ():
        texts = [Completion(form(one, one.right)) for one in known]
        scores = scheme.score([one.problem for one in known], texts)
        if form == Form("box"):
            refused = scores
        worth = [score.value or 0.0 for score in scores if scheme.is_right(score) is True]
        if 2 * len(worth) >= len(known):
            right[form] = scores
            if sum(worth) > most + 1e-9:
                best, most = form, sum(worth)
    return Forms(best, right, known, refused)
