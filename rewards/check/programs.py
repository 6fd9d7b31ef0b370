"""Checks of unit tests: whether they can run in another process, and whether a constant passes them."""

import ast
from collections.abc import Sequence

from ...sandbox.remote import shared_executor
from ...tasks.check_section import DEFECTS
from ...tasks.problem import Problem
from ...verifiers.programs.find_code import extract_program
from ...verifiers.programs.parse import parse
from ...verifiers.programs.tests_schema import Asserts, Calls, ProgramTests, Stdio
from ...verifiers.programs.verify import Integrity, typed_tests, verify_program
from ..scheme import MarkScheme
from .finding import Finding, Lines

LUCK = 0.1
"""The share of problems whose tests a constant may pass by default; such problems are listed in any case."""
_CONSTANTS = ("None", "True", "False", "0", "1", "''", "[]")
"""Results, as Python source, that are tried if the tests' expected values cannot be read off."""


class ProgramChecks:
    """Collects the findings on problems' unit tests; there are none if no verifier reads tests."""

    def __init__(self, scheme: MarkScheme):
        self._applies = any(verifier.tests_fault for verifier in scheme.judges)
        self._limits, self._check = scheme.task.limits, scheme.task.check
        self._sandbox = shared_executor(scheme.task.sandbox_url) if self._applies else None
        self._problems = self._solved = 0
        self._need_shared, self._weak = Lines(), Lines()

    def add(self, problems: Sequence[tuple[str, Problem]]) -> None:
        """Check the tests of some problems, each given with the place of its row."""
        if self._sandbox is None:
            return
        solved = [(place, problem) for place, problem in problems if problem.solution is not None]
        self._problems += len(problems)
        self._solved += len(solved)
        for lines, check, chosen in (
            (self._need_shared, self._shared_process_line, solved),
            (self._weak, _constant_line, problems),
        ):
            for line in filter(None, self._sandbox.map(check, chosen)):
                lines.add(line)

    def _passes(self, problem: Problem, integrity: Integrity) -> bool:
        code = extract_program(str(problem.solution)).text or ""
        verdict = verify_program(
            code, problem.tests, limits=self._limits, sandbox=self._sandbox, integrity=integrity
        )
        return verdict.correct is True

    def _shared_process_line(self, placed: tuple[str, Problem]) -> str | None:
        """Return a line on a solution that passes its tests only if they run in its own process, or None."""
        place, problem = placed
        if isinstance(typed_tests(problem.tests), Calls | Stdio) or self._passes(problem, "separate"):
            return None
        if not self._passes(problem, "shared"):
            return None  # a wrong solution, which is another check's finding
        return f"{place}: its solution passes only with the tests in its own process"

    def findings(self) -> list[Finding]:
        """Return the findings on all problems so far."""
        if not self._applies:
            return []
        judged = self._solved - self._need_shared.count
        separate = f"{judged} of {self._solved} solutions can be judged from another process"
        if self._need_shared.count:
            separate += "; the others need `integrity: shared`"
        weak = self._weak.count
        constants = f"{weak} of {self._problems} problem(s) have tests that a constant result passes"
        return [
            Finding("oracle", not self._need_shared.count, separate, self._need_shared.first),
            self._constants(constants),
        ]

    def _constants(self, said: str) -> Finding:
        """Return the finding on weak tests, which are a defect from the share on that the task tolerates."""
        share = self._weak.count / max(self._problems, 1)
        if share > max(self._check.may_earn("constant_passes"), LUCK) and self._check.looks_for(
            "constant_passes"
        ):
            return Finding(
                "constant_passes", False, f"{DEFECTS['constant_passes']}: {said}", self._weak.first
            )
        return Finding("constants", None if self._weak.count else True, said, self._weak.first)


def _constant_line(placed: tuple[str, Problem]) -> str | None:
    """Return a line on tests that a program passes which ignores its input, or None."""
    place, problem = placed
    value = passing_constant(problem)
    if value is None:
        return None
    return f"{place}: a program that always gives {value} passes its tests"


def passing_constant(problem: Problem) -> str | None:
    """Return a constant result that passes a problem's tests, as Python source; None if none was found."""
    tests = typed_tests(problem.tests)
    expected = _expected(tests)
    if expected is not None:
        return expected[0] if len(set(expected)) == 1 else None
    code = extract_program(str(problem.solution or "")).text or ""
    names = functions_of(code)
    if not names:
        return None
    for value in _CONSTANTS:
        program = "".join(f"def {name}(*args, **kwargs):\n    return {value}\n" for name in names)
        if verify_program(program, tests, stop_early=True).correct:
            return value
    return None


def _expected(tests: ProgramTests) -> list[str] | None:
    """Return the result that each case expects, as Python source; None if that cannot be read off."""
    if isinstance(tests, Stdio):
        return [repr(case.stdout.rstrip()) for case in tests.cases]
    if isinstance(tests, Calls):
        return [repr(case.expected) for case in tests.cases]
    if isinstance(tests, Asserts):
        expected = [split.expected if split is not None else "" for split in tests.plan.splits]
        return expected if all(expected) else None
    return None


def functions_of(code: str) -> list[str]:
    """Return the names of the functions that a program defines at top level; none if it does not parse."""
    try:
        return [node.name for node in parse(code).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError):
        return []
