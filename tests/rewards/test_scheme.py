"""Mark schemes of a task: weighted parts, routing, watched entries, accuracy, and checks of what is given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.rewards import MarkScheme, reward
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


def test_a_row_that_cannot_be_routed_is_a_bug_of_that_row_only(make_task: MakeTask) -> None:
    task = make_task("rewards: {a: {use: answer, when: {kind: math}}, b: {use: boxed}}")
    problems = [
        TWO_PLUS_TWO,
        Problem(id="no-kind", prompt="q", reference="4", info={"level": 3}),
        Problem(id="array", prompt="q", reference="4", info={"kind": np.array(["math", "code"])}),
    ]
    routed, lacking, array = MarkScheme(task).score(problems, [boxed("4")] * 3)
    assert (routed.value, routed.status) == (2.0, "ok")
    assert (lacking.value, lacking.status, lacking.parts["b"].value) == (None, "bug", 1.0)
    for text in ("task.yaml:3: rewards.a.when", "problem no-kind", "no column 'kind'", "columns: level"):
        assert text in lacking.parts["a"].reason
    assert (array.value, array.status) == (None, "bug")
    assert "problem array has a ndarray in column 'kind'" in array.parts["a"].reason
    stop = make_task("rewards: {a: {use: answer, when: {kin: math}, on_failure: {bug: stop}}}")
    with pytest.raises(RewardError, match="no column 'kin'"):
        score_one(stop, boxed("4"))


def test_a_penalty_that_does_not_apply_hands_its_weight_to_nobody(make_task: MakeTask) -> None:
    dapo = load_task("dapo17k")
    problem = Problem(prompt="q", reference="34")
    without_ids = Completion("Answer: 34")
    assert MarkScheme(dapo).range == (-1.0, 2.0)
    assert score_one(dapo, without_ids, problem).value == 2.0
    assert score_one(dapo, Completion("Answer: 34", token_ids=[1]), problem).value == 2.0
    overlong = "{use: overlong, max_tokens: 9, cache_tokens: 9}"
    mean = make_task(f"rewards: {{m: {{use: ensemble, of: [answer, {overlong}]}}}}")
    assert score_one(mean, boxed("4")).value == 0.5  # as with few tokens
    least = make_task(f"rewards: {{m: {{use: ensemble, of: [answer, {overlong}], reduce: min}}}}")
    assert score_one(least, boxed("4")).value == 0.0
    nothing = make_task(f"rewards: {{m: {{use: ensemble, of: [{overlong}]}}}}")
    assert score_one(nothing, boxed("4")).status == "not_applicable"


def test_a_judge_with_a_larger_range_does_not_take_a_share_by_its_weight(make_task: MakeTask) -> None:
    @reward("graded", range=(0, 10))
    def graded(problem: Problem, completion: Completion) -> float:
        return 10.0

    task = make_task(
        "rewards: {math: {use: answer, when: {kind: math}}, essay: {use: graded, weight: 0.1,"
        " when: {kind: essay}}}"
    )
    problems = [Problem(prompt="q", reference="4", info={"kind": kind}) for kind in ("math", "essay")]
    scores = MarkScheme(task).score(problems, [boxed("4")] * 2)
    assert [score.value for score in scores] == [2.0, 2.0]  # a perfect answer, at the top of the range
    for score in scores:
        assert score.value == sum(part.weight * (part.value or 0.0) for part in score.parts.values())


def test_the_range_of_a_composite_is_that_of_its_clipped_members(make_task: MakeTask) -> None:
    inner = "{use: any_of, of: [answer, {use: repetition, clip: [-0.5, 0]}], clip: [-0.25, 0.5]}"
    named = make_task(f"rewards: {{a: {{use: cascade, of: [b]}}, b: {inner}}}")
    assert MarkScheme(named).bounds_of("a") == (-0.25, 0.5)
    inline = make_task(f"rewards: {{a: {{use: cascade, of: [{inner}]}}}}")
    assert MarkScheme(inline).bounds_of("a") == (-0.25, 0.5)
    reward("high", range=(1, 2))(lambda problem, completion: 1.0)
    gated = make_task(
        "rewards: {a: {use: cascade, of: [b]}, b: {use: any_of, of: [high], when: c}, c: {use: boxed}}"
    )
    assert MarkScheme(gated).bounds_of("a") == (0.0, 2.0)


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
