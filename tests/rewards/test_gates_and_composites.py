"""Entries that depend on each other: gates, cascades, any_of and ensembles, and what a failure is worth."""

import pytest

from markscheme.rewards import MarkScheme, reward
from markscheme.sandbox import RewardError, TaskError
from markscheme.tasks import Completion, Problem, Task
from markscheme.verifiers import verifier
from support import TWO_PLUS_TWO, MakeTask, boxed, score_one


def values(task: Task, *completions: Completion) -> list[float | None]:
    scores = MarkScheme(task).score([TWO_PLUS_TWO] * len(completions), completions)
    return [score.value for score in scores]


def test_a_failure_is_worth_what_its_status_says_unless_on_failure_says_otherwise(
    make_task: MakeTask,
) -> None:
    default = make_task("rewards: {correct: {use: doubtful}}")
    missing, undecided = Completion("no answer"), boxed("x+1")
    for completion, value, status in (
        (missing, 0.0, "no_answer"),
        (undecided, None, "abstain"),
        (boxed("4/0"), 0.0, "unparsable"),
    ):
        score = score_one(default, completion)
        assert (score.value, score.status) == (value, status)
    task = make_task("rewards: {correct: {use: doubtful, on_failure: {abstain: 0.5, no_answer: leave_out}}}")
    assert values(task, undecided, missing) == [0.5, None]
    stop = make_task("rewards: {correct: {use: doubtful, on_failure: {abstain: stop}}}")
    with pytest.raises(RewardError, match="on_failure says stop"):
        score_one(stop, undecided)
    with pytest.raises(TaskError, match="a value within the range"):
        MarkScheme(make_task("rewards: {correct: {use: doubtful, on_failure: {timeout: -1}}}"))


def test_a_failure_shows_in_the_status_of_a_score_that_it_did_not_decide(make_task: MakeTask) -> None:
    task = make_task(
        "rewards: {correct: {use: doubtful}, word: {use: regex, pattern: four}}\ncombine: any_of"
    )
    score = score_one(task, Completion("four"))
    assert (score.value, score.status) == (1.0, "no_answer")
    assert (score.parts["correct"].value, score.parts["correct"].status) == (0.0, "no_answer")
    assert (score.parts["word"].value, score.parts["word"].status) == (1.0, "ok")


def test_an_entry_behind_a_gate_pays_only_where_the_gate_is_open(make_task: MakeTask) -> None:
    calls = []

    @reward("costly")
    def costly(problem: Problem, completion: Completion) -> float:
        calls.append(completion.text)
        return 0.0 if "short" in completion.text else 1.0

    task = make_task("rewards: {bonus: {use: costly, weight: 0.5, when: correct}, correct: {use: doubtful}}")
    completions = [boxed("4"), boxed("5"), boxed("x+1"), boxed("x+1", "short")]
    right, wrong, unknown, worth_nothing = MarkScheme(task).score([TWO_PLUS_TWO] * 4, completions)
    assert right.value == 1.5
    assert (wrong.value, wrong.parts["bonus"].reason) == (0.0, "gate_closed")
    assert (unknown.parts["bonus"].value, unknown.parts["bonus"].reason) == (None, "gate_unknown")
    assert worth_nothing.parts["bonus"].value == 0.0  # whether its gate is open or closed
    assert len(calls) == 3  # not called behind the closed gate
    assert list(right.parts) == ["bonus", "correct"]  # in the order of the file, not of evaluation


def test_an_undecided_gate_that_on_failure_gives_a_value_is_open_at_the_top_of_the_range(
    make_task: MakeTask,
) -> None:
    for worth, value in ((0, 0.0), (1, 1.5)):
        task = make_task(
            f"rewards: {{c: {{use: doubtful, on_failure: {{abstain: {worth}}}}},"
            " f: {use: boxed, when: c, weight: 0.5}}"
        )
        assert score_one(task, boxed("x+1")).value == value


def test_a_bug_behind_an_undecided_gate_is_still_a_bug(make_task: MakeTask) -> None:
    @reward("raising")
    def raising(problem: Problem, completion: Completion) -> float:
        raise KeyError("x")

    task = make_task("rewards: {c: {use: doubtful}, b: {use: raising, when: c}}")
    assert score_one(task, boxed("x+1")).parts["b"].status == "bug"


def test_a_cascade_asks_its_next_member_only_where_one_could_not_decide(make_task: MakeTask) -> None:
    asked = []

    @verifier("always_right")
    def always_right(problem: Problem, completion: Completion) -> bool:
        asked.append(completion.text)
        return True

    task = make_task("rewards: {correct: {use: cascade, of: [doubtful, always_right]}}")
    scheme = MarkScheme(task)
    scores = scheme.score([TWO_PLUS_TWO] * 3, [boxed("4"), boxed("5"), boxed("x+1")])
    assert [score.value for score in scores] == [1.0, 0.0, 1.0]
    deciders = [(score.parts["correct"].detail or {})["decided_by"] for score in scores]
    assert deciders == ["doubtful", "doubtful", "always_right"]
    assert asked == [boxed("x+1").text]
    assert scheme.is_right(scores[2]) is True


def test_any_of_and_ensembles(make_task: MakeTask) -> None:
    either = make_task("rewards: {correct: {use: any_of, of: [doubtful, {use: regex, pattern: four}]}}")
    completions = [boxed("4"), Completion("four"), Completion("five"), boxed("x+1"), boxed("x+1", "four")]
    assert values(either, *completions) == [1.0, 1.0, 0.0, None, 1.0]
    mean = make_task("rewards: {all: {use: ensemble, of: [doubtful, boxed, think_answer]}}")
    assert values(mean, boxed("4"), boxed("5")) == pytest.approx([1.0, 2 / 3])
    assert score_one(mean, boxed("x+1")).value is None
    least = make_task("rewards: {all: {use: ensemble, reduce: min, of: [doubtful, boxed]}}")
    assert score_one(least, boxed("5")).value == 0.0


def test_members_may_name_other_entries(make_task: MakeTask) -> None:
    task = make_task(
        "rewards: {both: {use: ensemble, of: [correct, format]},"
        " correct: {use: answer, weight: 0}, format: {use: think_answer, weight: 0}}"
    )
    assert score_one(task, Completion(r"\boxed{4}")).value == 0.5


def test_members_that_refer_to_each_other_in_a_circle_are_an_error(make_task: MakeTask) -> None:
    for entries in ("c: {use: cascade, of: [c]}", "c: {use: cascade, of: [d]}, d: {use: any_of, of: [c]}"):
        with pytest.raises(TaskError, match="refer to each other"):
            MarkScheme(make_task(f"rewards: {{{entries}}}"))


def test_failures_of_a_composite_have_a_worth_of_their_own(make_task: MakeTask) -> None:
    task = make_task("rewards: {c: {use: cascade, of: [doubtful], on_failure: {abstain: 0.25}}}")
    assert score_one(task, boxed("x+1")).value == 0.25
    stop = make_task("rewards: {c: {use: any_of, of: [doubtful], on_failure: {abstain: stop}}}")
    with pytest.raises(RewardError, match="on_failure says stop"):
        score_one(stop, boxed("x+1"))
    for option, message in (
        ("on_failure: {abstain: 2}", "a value within the range"),
        ("timeout_s: 1", "to each member"),
    ):
        with pytest.raises(TaskError, match=message):
            MarkScheme(make_task(f"rewards: {{c: {{use: cascade, of: [doubtful], {option}}}}}"))
