"""Checks of unit tests: whether they can run in another process, and whether a constant passes them."""

import ast
from collections.abc import Sequence

from ...sandbox.remote import shared_executor
from ...tasks.problem import Problem
from ...verifiers.programs.find_code import extract_program
from ...verifiers.programs.parse import parse
from ...verifiers.programs.test_schema import Asserts, Calls, ProgramTests, Stdio
from ...verifiers.programs.verify import Integrity, typed_tests, verify_program
from ..scheme import MarkScheme
from .finding import SHOWN, Finding

_CONSTANTS = ("None", "True", "False", "0", "1", "''", "[]")
"""Results, as Python source, that are tried if the tests' expected values cannot be read off."""


def program_findings(scheme: MarkScheme, problems: Sequence[Problem]) -> list[Finding]:
    """Return the findings on the problems' unit tests; none if no verifier of the task reads tests."""
    if not any(verifier.tests_fault for verifier in scheme.judges):
        return []
    sandbox, limits = shared_executor(scheme.task.sandbox_url), scheme.task.limits

    def passes(problem: Problem, integrity: Integrity) -> bool:
        code = extract_program(str(problem.solution)).text or ""
        verdict = verify_program(code, problem.tests, limits=limits, sandbox=sandbox, integrity=integrity)
        return verdict.correct is True

    def shared_process_line(problem: Problem) -> str | None:
        """Return a line on a solution that passes its tests only if they run in its own process, or None."""
        if isinstance(typed_tests(problem.tests), Calls | Stdio) or passes(problem, "separate"):
            return None
        if not passes(problem, "shared"):
            return None  # a wrong solution, which is another check's finding
        return f"problem {problem.id}: its solution passes only with the tests in its own process"

    def constant_line(problem: Problem) -> str | None:
        """Return a line on tests that a program passes which ignores its input, or None."""
        value = passing_constant(problem)
        if value is None:
            return None
        return f"problem {problem.id}: a program that always gives {value} passes its tests"

    solved = [problem for problem in problems if problem.solution is not None]
    need_shared = [line for line in sandbox.map(shared_process_line, solved) if line]
    weak = [line for line in sandbox.map(constant_line, problems) if line]
    judged = len(solved) - len(need_shared)
    separate = f"{judged} of {len(solved)} solutions can be judged from another process"
    if need_shared:
        separate += "; the others need `integrity: shared`"
    constants = f"{len(weak)} of {len(problems)} problem(s) have tests that a constant result passes"
    return [
        Finding("oracle", not need_shared, separate, need_shared[:SHOWN]),
        Finding("constants", None if weak else True, constants, weak[:SHOWN]),
    ]


def passing_constant(problem: Problem) -> str | None:
    """Return a constant result that passes a problem's tests, as Python source; None if none was found."""
    tests = typed_tests(problem.tests)
    expected = _expected(tests)
    if expected is not None:
        return expected[0] if len(set(expected)) == 1 else None
    code = extract_program(str(problem.solution or "")).text or ""
    names = _functions_of(code)
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


def _functions_of(code: str) -> list[str]:
    """Return the names of the functions that a program defines at top level; none if it does not parse."""
    try:
        return [node.name for node in parse(code).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError):
        return []
