"""Mark schemes through `score`: kinds of functions, faults, gates, routing, nesting."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from markscheme.rewards import MarkScheme, Score, reward
from markscheme.rewards.composition.registry import REWARDS
from markscheme.sandbox import DataError, InfraError, RewardError, TaskError
from markscheme.tasks import Completion, Problem
from markscheme.verifiers import Verdict, verifier
from markscheme.verifiers.verdict import VERIFIERS
from support import MakeTask, boxed

Q = Problem(prompt="q", reference="4", info={"kind": "math"})


@pytest.fixture(autouse=True)
def clean_tables() -> Iterator[None]:
    before = dict(REWARDS.decorated), dict(VERIFIERS.decorated)
    yield
    REWARDS.decorated, VERIFIERS.decorated = before


def score_one(task: Any, completion: Completion, problem: Problem = Q, **more: Any) -> Score:
    return MarkScheme(task).score([problem], [completion], **more)[0]


def test_a_sum_of_weighted_parts(make_task: MakeTask) -> None:
    task = make_task("rewards: {correct: {use: answer}, format: {use: think_answer, weight: 0.1}}")
    right, bare, wrong = MarkScheme(task).score([Q] * 3, [boxed("4"), Completion(r"\boxed{4}"), boxed("5")])
    assert [s.value for s in (right, bare, wrong)] == pytest.approx([1.1, 1.0, 0.1])
    assert right.parts["correct"].verdict is not None
    assert right.parts["correct"]["value"] == 1.0
    assert MarkScheme(task).range == pytest.approx((0.0, 1.1))


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
    entries = ", ".join(f"{n}: {{use: {n}}}" for n in names)
    scores = MarkScheme(make_task(f"rewards: {{{entries}}}")).score(
        [Q, Q], [Completion("yes!"), Completion("no")]
    )
    assert [scores[0].parts[n].value for n in names] == [1.0, 0.0, 0.25, 0.75, 1.0, 1.0]
    assert [scores[1].parts[n].value for n in names] == [0.0, 0.5, 0.25, 0.75, 0.0, 0.0]


def test_asynchronous_rewards_work_inside_a_running_loop(make_task: MakeTask) -> None:
    @reward("later_in_loop")
    async def later(problem: Problem, completion: Completion) -> float:
        await asyncio.sleep(0.001)
        return 1.0

    async def notebook_cell() -> float | None:
        return score_one(make_task("rewards: {a: {use: later_in_loop}}"), Completion("x")).value

    assert asyncio.run(notebook_cell()) == 1.0


BAD_VALUES: list[tuple[Any, str]] = [
    (None, "returned None"),
    (math.nan, "returned nan"),
    (math.inf, "returned inf"),
    (2.0, "outside its declared range"),
    ("1", "returned '1'"),
    ([1.0], "not a number"),
    (Score(None, "no_such_status"), "unknown status"),
]


@pytest.mark.parametrize(("value", "said"), BAD_VALUES)
def test_a_value_that_is_none_is_a_bug_of_the_function(make_task: MakeTask, value: Any, said: str) -> None:
    @reward("strange")
    def strange(problem: Problem, completion: Completion) -> Any:
        return value

    score = score_one(make_task("rewards: {a: {use: strange}, b: {use: answer}}"), boxed("4"))
    assert (score.value, score.status, score.parts["a"].status) == (None, "bug", "bug")
    assert said in score.parts["a"].reason
    assert score.parts["b"].value == 1.0  # the others are not lost


def test_one_raising_row_costs_its_neighbours_nothing(make_task: MakeTask) -> None:
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
    scores = MarkScheme(make_task("rewards: {a: {use: picky}}")).score(
        [Q] * 5, [Completion(t) for t in texts]
    )
    assert [s.value for s in scores] == [1.0, None, 1.0, None, 1.0]
    assert "ZeroDivisionError: boom" in scores[1].parts["a"].reason
    assert "boom" in (scores[1].parts["a"].detail or {})["traceback"]
    assert calls == texts  # each row once


@pytest.mark.parametrize(
    ("result", "said"),
    [([1.0], "returned 1 for 2"), (3.0, "list of values"), ({"a": 1}, "list of values")],
)
def test_a_batch_of_the_wrong_count_is_a_bug(make_task: MakeTask, result: Any, said: str) -> None:
    @reward("miscounting", batch=True)
    def miscounting(problems: Any, completions: Any) -> Any:
        return result

    scores = MarkScheme(make_task("rewards: {a: {use: miscounting}}")).score([Q, Q], [Completion("x")] * 2)
    assert all(score.status == "bug" and said in score.parts["a"].reason for score in scores)


def test_our_failures_are_retried_and_then_leave_the_row_out(make_task: MakeTask) -> None:
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
    assert score_one(make_task("rewards: {a: {use: no_file}}"), Completion("x")).status == "bug"


def test_a_deadline_stops_asynchronous_functions(make_task: MakeTask) -> None:
    @reward("slow")
    async def slow(problem: Problem, completion: Completion) -> float:
        await asyncio.sleep(60)
        return 1.0

    score = score_one(make_task("rewards: {a: {use: slow, timeout_s: 0.01}}"), Completion("x"))
    assert (score.value, score.status) == (None, "infra_error")


def test_whose_fault_decides_what_a_failure_means(make_task: MakeTask) -> None:
    plain = "rewards: {correct: {use: doubtful}}"
    missing, undecided = Completion("no answer"), boxed("x+1")
    assert (score_one(make_task(plain), missing).value, score_one(make_task(plain), missing).status) == (
        0.0,
        "no_answer",
    )
    left_out = score_one(make_task(plain), undecided)
    assert (left_out.value, left_out.status) == (None, "abstain")
    assert score_one(make_task(plain), boxed("4/0")).status == "unparsable"
    worth = make_task("rewards: {correct: {use: doubtful, on_failure: {abstain: 0.5, no_answer: leave_out}}}")
    assert score_one(worth, undecided).value == 0.5
    assert score_one(worth, missing).value is None
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


def test_a_gate_pays_only_together_with_the_other(make_task: MakeTask) -> None:
    calls = []

    @reward("costly")
    def costly(problem: Problem, completion: Completion) -> float:
        calls.append(completion.text)
        return 0.0 if "short" in completion.text else 1.0

    task = make_task("rewards: {bonus: {use: costly, weight: 0.5, when: correct}, correct: {use: doubtful}}")
    completions = [boxed("4"), boxed("5"), boxed("x+1"), boxed("x+1", "short")]
    right, wrong, unknown, unknown_but_nothing = MarkScheme(task).score([Q] * 4, completions)
    assert right.value == 1.5
    assert (wrong.value, wrong.parts["bonus"].reason) == (0.0, "gate_closed")
    assert (unknown.parts["bonus"].value, unknown.parts["bonus"].reason) == (None, "gate_unknown")
    assert unknown_but_nothing.parts["bonus"].value == 0.0  # 0 x None = 0
    assert len(calls) == 3  # not run behind a closed gate
    assert list(right.parts) == ["bonus", "correct"]  # the file's order, not that of evaluation


def test_rows_are_routed_and_weights_renormalised(make_task: MakeTask) -> None:
    task = make_task(
        "rewards: {math: {use: answer, when: {kind: math}}, code: {use: boxed, when: {kind: [code, sql]}},"
        " format: {use: think_answer, weight: 0.5}}"
    )
    for kind, routed in (("math", "code"), ("code", "math"), ("sql", "math")):
        problem = Problem(prompt="q", reference="4", info={"kind": kind})
        score = score_one(task, boxed("4"), problem)
        assert score.value == pytest.approx(2.5)  # a perfect answer has the same worth on every row
        assert score.parts[routed].status == "not_applicable"
    nothing = score_one(make_task("rewards: {a: {use: answer, when: {kind: x}}}"), boxed("4"))
    assert (nothing.value, nothing.status) == (None, "not_applicable")
    with pytest.raises(TaskError, match="no column 'kin'"):
        score_one(make_task("rewards: {a: {use: answer, when: {kin: x}}}"), boxed("4"))


def test_weights_follow_the_step(make_task: MakeTask) -> None:
    task = make_task(
        "rewards: {correct: {use: answer}, format: {use: think_answer, weight: {0: 0, 10: 1}, ramp: true}}"
    )
    assert [score_one(task, boxed("4"), step=s).value for s in (0, 5, 10, None)] == [1.0, 1.5, 2.0, 2.0]


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


def test_a_cascade_asks_on_only_where_it_could_not_tell(make_task: MakeTask) -> None:
    asked = []

    @verifier("dear")
    def dear(problem: Problem, completion: Completion) -> bool:
        asked.append(completion.text)
        return True

    task = make_task("rewards: {correct: {use: cascade, of: [doubtful, dear]}}")
    scores = MarkScheme(task).score([Q] * 3, [boxed("4"), boxed("5"), boxed("x+1")])
    assert [s.value for s in scores] == [1.0, 0.0, 1.0]
    assert [(s.parts["correct"].detail or {})["decided_by"] for s in scores] == [
        "doubtful",
        "doubtful",
        "dear",
    ]
    assert asked == [boxed("x+1").text]
    assert MarkScheme(task).is_right(scores[2]) is True


def test_any_of_and_ensemble(make_task: MakeTask) -> None:
    either = make_task("rewards: {correct: {use: any_of, of: [doubtful, {use: regex, pattern: four}]}}")
    completions = [boxed("4"), Completion("four"), Completion("five"), boxed("x+1"), boxed("x+1", "four")]
    assert [s.value for s in MarkScheme(either).score([Q] * 5, completions)] == [1.0, 1.0, 0.0, None, 1.0]
    mean = make_task("rewards: {all: {use: ensemble, of: [doubtful, boxed, think_answer]}}")
    assert [score_one(mean, c).value for c in (boxed("4"), boxed("5"))] == pytest.approx([1.0, 2 / 3])
    least = make_task("rewards: {all: {use: ensemble, reduce: min, of: [doubtful, boxed]}}")
    assert score_one(least, boxed("5")).value == 0.0
    assert score_one(mean, boxed("x+1")).value is None


def test_members_may_name_other_entries(make_task: MakeTask) -> None:
    task = make_task(
        "rewards: {both: {use: ensemble, of: [correct, format]}, correct: {use: answer, weight: 0}, format: {use: think_answer, weight: 0}}"
    )
    assert score_one(task, Completion(r"\boxed{4}")).value == 0.5


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ("a: {use: anser}", "did you mean 'answer'"),
        ("a: {use: answer, extrct: strict}", "did you mean 'extract'"),
        ("a: {use: answer, wieght: 2}", "did you mean 'weight'"),
        ("a: {use: answer, extract: strikt}", "did you mean 'strict'"),
        ("a: {use: regex}", "needs 'pattern'"),
        ("a: {use: length, target: many}", "rewards.a.target"),
        ("a: {use: answer, when: b}", "unknown entry 'b'"),
        (
            "a: {use: answer, when: b}, b: {use: boxed, when: a}",
            "refer to each other: a -> b -> a",
        ),
        ("a: {use: cascade}", "needs members"),
        ("a: {use: answer, of: [boxed]}", "have members"),
        ("a: {use: ensemble, of: [answer], reduce: max}", "expected mean, median or min"),
        ("a: {use: cascade, of: [answer], reduce: min}", "no parameter 'reduce'"),
        ("a: {use: cascade, of: [{use: answer, weight: 2}]}", "a member has no weight"),
        ("a: {use: 'json:loads'}", "decorate it"),
        ("a: {use: 'no_such_module:x'}", "cannot import"),
        ("a: {use: 'json:laods'}", "did you mean 'loads'"),
        ("a: {use: 'gone.py:f'}", "cannot import"),
    ],
)
def test_mistakes_in_entries_are_told_when_the_scheme_is_built(
    make_task: MakeTask, entries: str, said: str
) -> None:
    with pytest.raises(TaskError) as caught:
        MarkScheme(make_task(f"rewards: {{{entries}}}"))
    assert said in str(caught.value)
    assert "task.yaml:3" in str(caught.value)


def test_all_mistakes_of_entries_are_told_at_once(make_task: MakeTask) -> None:
    with pytest.raises(TaskError) as caught:
        MarkScheme(make_task("rewards: {a: {use: nope}, b: {use: regex}}\nwatch: {c: {use: nope}}"))
    assert len(str(caught.value).splitlines()) == 3


def test_rewards_come_from_a_file_beside_the_task(make_task: MakeTask, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from markscheme.rewards import reward\n"
        "@reward('brevity')\ndef brevity(problem, completion, *, target: int = 3):\n"
        "    return float(len(completion.text) <= target)\n"
    )
    task = make_task("rewards: {a: {use: 'mine.py:brevity', target: 2}}")
    assert [score_one(task, Completion(t)).value for t in ("ab", "abc")] == [1.0, 0.0]
    with pytest.raises(TaskError, match="--no-code"):
        MarkScheme(make_task("rewards: {a: {use: 'mine.py:brevity'}}", allow_code=False))


def test_a_redefinition_in_one_file_replaces_and_elsewhere_is_an_error(tmp_path: Path) -> None:
    def define(path: str) -> Any:
        source = "from markscheme.rewards import reward\n@reward('twice')\ndef twice(problem, completion): return 1.0\n"
        exec(compile(source, path, "exec"), {"__name__": "m"})

    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.touch()
    second.touch()
    define(str(first))
    define(str(first))
    with pytest.raises(RewardError, match="rename one"):
        define(str(second))
    REWARDS.decorated.pop("twice")
    define("<ipython-input-1>")
    define("/tmp/ipykernel_1/2.py")  # another cell of the same notebook
    with pytest.raises(RewardError, match="built in"):
        reward("length")(lambda problem, completion: 1.0)
    with pytest.raises(RewardError, match="lowest, highest"):
        reward("upside_down", range=(1, 0))


def test_references_are_checked_all_at_once(make_task: MakeTask) -> None:
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
    MarkScheme(make_task("rewards: {a: {use: boxed}}")).check_references(problems)


def test_lists_of_different_length_are_refused(make_task: MakeTask) -> None:
    with pytest.raises(RewardError, match="given: 1 problems and 2 completions"):
        MarkScheme(make_task("rewards: {a: {use: answer}}")).score([Q], [boxed("4")] * 2)


def test_the_task_s_extraction_reaches_its_verifiers(make_task: MakeTask) -> None:
    task = make_task(
        'extract: [{after: "A: "}]\nrewards: {correct: {use: answer}, box: {use: answer, extract: strict}}'
    )
    score = score_one(task, Completion("A: 4"))
    assert (score.parts["correct"].value, score.parts["box"].value) == (1.0, 0.0)


def test_built_in_shaping(make_task: MakeTask) -> None:
    overlong = make_task("rewards: {r: {use: overlong, max_tokens: 100, cache_tokens: 20}}")
    for tokens, value in ((80, 0.0), (90, -0.5), (100, -1.0), (500, -1.0)):  # DAPO, equation 13
        assert score_one(overlong, Completion("x", token_ids=[1] * tokens)).value == pytest.approx(value)
    unknown = score_one(overlong, Completion("x"))
    assert (unknown.value, unknown.status) == (None, "not_applicable")
    near = make_task("rewards: {r: {use: length, target: 4, tolerance: 1}}")
    assert [score_one(near, Completion("w " * n)).value for n in (3, 4, 5, 7, 20)] == pytest.approx(
        [1, 1, 1, 0.5, 0]
    )
    language = make_task("rewards: {r: {use: language, to: zh}}")
    assert score_one(language, Completion("我们 say")).value == pytest.approx(2 / 3)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["4", "5", "x+1", "", "4 or 5"]), min_size=1, max_size=8))
def test_scores_depend_on_their_own_row_only(answers: list[str]) -> None:
    from markscheme.tasks import load_task

    scheme = MarkScheme(load_task("addition"))
    together = scheme.score([Q] * len(answers), [boxed(a) for a in answers])
    alone = [scheme.score([Q], [boxed(a)])[0] for a in answers]
    assert [(s.value, s.status) for s in together] == [(s.value, s.status) for s in alone]


def test_two_tasks_files_may_use_the_same_names(make_task: MakeTask, tmp_path: Path) -> None:
    source = "from markscheme.rewards import reward\n@reward('mine')\ndef mine(problem, completion):\n    return {}\n"
    values = []
    for name, value in (("a", "0.25"), ("b", "0.75")):
        (tmp_path / f"{name}.py").write_text(source.format(value))
        values.append(
            score_one(make_task(f"rewards: {{r: {{use: '{name}.py:mine'}}}}"), Completion("x")).value
        )
    assert values == [0.25, 0.75]
    assert "mine" not in REWARDS.decorated


def test_a_gate_opens_only_for_what_is_right(make_task: MakeTask) -> None:
    """Also where `on_failure` gives an undecided gate a value."""
    entries = (
        "c: {{use: doubtful, on_failure: {{abstain: {worth}}}}}, f: {{use: boxed, when: c, weight: 0.5}}"
    )
    for worth, value in ((0, 0.0), (1, 1.5)):
        task = make_task(f"rewards: {{{entries.format(worth=worth)}}}")
        assert score_one(task, boxed("x+1")).value == value


def test_whatever_a_function_does_ends_as_a_status(make_task: MakeTask) -> None:
    @reward("leaves")
    async def leaves(problem: Problem, completion: Completion) -> float:
        raise SystemExit(1)

    @reward("enormous")
    def enormous(problem: Problem, completion: Completion) -> int:
        return 10**400

    @reward("unsized", batch=True)
    def unsized(problems: Any, completions: Any) -> Any:
        import numpy

        return numpy.array(0.5)

    for name in ("leaves", "enormous", "unsized"):
        assert score_one(make_task(f"rewards: {{a: {{use: {name}}}}}"), Completion("x")).status == "bug"


def test_a_bug_behind_an_undecided_gate_is_still_a_bug(make_task: MakeTask) -> None:
    @reward("raising")
    def raising(problem: Problem, completion: Completion) -> float:
        raise KeyError("x")

    task = make_task("rewards: {c: {use: doubtful}, b: {use: raising, when: c}}")
    assert score_one(task, boxed("x+1")).parts["b"].status == "bug"


def test_the_thinking_part_of_a_text_prompt_is_no_answer(make_task: MakeTask) -> None:
    opened = Problem(prompt="q <think>\n", reference="4")
    task = make_task("rewards: {correct: {use: answer}}")
    assert score_one(task, Completion(r"try \boxed{4}"), opened).status == "no_answer"
    assert score_one(task, Completion(r"try</think>\boxed{4}"), opened).value == 1.0


def test_accuracy_is_that_of_the_entry_that_reads_the_reference(make_task: MakeTask) -> None:
    scheme = MarkScheme(make_task("rewards: {form: {use: boxed}, truth: {use: answer}}"))
    assert scheme.is_right(scheme.score([Q], [boxed("5")])[0]) is False
    shaped = MarkScheme(make_task("rewards: {a: {use: length, target: 1}, b: {use: language}}"))
    assert shaped.is_right(shaped.score([Q], [Completion("word")])[0]) is True
    assert shaped.is_right(shaped.score([Q], [Completion("two words")])[0]) is False


def test_circles_through_members_are_told(make_task: MakeTask) -> None:
    for entries in ("c: {use: cascade, of: [c]}", "c: {use: cascade, of: [d]}, d: {use: any_of, of: [c]}"):
        with pytest.raises(TaskError, match="refer to each other"):
            MarkScheme(make_task(f"rewards: {{{entries}}}"))


def test_failures_of_a_composite_have_their_own_worth(make_task: MakeTask) -> None:
    worth = make_task("rewards: {c: {use: cascade, of: [doubtful], on_failure: {abstain: 0.25}}}")
    assert score_one(worth, boxed("x+1")).value == 0.25
    stop = make_task("rewards: {c: {use: any_of, of: [doubtful], on_failure: {abstain: stop}}}")
    with pytest.raises(RewardError, match="on_failure says stop"):
        score_one(stop, boxed("x+1"))
    for entry, said in (
        ("on_failure: {abstain: 2}", "a value within the range"),
        ("timeout_s: 1", "to each member"),
    ):
        with pytest.raises(TaskError, match=said):
            MarkScheme(make_task(f"rewards: {{c: {{use: cascade, of: [doubtful], {entry}}}}}"))
