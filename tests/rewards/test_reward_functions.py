"""Functions as rewards: every kind of function, and what becomes of wrong values, exceptions and failures."""

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy
import pytest

from markscheme.rewards import MarkScheme, Score, reward
from markscheme.sandbox import InfraError
from markscheme.tasks import Completion, Problem
from markscheme.verifiers import Verdict, verifier
from support import TWO_PLUS_TWO, MakeTask, boxed, score_one


def test_every_kind_of_function(make_task: MakeTask) -> None:
    @reward("per_sample")
    def per_sample(problem: Problem, completion: Completion, *, target: int = 4) -> float:
        return float(len(completion.text) == target)

    @reward("batch", batch=True)
    def batch(problems: list[Problem], completions: list[Completion]) -> list[float]:
        return [i / len(completions) for i in range(len(completions))]

    @reward("later")
    async def later(problem: Problem, completion: Completion) -> float:
        await asyncio.sleep(0)
        return 0.25

    @reward("later_batch", batch=True)
    async def later_batch(problems: list[Problem], completions: list[Completion]) -> list[float]:
        return [0.75] * len(completions)

    @verifier("says_yes")
    def says_yes(problem: Problem, completion: Completion) -> bool:
        return "yes" in completion.text

    @verifier("says_yes_later")
    async def says_yes_later(problem: Problem, completion: Completion) -> Verdict:
        return Verdict("yes" in completion.text)

    names = ["per_sample", "batch", "later", "later_batch", "says_yes", "says_yes_later"]
    entries = ", ".join(f"{name}: {{use: {name}}}" for name in names)
    scheme = MarkScheme(make_task(f"rewards: {{{entries}}}"))
    yes, no = scheme.score([TWO_PLUS_TWO] * 2, [Completion("yes!"), Completion("no")])
    assert [yes.parts[name].value for name in names] == [1.0, 0.0, 0.25, 0.75, 1.0, 1.0]
    assert [no.parts[name].value for name in names] == [0.0, 0.5, 0.25, 0.75, 0.0, 0.0]


def test_asynchronous_rewards_work_inside_a_running_loop(make_task: MakeTask) -> None:
    @reward("later_in_loop")
    async def later(problem: Problem, completion: Completion) -> float:
        await asyncio.sleep(0.001)
        return 1.0

    async def notebook_cell() -> float | None:
        return score_one(make_task("rewards: {a: {use: later_in_loop}}"), Completion("x")).value

    assert asyncio.run(notebook_cell()) == 1.0


WRONG_VALUES: list[tuple[Any, str]] = [
    # what a function returns, part of the reason
    (None, "returned None"),
    (math.nan, "returned nan"),
    (math.inf, "returned inf"),
    (2.0, "outside its declared range"),
    ("1", "returned '1'"),
    ([1.0], "not a number"),
    (Score(None, "no_such_status"), "unknown status"),
]


@pytest.mark.parametrize(("value", "reason"), WRONG_VALUES)
def test_a_value_that_is_not_a_number_in_range_is_a_bug_of_the_function(
    make_task: MakeTask, value: Any, reason: str
) -> None:
    @reward("strange")
    def strange(problem: Problem, completion: Completion) -> Any:
        return value

    score = score_one(make_task("rewards: {a: {use: strange}, b: {use: answer}}"), boxed("4"))
    assert (score.value, score.status, score.parts["a"].status) == (None, "bug", "bug")
    assert reason in score.parts["a"].reason
    assert score.parts["b"].value == 1.0  # the other parts are not lost


OPEN_TASK = "rewards: {a: {use: open_value, weight: WEIGHT}, b: {use: ensemble, of: [open_value], weight: 0}}"


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, math.nan, numpy.float32("inf"), Score(math.inf), Score(math.nan)]
)
def test_a_value_that_is_not_finite_is_a_bug_also_where_the_range_is_open(
    make_task: MakeTask, value: Any
) -> None:
    @reward("open_value", range=(-math.inf, math.inf))
    def open_value(problem: Problem, completion: Completion) -> Any:
        return value if completion.text == "bad" else 1e300

    task = make_task(OPEN_TASK.replace("WEIGHT", "1"))
    bad, good = MarkScheme(task).score([TWO_PLUS_TWO] * 2, [Completion("bad"), Completion("good")])
    assert (bad.value, bad.status, bad.parts["a"].status, bad.parts["b"].status) == (None, *["bug"] * 3)
    assert "finite number" in bad.parts["a"].reason
    assert good.value == 1e300
    clipped = make_task("rewards: {a: {use: open_value, clip: [0, 1]}}")  # a clip must not hide it
    assert score_one(clipped, Completion("bad")).status == "bug"
    score = score_one(make_task(OPEN_TASK.replace("WEIGHT", "1.0e+100")), Completion("good"))
    assert (score.value, score.status) == (None, "bug")
    assert score.parts["a"].status == "bug"  # so that it is counted, and stops a run
    assert "the total is inf: 1e+300 with weight 1e+100 is too large" in score.parts["a"].reason


@pytest.mark.parametrize("reduce", ["mean", "median"])
def test_an_ensemble_whose_value_is_too_large_for_a_number_is_a_bug(make_task: MakeTask, reduce: str) -> None:
    reward("huge", range=(0, math.inf))(lambda problem, completion: 1.7e308)
    task = make_task(f"rewards: {{a: {{use: ensemble, of: [huge, huge], reduce: {reduce}}}}}")
    score = score_one(task, Completion("x"))
    assert (score.value, score.status) == (None, "bug")


@pytest.mark.parametrize("worth", [math.inf, math.nan, 2.0, -1.0, "much"])
def test_a_verdict_worth_more_than_1_is_a_bug(make_task: MakeTask, worth: Any) -> None:
    verifier("generous")(lambda problem, completion: Verdict(True, worth=worth))
    score = score_one(make_task("rewards: {a: {use: generous}}"), Completion("x"))
    assert (score.value, score.status) == (None, "bug")


def test_an_exception_on_one_row_leaves_the_other_rows_alone(make_task: MakeTask) -> None:
    calls = []

    @reward("picky")
    def picky(problem: Problem, completion: Completion) -> float:
        calls.append(completion.text)
        if completion.text == "bad":
            raise ZeroDivisionError("boom")
        if completion.text == "exit":
            raise SystemExit(1)
        return 1.0

    texts = ["a", "bad", "b", "exit", "c"]
    scheme = MarkScheme(make_task("rewards: {a: {use: picky}}"))
    scores = scheme.score([TWO_PLUS_TWO] * 5, [Completion(text) for text in texts])
    assert [score.value for score in scores] == [1.0, None, 1.0, None, 1.0]
    part = scores[1].parts["a"]
    assert "ZeroDivisionError: boom" in part.reason
    assert "boom" in (part.detail or {})["traceback"]
    assert calls == texts  # each row once


@pytest.mark.parametrize(
    ("result", "reason"),
    [([1.0], "returned 1 for 2"), (3.0, "list of values"), ({"a": 1}, "list of values")],
)
def test_a_batch_with_another_number_of_values_is_a_bug(
    make_task: MakeTask, result: Any, reason: str
) -> None:
    @reward("miscounting", batch=True)
    def miscounting(problems: Any, completions: Any) -> Any:
        return result

    scheme = MarkScheme(make_task("rewards: {a: {use: miscounting}}"))
    scores = scheme.score([TWO_PLUS_TWO] * 2, [Completion("x")] * 2)
    assert [score.status for score in scores] == ["bug", "bug"]
    assert all(reason in score.parts["a"].reason for score in scores)


def test_failures_outside_the_function_are_retried_and_then_leave_the_row_out(make_task: MakeTask) -> None:
    calls = {"flaky": 0, "down": 0}

    @reward("flaky")
    def flaky(problem: Problem, completion: Completion) -> float:
        calls["flaky"] += 1
        if calls["flaky"] == 1:
            raise ConnectionError("once")
        return 1.0

    @reward("down")
    def down(problem: Problem, completion: Completion) -> float:
        calls["down"] += 1
        raise InfraError("endpoint is down")

    @reward("no_file")
    def no_file(problem: Problem, completion: Completion) -> float:
        return float(Path("/no/such/file").read_text())

    assert score_one(make_task("rewards: {a: {use: flaky}}"), Completion("x")).value == 1.0
    failed = score_one(make_task("rewards: {a: {use: down}}"), Completion("x"))
    assert (failed.value, failed.status, calls) == (None, "infra_error", {"flaky": 2, "down": 2})
    # An OSError too, but one that trying again does not mend.
    assert score_one(make_task("rewards: {a: {use: no_file}}"), Completion("x")).status == "bug"


def test_a_deadline_stops_asynchronous_functions(make_task: MakeTask) -> None:
    @reward("slow")
    async def slow(problem: Problem, completion: Completion) -> float:
        await asyncio.sleep(60)
        return 1.0

    score = score_one(make_task("rewards: {a: {use: slow, timeout_s: 0.01}}"), Completion("x"))
    assert (score.value, score.status) == (None, "infra_error")


def test_whatever_a_function_does_ends_as_a_status(make_task: MakeTask) -> None:
    @reward("leaves")
    async def leaves(problem: Problem, completion: Completion) -> float:
        raise SystemExit(1)

    @reward("enormous")
    def enormous(problem: Problem, completion: Completion) -> int:
        return 10**400  # larger than any float

    @reward("unsized", batch=True)
    def unsized(problems: Any, completions: Any) -> Any:
        return numpy.array(0.5)  # has `__len__`, which raises

    for name in ("leaves", "enormous", "unsized"):
        assert score_one(make_task(f"rewards: {{a: {{use: {name}}}}}"), Completion("x")).status == "bug"
