"""Rewards that mark steps: a completion's value from its steps, spans and statuses, and the `process` section."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from markscheme.rewards import MarkScheme, Score, reward
from markscheme.rewards.builtin.step_rules import Check
from markscheme.rewards.composition.mark_steps import reduced
from markscheme.sandbox import RewardError, TaskError
from markscheme.tasks import Completion, Problem
from markscheme.verifiers import Verdict
from markscheme.verifiers.steps.verify import CHECKS
from markscheme.verifiers.verdict import Reason
from support import TWO_PLUS_TWO, MakeTask

MARKS = {"good": 1.0, "bad": 0.0, "half": 0.5}
"""Steps, and their marks by the rewards below."""
OTHER_ANSWERS: dict[str, Any] = {
    "yes": True,
    "no": False,
    "none": None,
    "verdict": Verdict(True, Reason.PASSED),
    "down": Verdict(None, Reason.UNAVAILABLE),
    "unread": Verdict(None, Reason.UNDECIDED),
    "nan": math.nan,
    "big": 2.0,
    "huge": 10**400,
    "written": "0.5",
    "text": "x",
}
"""Steps for which `by_word` returns something other than a number, or a number that is no mark."""


@reward("by_word", steps=True)
def by_word(
    problem: Problem, completion: Completion, steps: Sequence[str], *, bonus: float = 0.0
) -> list[Any]:
    """Mark each step by the word that it is."""
    return [min(MARKS[step] + bonus, 1) if step in MARKS else OTHER_ANSWERS[step] for step in steps]


@reward("by_word_async", steps=True, range=(-1, 1))
async def by_word_async(problem: Problem, completion: Completion, steps: Sequence[str]) -> list[Any]:
    """Mark steps as `by_word` does, but from -1 to 1."""
    await asyncio.sleep(0)
    return [2 * MARKS[step] - 1 for step in steps]


@reward("one_mark", steps=True, batch=True)
def one_mark(problems: Sequence[Problem], completions: Sequence[Completion], steps: Any) -> list[Any]:
    """Return a single mark however many steps there are; a failure where the first step asks for one."""
    failures = {"refuse": Score(None, "too_large", reason="no"), "fail": RewardError("mine")}
    return [failures.get(of_completion[0], [1.0]) for of_completion in steps]


def score_steps(make_task: MakeTask, text: str, process: str) -> Score:
    """Score a completion by a task with this `process` section."""
    task = make_task(f"rewards: {{correct: {{use: answer}}}}\nprocess: {process}")
    (score,) = MarkScheme(task).score([TWO_PLUS_TWO], [Completion(text)])
    return score


def values_of_steps(score: Score) -> list[float | None]:
    assert score.steps is not None
    return [mark.value for mark in score.steps]


VALUES: list[tuple[str, str, float | None, str]] = [
    # completion, reduce, value, status
    ("good\nhalf", "min", 0.5, "ok"),
    ("good\nhalf\nhalf", "product", 0.25, "ok"),
    ("good\nhalf", "last", 0.5, "ok"),
    ("good\nhalf", "mean", 0.75, "ok"),
    ("yes\nno", "min", 0.0, "ok"),
    ("verdict\nyes", "min", 1.0, "ok"),
    ("none\nunread\nhalf", "mean", 0.5, "ok"),  # steps that a rule cannot judge do not count
    ("none\nnone", "min", None, "not_applicable"),
    ("good\ndown", "min", None, "infra_error"),  # the step that could not be marked may be the worst
    ("bad\ndown", "min", 0.0, "ok"),  # nothing can be worse
    ("bad\ndown", "mean", None, "infra_error"),
    ("good\nnan", "min", None, "bug"),
    ("good\nbig", "min", None, "bug"),
    ("text", "min", None, "bug"),
    ("huge", "min", None, "bug"),
    ("written", "min", None, "bug"),
    ("", "min", 0.0, "no_answer"),
    ("good\n" * 9, "min", 0.0, "too_large"),
]


@pytest.mark.parametrize(("text", "reduce", "value", "status"), VALUES)
def test_a_completion_s_value_is_reduced_from_its_steps(
    make_task: MakeTask, text: str, reduce: str, value: float | None, status: str
) -> None:
    score = score_steps(make_task, text, f"{{use: by_word, reduce: {reduce}, max_steps: 8}}")
    part = score.parts["process"]
    assert (part.value, str(part.status)) == (value, status)


@pytest.mark.parametrize(
    ("values", "how", "value"),
    [
        ([0.5, None], "min", None),
        ([0.0, None], "min", 0.0),
        ([0.0, None], "product", 0.0),
        ([0.5, None], "last", None),
        ([None, 0.5], "last", 0.5),
        ([], "min", None),
        ([0.5, 0.25], "product", 0.125),
    ],
)
def test_a_reduction_is_unknown_only_if_an_unknown_mark_could_change_it(
    values: list[float | None], how: Any, value: float | None
) -> None:
    assert reduced(values, how, (0.0, 1.0)) == value


def test_marks_carry_the_spans_of_their_steps(make_task: MakeTask) -> None:
    text = "<think>good\nhalf</think>\nbad\n"
    score = score_steps(make_task, text, "{use: by_word}")
    assert score.steps is not None
    assert [(text[mark.step.start : mark.step.end], mark.value, mark.step.part) for mark in score.steps] == [
        ("good", 1.0, "thinking"),
        ("half", 0.5, "thinking"),
        ("bad", 0.0, "answer"),
    ]
    only_thinking = score_steps(make_task, text, "{use: by_word, part: thinking}")
    assert values_of_steps(only_thinking) == [1.0, 0.5]
    with_bonus = score_steps(make_task, text, "{use: by_word, bonus: 0.25}")
    assert values_of_steps(with_bonus) == [1.0, 0.75, 0.25]


def test_a_step_reward_may_be_an_entry_of_its_own_and_process_may_name_it(make_task: MakeTask) -> None:
    entries = "rewards: {worst: {use: by_word, weight: 2}, last: {use: by_word_async, reduce: last}}"
    completion = Completion("good\nhalf\nbad")
    (score,) = MarkScheme(make_task(entries)).score([TWO_PLUS_TWO], [completion])
    assert score.value == 2 * 0.0 - 1.0
    assert values_of_steps(score) == [1.0, 0.5, 0.0]  # of the first entry that marks steps
    naming = make_task(entries + "\nprocess: {use: last}")
    (score,) = MarkScheme(naming).score([TWO_PLUS_TWO], [completion])
    assert values_of_steps(score) == [1.0, 0.0, -1.0]
    (score,) = MarkScheme(naming, process=False).score([TWO_PLUS_TWO], [Completion("good")])
    assert score.steps is not None


def test_another_number_of_marks_is_a_bug_and_shifts_nothing(make_task: MakeTask) -> None:
    score = score_steps(make_task, "good\ngood", "{use: one_mark}")
    assert str(score.parts["process"].status) == "bug"
    assert "returned 1 for 2 steps" in score.parts["process"].reason
    assert score.steps is None


def test_a_step_reward_may_return_a_failure_for_the_whole_completion(make_task: MakeTask) -> None:
    refused = score_steps(make_task, "refuse\nx", "{use: one_mark}")
    assert [(mark.value, str(mark.status)) for mark in refused.steps or ()] == [(0.0, "too_large")]
    failed = score_steps(make_task, "fail", "{use: one_mark}")
    assert "mine" in failed.parts["process"].reason
    left_out = score_steps(make_task, "refuse", "{use: one_mark, on_failure: {too_large: leave_out}}")
    assert left_out.parts["process"].value is None


MISTAKES = [
    # process section, part of the message
    ("{use: answer}", "marks completions, not steps"),
    ("{use: by_word, split: {by: lines, separator: 3}}", "separator"),
    ("{use: by_word, split: sentence}", "did you mean 'sentences'"),
    ("{use: by_word, reduce: max}", "reduce"),
    ("{use: by_word, max_steps: 0}", "max_steps"),
    ("{use: by_word, colour: red}", "no parameter 'colour'"),
    ("{use: by_word, when: correct}", "no `when`"),
    ("{use: by_word, weight: -1}", "negative"),
    ("{use: by_word, credit: most}", "credit"),
    ("{use: by_word, clip: [0, 0.5]}", "no `clip`"),
    ("{use: by_word, centred: true}", "centred"),
    ("{use: step_checker}", "needs 'check'"),
    ("{use: step_checker, check: arithmetics}", "check"),
    ("{use: cascade, of: [by_word]}", "no `of`"),
    ("{use: correct}", "marks completions, not steps"),
]


@pytest.mark.parametrize(("process", "message"), MISTAKES)
def test_mistakes_in_the_process_section_are_errors(make_task: MakeTask, process: str, message: str) -> None:
    with pytest.raises((TaskError, RewardError), match=message):
        score_steps(make_task, "good", process)


def test_no_entry_may_have_the_name_of_the_process_section(make_task: MakeTask) -> None:
    with pytest.raises(TaskError, match="rename it"):
        make_task("rewards: {process: {use: answer}}\nprocess: {use: by_word}")


def test_every_check_can_be_named_in_a_task() -> None:
    assert set(get_args(Check)) == set(CHECKS)


def test_a_range_that_makes_no_sense_for_marks_is_refused(make_task: MakeTask) -> None:
    with pytest.raises(RewardError, match="finite range"):

        @reward("endless", steps=True, range=(0, math.inf))
        def endless(problem: Any, completion: Any, steps: Any) -> list[Any]:
            return []

    # From -1 to 1, the product of two wrong steps is that of two right ones.
    with pytest.raises(TaskError, match="two wrong steps"):
        score_steps(make_task, "good", "{use: by_word_async, reduce: product}")


def test_a_parameter_may_not_have_the_name_of_a_common_option() -> None:
    with pytest.raises(RewardError, match="'split' is reserved"):

        @reward("hides", steps=True)
        def hides(problem: Any, completion: Any, steps: Any, *, split: str) -> list[Any]:
            return []
