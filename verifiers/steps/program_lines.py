"""Does a line of a program do its part? Prefixes of the program are run in the sandbox.

`code_runs`: the program up to this line runs, on the inputs of the problem's tests, without an error.
`code_as_solution`: put in the place of the same line of the problem's solution, it leaves every
variable as that does; so each line is judged by itself, whatever went wrong before it. That asks for
tasks whose programs follow one plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...sandbox.cases import Called, run_calls
from ...sandbox.errors import InfraError
from ...sandbox.execution import Limits
from ...sandbox.executor import Executor
from ...sandbox.sandbox import shared_sandbox
from ...tasks.problem import Problem
from ..programs.parse import parse
from ..programs.same_value import same_value
from ..programs.split_asserts import Call, packed_arguments
from ..programs.test_schema import Asserts, Calls, program_tests
from ..verdict import Reason, Verdict
from .split import split_steps

Steps = Sequence[Sequence[str]]
_NOTHING = Verdict(None, Reason.NOTHING_TO_CHECK, tier="code")


@dataclass(frozen=True)
class _Prefix:
    """A program that ends behind some line: for the sandbox, which calls it."""

    code: str
    calls: tuple[Call, ...]


def judge_code_runs(
    problems: Sequence[Problem],
    steps: Steps,
    *,
    sandbox: Executor | None = None,
    limits: Limits | None = None,
) -> list[list[Verdict]]:
    """Judge each line by whether the program up to it runs; behind an error nothing is judged."""
    chains = [_prefixes(problem, texts) for problem, texts in zip(problems, steps, strict=True)]
    wanted = {prefix for chain in chains for prefix in chain if prefix is not None}
    outcomes = _run(wanted, sandbox or shared_sandbox(), limits)
    judged = []
    for chain in chains:
        verdicts: list[Verdict] = []
        for prefix in chain:
            broken = any(verdict.correct is False for verdict in verdicts)
            verdicts.append(_NOTHING if prefix is None or broken else _ran(outcomes[prefix]))
        judged.append(verdicts)
    return judged


def judge_code_as_solution(
    problems: Sequence[Problem],
    steps: Steps,
    *,
    sandbox: Executor | None = None,
    limits: Limits | None = None,
) -> list[list[Verdict]]:
    """Judge each line by what it leaves of the variables in the place of the solution's line."""
    pairs: list[list[tuple[_Prefix, _Prefix] | None]] = []
    for problem, texts in zip(problems, steps, strict=True):
        model, calls = code_lines(problem.solution or ""), _calls_of(problem)
        able = min(len(model), len(texts)) if calls else 0
        programs = [([*model[:i], texts[i]], model[: i + 1]) for i in range(able)]
        pairs.append(
            [
                *((_ending(given, calls), _ending(wanted, calls)) for given, wanted in programs),
                *[None] * (len(texts) - able),
            ]
        )
    prefixes = {prefix for chain in pairs for pair in chain if pair for prefix in pair}
    outcomes = _run(prefixes, sandbox or shared_sandbox(), limits)
    return [
        [_NOTHING if pair is None else _compared(outcomes[pair[0]], outcomes[pair[1]]) for pair in chain]
        for chain in pairs
    ]


def _ending(lines: Sequence[str], calls: tuple[Call, ...]) -> _Prefix:
    return _Prefix(_ended(lines, keep=True), calls)


def code_lines(completion: str) -> list[str]:
    """Return the logical lines of the program in a completion."""
    return [completion[step.start : step.end] for step in split_steps(completion, "code")]


def _prefixes(problem: Problem, texts: Sequence[str]) -> list[_Prefix | None]:
    calls = _calls_of(problem)
    return [_Prefix(_ended(texts[: i + 1], keep=False), calls) if calls else None for i in range(len(texts))]


def _calls_of(problem: Problem) -> tuple[Call, ...]:
    """Return what the problem's tests ask of the program; nothing where they do not just call it."""
    if problem.tests is None:
        return ()
    tests = program_tests(problem.tests)
    if isinstance(tests, Calls):
        return tuple((tests.entry, packed_arguments(case.args, case.kwargs)) for case in tests.cases)
    if isinstance(tests, Asserts):
        return tuple(call for split in tests.plan.splits if split is not None for call in split.calls)
    return ()


def _ended(lines: Sequence[str], *, keep: bool) -> str:
    """Return lines as a program that ends there: an open block gets a body, a function an end.

    `keep` lets it return its variables.
    """
    last = lines[-1]
    text = last.rstrip()
    margin = last[: len(last) - len(last.lstrip())].rpartition("\n")[2]
    if text.endswith(":"):
        margin += " "
    if not margin:
        return "\n".join(lines)
    return "\n".join([*lines, f"{margin}return {'dict(locals())' if keep else 'None'}"])


def _run(
    prefixes: set[_Prefix], sandbox: Executor, limits: Limits | None
) -> dict[_Prefix, list[Called | None] | Verdict]:
    """Run each prefix once, on all workers; text that is not a program gets its verdict without a run."""
    ordered = sorted(prefixes, key=lambda prefix: prefix.code)

    def run(prefix: _Prefix) -> list[Called | None] | Verdict:
        return _called(sandbox, prefix, limits)

    return dict(zip(ordered, sandbox.map(run, ordered), strict=True))


def _called(sandbox: Executor, prefix: _Prefix, limits: Limits | None) -> list[Called | None] | Verdict:
    try:
        parse(prefix.code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Verdict(False, Reason.COMPILE_ERROR, tier="code", evidence={"error": str(error)[:200]})
    cases = [[call] for call in prefix.calls]
    try:
        return run_calls(sandbox, prefix.code, cases, right=_answers, limits=limits, stop_early=False)
    except InfraError as error:
        return Verdict(None, Reason.UNAVAILABLE, tier="code", evidence={"error": str(error)})


def _answers(place: int, called: Called) -> bool:
    return called.raised in ("", "NotPlainError")


def _ran(outcome: list[Called | None] | Verdict) -> Verdict:
    if isinstance(outcome, Verdict):
        return outcome
    for case, called in enumerate(outcome):
        if called is not None and not _answers(case, called):
            return Verdict(
                False, Reason.ERROR, tier="code", evidence={"case": case, "error": called.error[:200]}
            )
    return Verdict(True, Reason.PASSED, tier="code")


def _compared(given: list[Called | None] | Verdict, wanted: list[Called | None] | Verdict) -> Verdict:
    if isinstance(wanted, Verdict) or _ran(wanted).correct is not True:
        return Verdict(None, Reason.UNPARSABLE_REFERENCE, tier="code")  # the solution does not run so far
    ran = _ran(given)
    if ran.correct is not True or isinstance(given, Verdict):
        return ran
    for case, (one, two) in enumerate(zip(given, wanted, strict=True)):
        same = _same_state(one, two)
        if same is not True:
            reason = Reason.UNDECIDED if same is None else Reason.DIFFERENT
            return Verdict(same, reason, tier="code", evidence={"case": case})
    return Verdict(True, Reason.EQUAL, tier="code")


def _same_state(given: Called | None, wanted: Called | None) -> bool | None:
    """Compare the variables that the solution has; None where they are no plain data."""
    if given is None or wanted is None or given.raised or wanted.raised:
        return None
    one, two = given.value[0], wanted.value[0]
    if not (isinstance(one, dict) and isinstance(two, dict)):
        return _equal(two, one)
    return all(name in one and _equal(value, one[name]) for name, value in two.items())


def _equal(expected: Any, value: Any) -> bool:
    try:
        return same_value(expected, value, exact_types=True)
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        return False
