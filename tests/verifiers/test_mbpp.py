"""The real programs of MBPP: its solutions pass their own tests, and mutated solutions pass no more than in Python."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from markscheme.rewards import MarkScheme
from markscheme.sandbox import Limits, Sandbox
from markscheme.tasks import Completion, load_problems, load_task
from markscheme.verifiers import verify_program
from markscheme.verifiers.programs.parse import parse
from support import asserts

LIMITS = Limits(cpu_s=1, memory_mb=500)


@pytest.fixture(scope="session")
def mbpp_rows(shared_data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (shared_data / "mbpp.jsonl").read_text().splitlines()]


def test_every_mbpp_solution_passes_its_own_tests(shared_data: Path) -> None:
    # Solution 123 computes for 2 s on a fast machine, and beyond the default limit of 4 s on a slow one.
    overrides = [f"data.path={shared_data}/mbpp.jsonl", "data.name=null", "limits={cpu_s: 60}"]
    task = load_task("mbpp", overrides=overrides)
    problems = load_problems(task)
    scheme = MarkScheme(task)
    scores = scheme.score(problems, [Completion(str(problem.solution)) for problem in problems])
    assert len(scores) == 974
    failed = [
        problem.id
        for problem, score in zip(problems, scores, strict=True)
        if scheme.is_right(score) is not True
    ]
    assert failed == []


INVERSE = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
"""Each comparison, and the one that holds exactly where it does not."""


class Mutator(ast.NodeTransformer):
    """Makes one mistake in a tree: at the literal, comparison or function with a number counted from 0.

    A number grows by 1, a comparison is inverted, a function returns None at once.
    """

    def __init__(self, kind: str, number: int):
        self.kind = kind
        self.number = number
        self.met = 0
        """How many nodes of the kind have been met."""

    def is_chosen(self, kind: str) -> bool:
        if kind != self.kind:
            return False
        self.met += 1
        return self.met - 1 == self.number

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, int | float) and not isinstance(value, bool) and self.is_chosen("literal"):
            return ast.Constant(value + 1)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        inverse = INVERSE.get(type(node.ops[0]))
        if inverse is not None and self.is_chosen("comparison"):
            return ast.Compare(node.left, [inverse(), *node.ops[1:]], node.comparators)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if self.is_chosen("return"):
            node.body.insert(0, parse("return None").body[0])
        return node


def mutants(code: str) -> Iterator[str]:
    """Yield variants of a program with one mistake each: in two literals, two comparisons and one function."""
    for kind, most in (("literal", 2), ("comparison", 2), ("return", 1)):
        for number in range(most):
            mutator = Mutator(kind, number)
            tree = mutator.visit(parse(code))
            if mutator.met > number:
                yield ast.unparse(ast.fix_missing_locations(tree))


def passes_in_plain_python(sandbox: Sandbox, code: str, row: dict[str, Any]) -> bool:
    """Run a program, which is not hostile, and its asserts as one script.

    It passes if the script reaches its end: one mutant leaves by `exit()`, with status 0.
    """
    script = "\n".join([code, row["test_setup_code"], *row["test_list"], "print('reached')"])
    execution = sandbox.run(script, limits=LIMITS)
    return execution.verdict == "ok" and execution.stdout.endswith("reached\n")


@pytest.mark.slow
@pytest.mark.filterwarnings(
    # From escapes in the programs of the data set.
    "ignore::DeprecationWarning",
    "ignore::SyntaxWarning",
)
def test_mutated_mbpp_solutions_are_judged_as_in_plain_python(mbpp_rows: list[dict[str, Any]]) -> None:
    counts = {"mutants": 0, "pass": 0}
    with Sandbox(limits=LIMITS) as sandbox:

        def differences(row: dict[str, Any]) -> list[str]:
            found = []
            tests = asserts(*row["test_list"], setup=row["test_setup_code"])
            for mutant in mutants(row["code"].replace("\r\n", "\n")):
                correct = verify_program(mutant, tests, sandbox=sandbox, stop_early=True).correct
                counts["mutants"] += 1
                counts["pass"] += correct is True
                if correct is not passes_in_plain_python(sandbox, mutant, row):
                    found.append(f"{row['task_id']}: judged {correct}\n{mutant}")
            return found

        differ = [text for texts in sandbox.map(differences, mbpp_rows) for text in texts]
    print(counts)
    assert counts["mutants"] > 2500
    assert differ == []
