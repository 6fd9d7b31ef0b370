"""Judging every case of a program's tests, with one function for each kind of tests.

Expected values never enter the process that runs the program. For `stdio`, `calls` and asserts that can be
split, the program returns plain data (`sandbox/wire/codec.py`), which is compared here, or in the sandbox
where that could take long (`judge_answers.py`). Other asserts and test modules run in a process of their own
(`judge_tests.py`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...sandbox.cases import Outcome, run_calls, run_cases
from ...sandbox.execution import RunVerdict
from ..verdict import Reason
from . import same_value as same_value_file
from .asserts.split_asserts import Call, packed_arguments
from .judge_answers import AnswerJudge, Rule, Ruling
from .judge_tests import judge_module, judge_unsplit_asserts
from .results import REASONS, SHOWN_CHARS, Case, Submission, complete, failed_run
from .same_value import Sameness, same_answer, same_output
from .tests_schema import (
    Asserts,
    CallCase,
    Calls,
    Checked,
    CheckedCase,
    ProgramTests,
    Pytest,
    Stdio,
    Unittest,
)

_HOLDS_CHECKER = """

def holds(answers, input, expected):
    (output,) = answers
    if isinstance(output, bytes) and isinstance(input, str):
        output = output.decode(errors="replace")
    right = check(input, expected, output)
    if not isinstance(right, int) and type(right).__name__ not in ("bool", "bool_"):
        raise TypeError(f"check() must return True or False (it returned {right!r})")
    return bool(right)
"""
"""What follows a checker, so that it can be asked as `judge_answers.py` asks."""


_SAME_VALUE = Path(same_value_file.__file__).read_text(encoding="utf-8")
"""Source that compares values inside the sandbox; see `judge_answers.py`."""
_SAME_ANSWER = (
    _SAME_VALUE
    + """

def holds(answers, expected, *how):
    return same_answer(expected, answers, Sameness(*how))
"""
)
_SAME_OUTPUT = (
    _SAME_VALUE
    + """

def holds(answers, expected, *how):
    return same_output(expected, answers[0], *how)
"""
)
_SMALL_OUTPUT = 1 << 17
"""Larger outputs, counted with the expected ones, are compared in the sandbox unless they are equal."""


def judge_cases(submission: Submission, tests: ProgramTests) -> list[Case]:
    """Run a program against its tests and return the result of every case, in order.

    Raises:
        InfraError: the sandbox failed twice.
        DataError: the code is not text.
        SandboxError: the sandbox cannot run tests of this kind.
    """
    return _JUDGES[type(tests)](submission, tests)


def _judge_stdio(submission: Submission, tests: Stdio) -> list[Case]:
    how = (tests.whitespace, tests.numbers, tests.float_tolerance)
    judge = AnswerJudge(submission.sandbox, submission.limits)

    def judge_outcomes(pairs: Sequence[tuple[int, Outcome]]) -> list[Case]:
        cases: list[Case | None] = []
        large: list[tuple[Rule, Outcome]] = []
        for index, outcome in pairs:
            expected = tests.cases[index].stdout
            if outcome.verdict != RunVerdict.OK:
                cases.append(failed_run(outcome))
            elif len(expected) + len(outcome.answer) <= _SMALL_OUTPUT:
                right = same_output(expected, bytes(outcome.answer), *how)
                cases.append(Case(True) if right else _printed(outcome))
            elif outcome.answer == expected.encode(errors="surrogatepass"):
                cases.append(Case(True))
            else:
                cases.append(None)
                large.append((Rule(None, False, _SAME_OUTPUT, (expected, *how), printed=True), outcome))
        rulings = iter(judge.decide(large))
        for place, (case, (_, outcome)) in enumerate(zip(cases, pairs, strict=True)):
            if case is None:
                cases[place] = Case(True) if next(rulings).right else _printed(outcome)
        return complete(cases)

    return _run_stdio(submission, [case.stdin for case in tests.cases], judge_outcomes, tests.prelude)


def _run_stdio(
    submission: Submission,
    stdins: Sequence[str],
    judge: Callable[[Sequence[tuple[int, Outcome]]], list[Case]],
    prelude: str,
) -> list[Case]:
    cases = run_cases(
        submission.sandbox,
        submission.code,
        stdins,
        judge=judge,
        limits=submission.limits,
        stop_early=submission.stop_early,
        prelude=prelude,
    )
    return complete(cases)


def _printed(outcome: Outcome) -> Case:
    shown = bytes(outcome.answer[: 4 * SHOWN_CHARS]).decode(errors="replace")[:SHOWN_CHARS]
    return Case(False, Reason.FAILED, f"printed {shown!r}")


def _judge_checked(submission: Submission, tests: Checked) -> list[Case]:
    """Judge each case by the task's checker, which is run as a program of its own."""
    source = tests.checker + _HOLDS_CHECKER
    if tests.entry is not None:
        calls = [case for case in tests.cases if isinstance(case, CallCase)]

        def rule(index: int) -> Rule:
            return Rule(None, False, source, (list(calls[index].args), calls[index].expected))

        packed = [[(tests.entry, packed_arguments(case.args, case.kwargs))] for case in calls]
        return _judge_answers(submission, packed, rule, tests.prelude)[0]
    texts = [case for case in tests.cases if isinstance(case, CheckedCase)]
    judge = AnswerJudge(submission.sandbox, submission.limits)

    def judge_outcomes(pairs: Sequence[tuple[int, Outcome]]) -> list[Case]:
        questions = [
            (Rule(None, False, source, (texts[index].stdin, texts[index].stdout), printed=True), outcome)
            for index, outcome in pairs
            if outcome.verdict == RunVerdict.OK
        ]
        return _with_rulings(pairs, judge.decide(questions))

    return _run_stdio(submission, [case.stdin for case in texts], judge_outcomes, tests.prelude)


def _judge_calls(submission: Submission, tests: Calls) -> list[Case]:
    how = (tests.float_tolerance, tests.exact_types, tests.bool_is_number, tests.wrapped)
    sameness = Sameness(*how)

    def rule(index: int) -> Rule:
        expected = tests.cases[index].expected
        return Rule(
            lambda answers: same_answer(expected, answers, sameness),
            here_if_simple=False,
            source=_SAME_ANSWER,
            arguments=(expected, *how),
            compares_whole=True,
        )

    calls = [[(tests.entry, packed_arguments(case.args, case.kwargs))] for case in tests.cases]
    cases, _ = _judge_answers(submission, calls, rule, tests.prelude)
    return cases


def _judge_answers(
    submission: Submission,
    calls: Sequence[Sequence[Call]],
    rule: Callable[[int], Rule],
    prelude: str,
    *,
    in_sequence: bool = False,
) -> tuple[list[Case], bool]:
    """Make the calls of every case; return the results, and whether any answer was not plain data."""
    judge = AnswerJudge(submission.sandbox, submission.limits)
    gave_objects = False

    def judge_outcomes(pairs: Sequence[tuple[int, Outcome]]) -> list[Case]:
        nonlocal gave_objects
        gave_objects = gave_objects or any(outcome.raised == "NotPlainError" for _, outcome in pairs)
        answered = [(rule(index), outcome) for index, outcome in pairs if outcome.verdict == RunVerdict.OK]
        return _with_rulings(pairs, judge.decide(answered))

    cases = run_calls(
        submission.sandbox,
        submission.code,
        calls,
        prelude=prelude,
        in_sequence=in_sequence,
        judge=judge_outcomes,
        limits=submission.limits,
        stop_early=submission.stop_early,
    )
    return complete(cases), gave_objects


def _with_rulings(pairs: Sequence[tuple[int, Outcome]], rulings: Sequence[Ruling]) -> list[Case]:
    """Return the results of some cases, given the rulings on those whose outcome is `ok`."""
    waiting = iter(rulings)
    return [
        _case_of_ruling(next(waiting)) if outcome.verdict == RunVerdict.OK else failed_run(outcome)
        for _, outcome in pairs
    ]


def _case_of_ruling(ruling: Ruling) -> Case:
    if ruling.right:
        return Case(True)
    if ruling.verdict != RunVerdict.OK:
        return Case(
            False,
            REASONS[ruling.verdict],
            f"to compare what it returned took too much: {ruling.shown}"[:SHOWN_CHARS],
        )
    return Case(False, Reason.FAILED, f"gave {ruling.shown}"[:SHOWN_CHARS])


def _judge_asserts(submission: Submission, tests: Asserts) -> list[Case]:
    """Judge asserts from the program's answers; if one cannot be split, run all in the test process.

    Asserts may rely on what earlier ones did, so they are never divided between the two ways.
    """
    plan = tests.plan
    splits = [split for split in plan.splits if split is not None]
    if len(splits) < len(plan.asserts) or submission.shared:
        return judge_unsplit_asserts(submission, tests)
    prelude = "\n".join(filter(None, (plan.prelude, tests.prelude)))
    calls = [split.calls for split in splits]
    cases, gave_objects = _judge_answers(
        submission, calls, lambda index: splits[index].rule, prelude, in_sequence=True
    )
    if gave_objects and submission.sandbox.serves_tests:
        # Objects of the program's own classes are not plain data, but may still be what the asserts want.
        return judge_unsplit_asserts(submission, tests)
    return cases


_JUDGES: dict[type, Callable[[Submission, Any], list[Case]]] = {
    Asserts: _judge_asserts,
    Calls: _judge_calls,
    Stdio: _judge_stdio,
    Checked: _judge_checked,
    Unittest: judge_module,
    Pytest: judge_module,
}
