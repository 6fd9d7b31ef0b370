"""Mark schemes of a task: weighted parts, routing, watched entries, accuracy, and checks of what is given."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.rewards import MarkScheme
from markscheme.sandbox import DataError, RewardError, TaskError
from markscheme.tasks import Completion, Problem, load_task
from support import TWO_PLUS_TWO, MakeTask, boxed, score_one


def test_a_score_is_the_sum_of_weighted_parts(make_task: MakeTask) -> None:
    task = make_task("rewards: {correct: {use: answer}, format: {use: think_answer, weight: 0.1}}")
    scheme = MarkScheme(task)
    completions = [boxed("4"), Completion(r"\boxed{4}"), boxed("5")]
    right, without_thinking, wrong = scheme.score([TWO_PLUS_TWO] * 3, completions)
    assert [score.value for score in (right, without_thinking, wrong)] == pytest.approx([1.1, 1.0, 0.1])
    assert right.parts["correct"].verdict is not None
    assert right.parts["correct"]["value"] == 1.0
    assert scheme.range == pytest.approx((0.0, 1.1))


def test_rows_are_routed_and_weights_renormalised(make_task: MakeTask) -> None:
    task = make_task(
        "rewards: {math: {use: answer, when: {kind: math}}, code: {use: boxed, when: {kind: [code, sql]}},"
        " format: {use: think_answer, weight: 0.5}}"
    )
    for kind, entry_of_others in (("math", "code"), ("code", "math"), ("sql", "math")):
        problem = Problem(prompt="q", reference="4", info={"kind": kind})
        score = score_one(task, boxed("4"), problem)
        assert score.value == pytest.approx(2.5)  # a perfect answer is worth the same on every row
        assert score.parts[entry_of_others].status == "not_applicable"
    nothing = score_one(make_task("rewards: {a: {use: answer, when: {kind: x}}}"), boxed("4"))
    assert (nothing.value, nothing.status) == (None, "not_applicable")
    with pytest.raises(TaskError, match="no column 'kin'"):
        score_one(make_task("rewards: {a: {use: answer, when: {kin: x}}}"), boxed("4"))


def test_weights_follow_the_training_step(make_task: MakeTask) -> None:
    task = make_task(
        "rewards: {correct: {use: answer}, format: {use: think_answer, weight: {0: 0, 10: 1}, ramp: true}}"
    )
    scores = [score_one(task, boxed("4"), step=step) for step in (0, 5, 10, None)]
    assert [score.value for score in scores] == [1.0, 1.5, 2.0, 2.0]


def test_watched_entries_are_scored_and_never_count(make_task: MakeTask) -> None:
    task = make_task("rewards: {box: {use: boxed}}\nwatch: doubtful")
    score = score_one(task, boxed("5"))
    assert (score.value, score.parts["doubtful"].value, score.parts["doubtful"].weight) == (1.0, 0.0, 0.0)
    undecided = score_one(task, boxed("x+1"))
    assert (undecided.value, undecided.status) == (1.0, "ok")
    with pytest.raises(TaskError, match="only watched"):
        MarkScheme(make_task("rewards: {box: {use: boxed, when: answer}}\nwatch: answer"))


def test_clipping_narrows_the_range(make_task: MakeTask) -> None:
    task = make_task("rewards: {r: {use: repetition, n: 1, clip: [-0.5, 0]}}")
    assert MarkScheme(task).range == (-0.5, 0.0)
    assert score_one(task, Completion("x x x x")).value == -0.5
    with pytest.raises(TaskError, match="does not overlap"):
        MarkScheme(make_task("rewards: {r: {use: repetition, clip: [0.5, 1]}}"))


def test_all_references_that_cannot_be_judged_by_are_reported_at_once(make_task: MakeTask) -> None:
    scheme = MarkScheme(make_task("rewards: {correct: {use: any_of, of: [answer, boxed]}}"))
    problems = [
        Problem(prompt="a", reference="4"),
        Problem(prompt="b"),
        Problem(prompt="c", reference=("1", "1/0")),
        Problem(prompt="d", reference=""),
    ]
    with pytest.raises(DataError) as caught:
        scheme.check_references(problems)
    for part in ("3 reference(s)", "is missing", "divides by zero", "is empty"):
        assert part in str(caught.value)
    scheme.check_references(problems[:1])
    # No verifier of this task reads references.
    MarkScheme(make_task("rewards: {a: {use: boxed}}")).check_references(problems)


def test_lists_of_different_lengths_are_refused(make_task: MakeTask) -> None:
    with pytest.raises(RewardError, match="given: 1 problems and 2 completions"):
        MarkScheme(make_task("rewards: {a: {use: answer}}")).score([TWO_PLUS_TWO], [boxed("4")] * 2)


def test_the_extraction_of_a_task_is_the_default_of_its_verifiers(make_task: MakeTask) -> None:
    task = make_task(
        'extract: [{after: "A: "}]\nrewards: {correct: {use: answer}, box: {use: answer, extract: strict}}'
    )
    score = score_one(task, Completion("A: 4"))
    assert (score.parts["correct"].value, score.parts["box"].value) == (1.0, 0.0)


def test_a_prompt_may_open_the_thinking_part_in_which_no_answer_counts(make_task: MakeTask) -> None:
    problem = Problem(prompt="q <think>\n", reference="4")
    task = make_task("rewards: {correct: {use: answer}}")
    assert score_one(task, Completion(r"try \boxed{4}"), problem).status == "no_answer"
    assert score_one(task, Completion(r"try</think>\boxed{4}"), problem).value == 1.0


def test_accuracy_is_that_of_the_entry_that_reads_the_reference(make_task: MakeTask) -> None:
    task = make_task("rewards: {form: {use: boxed}, truth: {use: answer}}")
    assert MarkScheme(task).is_right(score_one(task, boxed("5"))) is False


def test_without_a_verifier_accuracy_is_the_top_of_the_range(make_task: MakeTask) -> None:
    task = make_task("rewards: {a: {use: length, target: 1}, b: {use: language}}")
    scheme = MarkScheme(task)
    assert scheme.is_right(score_one(task, Completion("word"))) is True
    assert scheme.is_right(score_one(task, Completion("two words"))) is False


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["4", "5", "x+1", "", "4 or 5"]), min_size=1, max_size=8))
def test_a_score_depends_on_its_own_row_only(answers: list[str]) -> None:
    scheme = MarkScheme(load_task("addition"))
    together = scheme.score([TWO_PLUS_TWO] * len(answers), [boxed(answer) for answer in answers])
    alone = [scheme.score([TWO_PLUS_TWO], [boxed(answer)])[0] for answer in answers]
    assert [(score.value, score.status) for score in together] == [
        (score.value, score.status) for score in alone
    ]
