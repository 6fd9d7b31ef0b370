"""Looking at the tests of programs: can they judge a solution from outside, and tell it from a constant?"""

import ast
from collections.abc import Sequence

from ...sandbox.remote import shared_executor
from ...tasks.problem import Problem
from ...verifiers.programs.find_code import extract_program
from ...verifiers.programs.parse import parse
from ...verifiers.programs.test_schema import Asserts, Calls, ProgramTests, Stdio
from ...verifiers.programs.verify import Integrity, typed_tests, verify_program
from ..scheme import MarkScheme
from .finding import Finding

NEEDS_SHARED = "test_needs_shared_process"
_CONSTANTS = ("None", "True", "False", "0", "1", "''", "[]")
SHOWN = 20


def program_findings(scheme: MarkScheme, problems: Sequence[Problem]) -> list[Finding]:
    """Look at problems that unit tests judge; nothing where none does."""
    if not any(verifier.tests_fault for verifier in scheme.judges):
        return []
    sandbox, limits = shared_executor(scheme.task.sandbox_url), scheme.task.limits

    def passes(problem: Problem, integrity: Integrity) -> bool:
        code = extract_program(str(problem.solution)).text or ""
        made = verify_program(code, problem.tests, limits=limits, sandbox=sandbox, integrity=integrity)
        return made.correct is True

    def shared(problem: Problem) -> str | None:
        """Say so if a solution passes only where the tests can reach into it, and it into them."""
        if isinstance(typed_tests(problem.tests), Calls | Stdio) or passes(problem, "separate"):
            return None
        return f"problem {problem.id}: {NEEDS_SHARED}" if passes(problem, "shared") else None

    def constant(problem: Problem) -> str | None:
        """Say so if a program that ignores its input passes."""
        found = passing_constant(problem)
        return f"problem {problem.id}: {found}" if found is not None else None

    solved = [problem for problem in problems if problem.solution is not None]
    needing = [said for said in sandbox.map(shared, solved) if said]
    weak = [said for said in sandbox.map(constant, problems) if said]
    apart = f"{len(solved) - len(needing)} of {len(solved)} solutions can be judged from another process"
    constants = f"{len(weak)} of {len(problems)} problem(s) have tests that a constant passes"
    return [
        Finding("oracle", not needing, apart, needing[:SHOWN]),
        Finding("constants", None if weak else True, constants, weak[:SHOWN]),
    ]


def passing_constant(problem: Problem) -> str | None:
    """Return a constant that passes a problem's tests, as text; None if none was found."""
    tests = typed_tests(problem.tests)
    known = _expected(tests)
    if known is not None:
        return known[0] if len(set(known)) == 1 else None
    code = extract_program(str(problem.solution or "")).text or ""
    names = _defined(code)
    for value in _CONSTANTS if names else ():
        program = "".join(f"def {name}(*args, **kwargs):\n    return {value}\n" for name in names)
        if verify_program(program, tests, stop_early=True).correct:
            return value
    return None


def _expected(tests: ProgramTests) -> list[str] | None:
    """Return what each case expects, as text; None where that cannot be read off."""
    if isinstance(tests, Stdio):
        return [repr(case.stdout.rstrip()) for case in tests.cases]
    if isinstance(tests, Calls):
        return [repr(case.expected) for case in tests.cases]
    if isinstance(tests, Asserts):
        expected = [split.expected if split is not None else "" for split in tests.plan.splits]
        return expected if all(expected) else None
    return None


def _defined(code: str) -> list[str]:
    try:
        return [node.name for node in parse(code).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError):
        return []
