"""The checks `code_runs` and `code_as_solution`: judging each line by running the program up to it.

`code_runs`: a line is right if the program up to this line runs without an error on the inputs of the
problem's tests.

`code_as_solution`: a line is right if it can replace the same line of the problem's solution and leaves every
variable with the same value. So each line is judged by itself, whatever is wrong before it. This makes sense
only for tasks whose programs all follow the same plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...sandbox.cases import Outcome, run_calls
from ...sandbox.errors import InfraError
from ...sandbox.execution import Limits
from ...sandbox.executor import Executor
from ...sandbox.sandbox import shared_sandbox
from ...tasks.problem import Problem
from ..programs.asserts.split_asserts import Call, packed_arguments
from ..programs.judge_answers import decoded
from ..programs.parse import parse
from ..programs.same_value import Sameness, same_value
from ..programs.tests_schema import Asserts, Calls, program_tests
from ..verdict import Reason, Verdict
from .split import split_steps

Steps = Sequence[Sequence[str]]
Outcomes = list[Outcome] | Verdict
"""The outcome of every call of a program, or the verdict on a program that could not be run."""
_LARGEST = 1 << 16
"""The most bytes of a line's variables that are compared."""
_NOTHING = Verdict(None, Reason.NOTHING_TO_CHECK, tier="code")


@dataclass(frozen=True)
class _Program:
    """The beginning of a program, completed so that it can run, and the calls to make to it."""

    code: str
    calls: tuple[Call, ...]


def judge_code_runs(
    problems: Sequence[Problem],
    steps: Steps,
    *,
    sandbox: Executor | None = None,
    limits: Limits | None = None,
) -> list[list[Verdict]]:
    """Judge each line by whether the program up to it runs; lines after an error are not judged."""
    rows = [_beginnings(problem, texts) for problem, texts in zip(problems, steps, strict=True)]
    programs = {program for row in rows for program in row if program is not None}
    outcomes = _run(programs, sandbox or shared_sandbox(), limits)
    judged = []
    for row in rows:
        verdicts: list[Verdict] = []
        has_failed = False
        for program in row:
            if program is None or has_failed:
                verdicts.append(_NOTHING)
            else:
                verdicts.append(_ran(outcomes[program]))
                has_failed = verdicts[-1].correct is False
        judged.append(verdicts)
    return judged


def judge_code_as_solution(
    problems: Sequence[Problem],
    steps: Steps,
    *,
    sandbox: Executor | None = None,
    limits: Limits | None = None,
) -> list[list[Verdict]]:
    """Judge each line by the variables that it leaves when it replaces the solution's line."""
    rows = [_substituted(problem, texts) for problem, texts in zip(problems, steps, strict=True)]
    programs: set[_Program] = set()
    for row in rows:
        for pair in row:
            programs.update(pair)
    outcomes = _run(programs, sandbox or shared_sandbox(), limits)
    judged = []
    for row, texts in zip(rows, steps, strict=True):
        verdicts = [_compared(outcomes[given], outcomes[expected]) for given, expected in row]
        verdicts += [_NOTHING] * (len(texts) - len(row))
        judged.append(verdicts)
    return judged


def code_lines(completion: str) -> list[str]:
    """Return the logical lines of the program in a completion."""
    return [completion[step.start : step.end] for step in split_steps(completion, "code")]


def _beginnings(problem: Problem, texts: Sequence[str]) -> list[_Program | None]:
    """Return the program up to each line; None for each if the tests make no calls."""
    calls = _calls_of(problem)
    if not calls:
        return [None] * len(texts)
    return [_Program(_completed(texts[: i + 1], keep=False), calls) for i in range(len(texts))]


def _substituted(problem: Problem, texts: Sequence[str]) -> list[tuple[_Program, _Program]]:
    """Return a pair for each line: the solution up to it, once ending in this line and once in its own.

    Lines after the solution's last one have no pair. If the tests make no calls, no line has one.
    """
    solution, calls = code_lines(problem.solution or ""), _calls_of(problem)
    if not calls:
        return []
    pairs = []
    for i, text in enumerate(texts[: len(solution)]):
        given = _completed([*solution[:i], text], keep=True)
        expected = _completed(solution[: i + 1], keep=True)
        pairs.append((_Program(given, calls), _Program(expected, calls)))
    return pairs


def _calls_of(problem: Problem) -> tuple[Call, ...]:
    """Return the calls that the problem's tests make to the program; empty if they do more than call it."""
    if problem.tests is None:
        return ()
    tests = program_tests(problem.tests)
    if isinstance(tests, Calls):
        return tuple((tests.entry, packed_arguments(case.args, case.kwargs)) for case in tests.cases)
    if isinstance(tests, Asserts):
        return tuple(call for split in tests.plan.splits if split is not None for call in split.calls)
    return ()


def _completed(lines: Sequence[str], *, keep: bool) -> str:
    """Return lines as a program that can run: a block that was just opened gets a body.

    If the last line is inside a function, the function returns after it: its variables, if `keep` is set.
    """
    last = lines[-1]
    # Blank lines may come before the line itself: its indentation is the white space after the last of them.
    margin = last[: len(last) - len(last.lstrip())].rpartition("\n")[2]
    if last.rstrip().endswith(":"):
        margin += " "
    if not margin:
        return "\n".join(lines)
    value = "dict(locals())" if keep else "None"
    return "\n".join([*lines, f"{margin}return {value}"])


def _run(programs: set[_Program], sandbox: Executor, limits: Limits | None) -> dict[_Program, Outcomes]:
    """Run each program once, with all of the sandbox's workers."""
    ordered = sorted(programs, key=lambda program: program.code)

    def run(program: _Program) -> Outcomes:
        return _outcome(sandbox, program, limits)

    return dict(zip(ordered, sandbox.map(run, ordered), strict=True))


def _outcome(sandbox: Executor, program: _Program, limits: Limits | None) -> Outcomes:
    try:
        parse(program.code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Verdict(False, Reason.COMPILE_ERROR, tier="code", evidence={"error": str(error)[:200]})
    cases = [[call] for call in program.calls]
    try:
        return run_calls(sandbox, program.code, cases, judge=_kept, limits=limits)
    except InfraError as error:
        return Verdict(None, Reason.UNAVAILABLE, tier="code", evidence={"error": str(error)})


def _kept(pairs: Sequence[tuple[int, Outcome]]) -> list[Outcome]:
    """Keep each outcome, without the rest of what its process has returned."""
    return [replace(outcome, answer=bytes(outcome.answer[: _LARGEST + 1])) for _, outcome in pairs]


def _has_run(outcome: Outcome) -> bool:
    # NotPlainError: the call ended, but what it returned is not plain data and cannot be sent to us.
    return outcome.raised in ("", "NotPlainError")


def _ran(outcome: Outcomes) -> Verdict:
    if isinstance(outcome, Verdict):
        return outcome
    for case, one in enumerate(outcome):
        if not _has_run(one):
            evidence = {"case": case, "error": one.error[:200]}
            return Verdict(False, Reason.ERROR, tier="code", evidence=evidence)
    return Verdict(True, Reason.PASSED, tier="code")


def _compared(given: Outcomes, expected: Outcomes) -> Verdict:
    if isinstance(expected, Verdict) or _ran(expected).correct is not True:
        # The solution itself does not run up to this line.
        return Verdict(None, Reason.UNPARSABLE_REFERENCE, tier="code")
    ran = _ran(given)
    if isinstance(given, Verdict) or ran.correct is not True:
        return ran
    for case, (one, other) in enumerate(zip(given, expected, strict=True)):
        same = _same_variables(one, other)
        if same is None:
            return Verdict(None, Reason.UNDECIDED, tier="code", evidence={"case": case})
        if not same:
            return Verdict(False, Reason.DIFFERENT, tier="code", evidence={"case": case})
    return Verdict(True, Reason.EQUAL, tier="code")


def _same_variables(given: Outcome, expected: Outcome) -> bool | None:
    """Return whether every variable of the solution has the same value; None if some cannot be compared.

    That is so if they are not plain data, or take too many bytes.
    """
    ours, theirs = decoded(given, _LARGEST), decoded(expected, _LARGEST)
    if ours is None or theirs is None:
        return None
    one, other = ours[0], theirs[0]
    if not (isinstance(one, dict) and isinstance(other, dict)):  # the line itself was a `return`
        return _is_same(other, one)
    return all(name in one and _is_same(value, one[name]) for name, value in other.items())


def _is_same(expected: Any, value: Any) -> bool:
    try:
        return same_value(expected, value, Sameness(exact_types=True))
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        return False
