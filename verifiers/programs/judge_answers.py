"""Deciding whether the values that a program returned are right, at no more cost than that of reading them.

A value comes from a program that may be hostile: adding up `range(10**12)`, or building a set of numbers that
all share one hash, would keep this process busy for minutes. So only small values are decoded and compared
here, and only by operations whose cost grows with their size. Everything else is decided inside the sandbox,
by a program of ours that runs under the limits of a case, in a process that the judged program never enters.
"""

import json
import marshal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...sandbox.cases import Outcome, run_calls
from ...sandbox.execution import Limits, RunVerdict
from ...sandbox.executor import Executor
from ...sandbox.wire.codec import NotPlainError, decode, encode, unpack

SMALL = 1 << 12
"""The most bytes of the text of an answer that is decoded here."""
_SMALL_TOGETHER = 1 << 16
"""The most bytes of all answers of one program that are decoded here."""
_SIMPLE_TAGS = frozenset("t d s z f b y".split())
"""The codec's tags of containers, of numbers that are not finite, and of bytes."""
_NAMED_TUPLE = "n"
"""The tag of a named tuple, each of which may need a class of its own."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How the answers of one case are judged."""

    here: Callable[[list[Any]], bool] | None
    """Decides in this process; None if the cost of that could exceed the size of the answers."""
    here_if_simple: bool
    """Whether `here` is only bounded for numbers, text and containers of them."""
    source: str
    """Python source that defines `holds`, which decides in the sandbox."""
    arguments: tuple[Any, ...] = ()
    """The arguments of `holds` besides the list of answers, which comes first."""
    compares_whole: bool = False
    """Whether the only answer must be the first of `arguments`, in some form."""
    printed: bool = False
    """Whether the only answer is what the program printed, as bytes."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided about the answers of one case."""

    right: bool
    verdict: RunVerdict = RunVerdict.OK
    """How the decision itself ended, if it was made in the sandbox."""
    shown: str = ""
    """The answers as text, for a message; empty if they are right."""


class AnswerJudge:
    """A judge of the answers of one program.

    Args:
        sandbox: where costly decisions are made.
        limits: the limits of each decision.
    """

    def __init__(self, sandbox: Executor, limits: Limits):
        self._sandbox, self._limits = sandbox, limits
        self._left = _SMALL_TOGETHER

    def decide(self, questions: Sequence[tuple[Rule, Outcome]]) -> list[Ruling]:
        """Return a ruling for the answers of each outcome, whose verdict must be `ok`."""
        rulings: list[Ruling | None] = [self._here(rule, outcome) for rule, outcome in questions]
        by_source: dict[str, list[int]] = {}
        for place, ((rule, _), ruling) in enumerate(zip(questions, rulings, strict=True)):
            if ruling is None:
                by_source.setdefault(rule.source, []).append(place)
        for source, places in by_source.items():
            decided = self._in_sandbox(source, [questions[place] for place in places])
            for place, ruling in zip(places, decided, strict=True):
                rulings[place] = ruling
        return [ruling for ruling in rulings if ruling is not None]

    def _here(self, rule: Rule, outcome: Outcome) -> Ruling | None:
        """Decide in this process; return None if that could be costly."""
        size = len(outcome.answer)
        if size > SMALL and rule.compares_whole and _is_another(rule.arguments[0], outcome):
            return Ruling(False, shown=_start_of(outcome))
        if rule.here is None or size > min(SMALL, self._left):
            return None
        self._left -= size
        try:
            packed = json.loads(bytes(outcome.answer))
            tags = _tags_in(packed)
            if _NAMED_TUPLE in tags or (rule.here_if_simple and not tags <= _SIMPLE_TAGS):
                return None
            answers = unpack(packed)
            if not isinstance(answers, list):
                raise ValueError("not a list of answers")
            if rule.here(answers):
                return Ruling(True)
            return Ruling(False, shown=_shown(answers))
        except Exception as error:  # a forged record, or a value that cannot be compared
            return Ruling(False, shown=str(error))

    def _in_sandbox(self, source: str, questions: Sequence[tuple[Rule, Outcome]]) -> list[Ruling]:
        """Decide in the sandbox, with `holds` as the program, whose answers are the rulings."""
        calls = [[("holds", _packed(rule, outcome))] for rule, outcome in questions]

        def rulings(pairs: Sequence[tuple[int, Outcome]]) -> list[Ruling]:
            return [_ruling(questions[place][1], decided) for place, decided in pairs]

        return run_calls(self._sandbox, source, calls, in_sequence=True, judge=rulings, limits=self._limits)


def _tags_in(packed: Any) -> set[str]:
    """Return the codec's tags of all values in an answer."""
    tags: set[str] = set()
    waiting = [packed]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            tags.update(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return tags


def _packed(rule: Rule, outcome: Outcome) -> bytes:
    """Return the arguments of `holds`, packed as `Job.calls` says, without parsing the answers."""
    if rule.printed:
        return marshal.dumps((([outcome.answer], *rule.arguments), {}))
    others = "".join("," + encode(argument) for argument in rule.arguments).encode()
    return b"".join((b'\0{"t":[{"t":[', outcome.answer, others, b']},{"d":[]}]}'))


def _ruling(outcome: Outcome, decided: Outcome) -> Ruling:
    if decided.verdict == RunVerdict.OK and bytes(decided.answer) == b"[true]":
        return Ruling(True)
    shown = _start_of(outcome)
    # An exception means that the values could not be compared, as those of different types.
    verdict = RunVerdict.OK if decided.verdict == RunVerdict.ERROR else decided.verdict
    return Ruling(False, verdict, shown)


def _is_another(expected: Any, outcome: Outcome) -> bool:
    """Return whether an answer is so much longer than the expected value that it must be another one.

    The longest forms of a number are those of a decimal or a fraction.
    """
    start = bytes(outcome.answer[:SMALL])
    most = _LONGEST_FORM * (len(encode(expected)) + 1)
    return len(outcome.answer) > SMALL + most and not (b'{"D"' in start or b'{"F"' in start)


_LONGEST_FORM = 64
"""More bytes than any form of a value takes for each byte of another form of it."""


def _start_of(outcome: Outcome) -> str:
    return bytes(outcome.answer[:SMALL]).decode(errors="replace")


def _shown(answers: list[Any]) -> str:
    value = answers[0] if len(answers) == 1 else answers
    try:
        return repr(value)
    except (ValueError, RecursionError):  # Python refuses to print integers of more than 4300 digits
        return f"a {type(value).__name__}"


def decoded(outcome: Outcome, most: int = SMALL) -> list[Any] | None:
    """Return the answers of an outcome; None if they take more than `most` bytes or are none."""
    if outcome.verdict != RunVerdict.OK or len(outcome.answer) > most:
        return None
    try:
        return decode(bytes(outcome.answer))
    except (ValueError, NotPlainError):
        return None
