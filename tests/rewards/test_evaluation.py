"""How good marks are: confusion, error rates, ranking, calibration, attribution, benchmarks, agreement, comparison."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from markscheme.rewards import MarkScheme, evaluate_scores
from markscheme.rewards.lineage import lineage_of
from markscheme.rewards.offline.against_labels import against_labels
from markscheme.rewards.offline.agreement import agreement, cohen_kappa, krippendorff_alpha
from markscheme.rewards.offline.compare import compare
from markscheme.rewards.offline.evaluation import Evaluation, evaluate_table, problem_list
from markscheme.rewards.offline.measures import Rate, mean_rate, rate, student_quantile, wilson_interval
from markscheme.rewards.offline.scoring import scored_rows
from markscheme.rewards.offline.table import ScoreTable, group_advantages, read_tables
from markscheme.rewards.rows.completions import read_answers
from markscheme.rewards.rows.read_scores import rows_of_mappings
from markscheme.sandbox import DataError
from markscheme.tasks import load_problems, load_task
from support import MakeTask

NUMBER = """
from markscheme.rewards import reward

@reward("number", range=(-10, 10))
def number(problem, completion):
    return float(completion.text)
"""
"""A reward that pays what the completion says."""


def a_row(
    problem: str, value: float | None, right: bool | None, label: bool | None, **more: Any
) -> dict[str, Any]:
    status = "ok" if value is not None else "abstain"
    part = {"value": value, "weight": 1.0, "status": status, "reason": ""}
    texts = {"task": "t", "task_hash": "h", "problem": problem, "completion": f"{problem} {value} {more}"}
    return {
        **texts,
        "value": value,
        "status": status,
        "right": right,
        "label": label,
        "parts": {"c": part},
        **more,
    }


def table_of(rows: list[dict[str, Any]]) -> ScoreTable:
    return next(iter(read_tables(rows_of_mappings(rows)).values()))


def marked(problem: str, *marks: bool, labels: str = "") -> list[dict[str, Any]]:
    """Return the rows of a group with these marks, and labels (`r` and `w`) if they are given."""
    known = [None] * len(marks) if not labels else [label == "r" for label in labels]
    return [
        a_row(problem, float(mark), mark, label, sample=i)
        for i, (mark, label) in enumerate(zip(marks, known, strict=True))
    ]


def test_marks_against_labels_by_hand() -> None:
    """Two groups of four: a lone false positive among wrong ones, and one miss among right ones."""
    rows = [
        *marked("p", True, False, False, False, labels="wwww"),
        *marked("q", True, True, True, False, labels="rrrr"),
        a_row("q", None, None, True),
    ]
    found = evaluate_scores(rows)
    assert found.labels is not None
    assert found.labels.confusion == {
        "right": {"right": 3, "wrong": 1, "undecided": 1},
        "wrong": {"right": 1, "wrong": 3, "undecided": 0},
    }
    assert found.labels.all.false_positive.share == found.labels.all.false_negative.share == 1 / 4
    # The lone completion that differs from its group has the advantage sqrt(3), the others 1 / sqrt(3).
    assert found.labels.all.weighted_false_positive.share == pytest.approx(0.5)
    assert found.labels.all.wrong_sign.share == pytest.approx(0.5)
    assert set(found.labels.by_difficulty) == {"none right", "all right"}
    assert found.labels.by_difficulty["none right"].false_negative.share is None
    assert found.labels.auroc == pytest.approx((3 * 3.5 + 1.5) / 16)
    assert sorted(found.labels.differing) == [0, 7]
    assert found.signal is not None
    assert found.signal.kinds == {"all right": 0, "all wrong": 0, "mixed": 1}
    assert found.marks == {"right": 4, "wrong": 4, "undecided": 1}


def test_injected_errors_are_recovered() -> None:
    """Marks are falsified at 5 % of wrong and 10 % of right completions; the intervals hold these rates."""
    held = np.zeros(4)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows = []
        for i, p in enumerate(rng.beta(0.6, 0.6, 150)):
            labels = rng.random(8) < p
            marks = np.where(labels, rng.random(8) >= 0.1, rng.random(8) < 0.05)
            letters = "".join("r" if label else "w" for label in labels)
            rows += marked(f"p{i}", *map(bool, marks), labels=letters)
        labels_found = against_labels(table_of(rows))
        assert labels_found is not None
        rates = labels_found.all
        held += [
            rates.false_positive.low <= 0.05 <= rates.false_positive.high,
            rates.false_negative.low <= 0.1 <= rates.false_negative.high,
            *(
                one.low <= (one.share or 0) <= one.high
                for one in (rates.weighted_false_positive, rates.wrong_sign)
            ),
        ]
    assert held[:2].min() >= 34  # of 40; 38 are expected
    assert held[2:].min() == 40


def test_rows_of_a_problem_count_less_than_independent_ones() -> None:
    """With all eight rows of a problem alike, the interval is that of the problems."""
    hits = np.repeat(np.arange(50) < 10, 8)
    alone, alike = rate(hits, np.arange(400)), rate(hits, np.repeat(np.arange(50), 8))
    assert (alone.low, alone.high) == pytest.approx(wilson_interval(80, 400), abs=1e-3)
    assert (alike.low, alike.high) == pytest.approx(wilson_interval(10, 50), abs=0.01)
    assert rate(np.zeros(0, bool), np.zeros(0, int)) == Rate(None, 0.0, 1.0, 0)


def test_advantages_are_deepseekmath_s() -> None:
    values = np.array([1.0, 0, 0, np.nan, 0.1, 0.1, 0.1, 2.0])
    found = group_advantages(values, np.array([0, 0, 0, 0, 1, 1, 1, 2]))
    assert found == pytest.approx([2**0.5, -(0.5**0.5), -(0.5**0.5), 0, 0, 0, 0, 0])


def test_the_variance_of_advantages_is_shared_out(make_task: MakeTask) -> None:
    """In all-wrong groups the format is all of the signal; in mixed ones the shares add up to 1."""
    task = make_task("rewards: {correct: {use: answer}, format: {use: think_answer, weight: 0.2}}")
    scheme = MarkScheme(task)
    right, wrong, bare = r"<think>a</think>\boxed{4}", r"<think>a</think>\boxed{5}", r"\boxed{5}"
    rows = []
    for group, texts in enumerate(([right, wrong, bare, bare], [wrong, bare, wrong, bare], [right] * 4), 1):
        path = Path(str(task.folder)) / "c.jsonl"
        lines = [{"prompt": "q", "reference": "4", "completion": text, "group": group} for text in texts]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        rows += [row for row, _ in scored_rows(scheme, lineage_of(scheme), read_answers(task, path))]
    signal = evaluate_scores(rows).signal
    assert signal is not None
    assert signal.kinds == pytest.approx({"all right": 1 / 3, "all wrong": 1 / 3, "mixed": 1 / 3})
    assert signal.varied.share == pytest.approx(2 / 3)
    assert signal.without == pytest.approx({"correct": 2 / 3, "format": 1 / 3})
    assert signal.attribution["all wrong"] == pytest.approx({"correct": 0, "format": 1})
    assert sum(signal.attribution["mixed"].values()) == pytest.approx(1)
    # By hand: correct is 1 0 0 0, 0.2 x format is .2 .2 0 0; cov(correct, total) / var(total).
    assert signal.attribution["mixed"]["correct"] == pytest.approx(0.2125 / (0.2125 + 0.035), abs=1e-6)
    assert signal.correlations["score"]["right"] > 0.9


def test_a_graded_score_ranks_and_is_calibrated() -> None:
    rng = random.Random(0)
    rows = []
    for i in range(400):
        labels = [rng.random() < 0.5 for _ in range(4)]
        for j, label in enumerate(labels):
            value = rng.betavariate(3, 2) if label else rng.betavariate(2, 3)
            rows.append(a_row(f"p{i}", value, value >= 0.5, label, sample=j))
    labels = evaluate_scores(rows).labels
    assert labels is not None
    assert labels.auroc == pytest.approx(0.757, abs=0.04)  # P(Beta(3,2) > Beta(2,3)) = 53/70
    assert labels.pairs.low < 53 / 70 < labels.pairs.high
    assert labels.ece is not None
    assert labels.ece < 0.05  # value = P(right) here, since the two densities are as v^2(1-v) and v(1-v)^2
    assert sum(one.rows for one in labels.curve) == 1600


def evaluated(task_folder: Path, rows: list[dict[str, Any]], task: str, by: str | None = None) -> Evaluation:
    """Score rows as they are with a task of `task_folder`, and evaluate them."""
    (task_folder / "mine.py").write_text(NUMBER)
    (task_folder / "t.yaml").write_text(f"name: t\ndata: {{path: x.jsonl}}\n{task}")
    path = task_folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scheme = MarkScheme(load_task(task_folder / "t.yaml"))
    answers = read_answers(scheme.task, path)
    found = scored_rows(scheme, lineage_of(scheme), answers, step_labels="step_labels", by=by)
    return evaluate_scores([row for row, _ in found])


REWARD_MODEL = "rewards: {score: {use: 'mine.py:number'}}\n"


def test_reward_bench_rows_are_read_as_they_are(tmp_path: Path) -> None:
    """Version 1 has one rejected completion, as text or messages; version 2 has lists, and ties share."""
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "3"}]
    first = [
        {"prompt": "a", "chosen": "2", "rejected": "1", "subset": "chat", "id": 1},
        {"prompt": "b", "chosen": "1", "rejected": "2", "subset": "chat", "id": 2},
        {
            "prompt": "c",
            "chosen": said,
            "rejected": [{"role": "assistant", "content": "2"}],
            "subset": "math",
            "id": 3,
        },
    ]
    labels = evaluated(tmp_path, first, REWARD_MODEL, by="subset").labels
    assert labels is not None
    assert {name: one.share for name, one in labels.pairs_by_stratum.items()} == {"chat": 0.5, "math": 1}
    second = [
        {"prompt": "a", "chosen": ["2"], "rejected": ["1", "1", "0"], "subset": "Focus", "id": "1"},
        {"prompt": "b", "chosen": ["2"], "rejected": ["2", "1", "0"], "subset": "Focus", "id": "2"},
    ]
    labels = evaluated(tmp_path, second, REWARD_MODEL, by="subset").labels
    assert labels is not None
    assert labels.best_of_by_stratum["Focus"].share == pytest.approx(0.75)


TIES = [
    ("ref:0", 1, [0.63, -0.044, 0.278, -0.038]), ("tied:0", 3, [0.373, 0.378, 0.65, -0.044, 0.278, -0.038, 0.465]),
    ("ref:1", 1, [0.547, 0.257, 0.189, 0.322]), ("tied:1", 3, [0.753, 0.474, 0.61, 0.257, 0.189, 0.322, 0.111]),
    ("ref:2", 1, [0.522, 0.628, 0.309, 0.212]), ("tied:2", 3, [0.654, 0.559, 0.488, 0.628, 0.309, 0.212, 0.324]),
    ("ref:3", 1, [0.566, 0.303, 0.326, 0.401]), ("tied:3", 3, [0.492, 0.497, 0.854, 0.303, 0.326, 0.401, 0.603]),
    ("ref:4", 1, [0.236, 0.245, 0.4, 0.643]), ("tied:4", 3, [0.456, 0.921, 0.331, 0.245, 0.4, 0.643, 0.158]),
    ("ref:5", 1, [0.793, 0.369, 0.334, 0.344]), ("tied:5", 3, [0.649, 0.472, 0.492, 0.369, 0.334, 0.344, 0.235]),
]  # fmt: skip


def test_the_ties_of_reward_bench_2_have_its_score(tmp_path: Path) -> None:
    """The golden value is that of `process_single_model` in rewardbench 0.1.4."""
    rows = [
        {
            "prompt": name.split(":")[1],
            "id": name,
            "subset": "Ties",
            "chosen": [str(value) for value in values[:right]],
            "rejected": [str(value) for value in values[right:]],
        }
        for name, right, values in TIES
    ]
    labels = evaluated(tmp_path, rows, REWARD_MODEL, by="subset").labels
    assert labels is not None
    assert labels.ties == pytest.approx(0.2926001578712174, abs=1e-12)


def test_process_bench_and_prm800k_rows_are_read_as_they_are(tmp_path: Path) -> None:
    task = (
        "problem: {prompt: '{{ PROMPT }}'}\nrewards: {score: {use: step_scores, column: marks, SPLIT}}\n"
        "process: {use: score}\n"
    )
    bench = [
        {"id": "gsm8k-0", "problem": "q", "steps": ["a b", "c", "d"], "final_answer_correct": False, "label": 1,
         "marks": [0.9, 0.1, 0.8]},
        {"id": "gsm8k-1", "problem": "r", "steps": ["a", "b"], "final_answer_correct": True, "label": -1,
         "marks": [0.9, 0.4]},
    ]  # fmt: skip
    own = task.replace("PROMPT", "problem").replace("SPLIT", r'split: {by: separator, separator: "\n\n"}')
    found = evaluated(tmp_path, bench, own)
    assert found.steps is not None
    assert (found.steps.erroneous, found.steps.correct, found.steps.first_error_f1) == (1, 0, 0)
    assert found.labels is not None
    assert found.labels.labelled == 2
    steps = [{"completions": [{"text": text, "rating": 1}], "chosen_completion": 0} for text in ("a", "b")]
    prm800k = [{"question": {"problem": "q"}, "label": {"steps": steps}, "marks": [0.9, 0.8]}]
    found = evaluated(tmp_path, prm800k, task.replace("PROMPT", "prompt").replace("SPLIT", "split: lines"))
    assert found.steps is not None
    assert (found.steps.steps, found.steps.correct) == (2, 1)


def test_agreement_of_published_examples() -> None:
    """Krippendorff 2011, section A; and the example of Cohen's kappa with 20, 5, 10 and 15 of 50."""
    meg, owen = (np.array([int(c) for c in marks]) for marks in ("0100000010", "1110010000"))
    assert krippendorff_alpha(np.stack([meg, owen])) == pytest.approx(0.095, abs=5e-4)
    one = np.array([1] * 25 + [0] * 25)
    two = np.array([1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    assert cohen_kappa(one, two) == pytest.approx(0.4)
    assert krippendorff_alpha(np.stack([meg * 0, meg * 0])) is None
    missing = np.where(meg == 1, -1, owen)
    assert krippendorff_alpha(np.stack([owen, missing])) == pytest.approx(1)


def test_disagreements_come_by_what_they_change() -> None:
    """A flip in a group of eight alike completions changes an advantage more than one in a mixed group."""
    first = [*marked("p", *[False] * 8), *marked("q", True, True, True, False)]
    second = [*marked("p", True, *[False] * 7), *marked("q", True, True, False, False), *marked("r", True)]
    for a, b in zip(first, second, strict=False):
        b["completion"] = a["completion"]
    found = agreement([table_of(first), table_of(second)])
    assert (found.completions, found.missing, len(found.differing)) == (12, [0, 1], 2)
    assert [one.places for one in found.differing] == [["row:1", "row:1"], ["row:11", "row:11"]]
    assert found.differing[0].effect == pytest.approx(7**0.5)
    with pytest.raises(DataError, match="no completion in common"):
        agreement([table_of(first), table_of(marked("z", True))])


def noisy(rng: np.random.Generator, rates: np.ndarray[Any, Any], shift: float = 0.0) -> ScoreTable:
    rows = []
    for i, p in enumerate(rates):
        rows += marked(f"p{i}", *map(bool, rng.random(8) < min(p + shift, 1)))
    return table_of(rows)


def test_equal_schemes_are_seldom_called_different_and_others_often() -> None:
    """In 60 pairs at 5 %: more than 8 false alarms would come once in 300 times."""
    rng = np.random.default_rng(0)
    rates = rng.beta(1, 1, 120)
    alarms = sum(compare(noisy(rng, rates), noisy(rng, rates)).differences[0].p < 0.05 for _ in range(60))
    found = sum(
        compare(noisy(rng, rates), noisy(rng, rates, 0.15)).differences[0].p < 0.05 for _ in range(20)
    )
    assert alarms <= 8
    assert found >= 18


def test_a_comparison_by_hand() -> None:
    a = table_of(
        [*marked("p", True, False), *marked("q", True, True), *marked("r", False, False), *marked("x", True)]
    )
    b = table_of(
        [*marked("p", True, True), *marked("q", True, True), *marked("r", True, False), *marked("y", True)]
    )
    found = compare(a, b)
    right = found.differences[0]
    assert (found.problems, right.a, right.b) == (3, 0.5, pytest.approx(5 / 6))
    half = student_quantile(2) * (1 / 12 / 3) ** 0.5
    assert (right.low, right.high) == pytest.approx((1 / 3 - half, 1 / 3 + half))
    assert right.p == pytest.approx(
        0.5, abs=0.02
    )  # of four sign patterns of two differences, two are as large
    assert not found.regressed(0.0)
    assert student_quantile(10) == pytest.approx(2.228, abs=1e-3)
    with pytest.raises(DataError, match="two or more problems that both files have"):
        compare(a, table_of(marked("z", True)))


def test_a_list_of_problems_is_one_that_data_takes(make_task: MakeTask, tmp_path: Path) -> None:
    rows = "".join(json.dumps({"prompt": f"q{i}", "reference": str(i)}) + "\n" for i in range(6))
    task = make_task("rewards: {correct: {use: answer}}", rows=rows)
    ids = [problem.id for problem in load_problems(task)]
    scored = [row for i, name in enumerate(ids) for row in marked(name, *[j < 2 * i - 1 for j in range(8)])]
    listed = problem_list(table_of(scored), rows_of_mappings(scored), 8, 0.45)
    assert [row["problem"] for row in listed] == ids[1:5]
    assert sum(row["weight"] for row in listed) == pytest.approx(4, abs=1e-3)
    assert listed[1]["right"] == 3
    assert listed[1]["group_size"] == 4
    listed[2]["weight"] = 2.0
    (tmp_path / "listed.jsonl").write_text(
        "".join(json.dumps({**row, "weight": row["weight"] // 1 or 1}) + "\n" for row in listed)
    )
    chosen = make_task(
        "data: {path: rows.jsonl, problems: listed.jsonl}\nrewards: {correct: {use: answer}}", rows=rows
    )
    assert [problem.id for problem in load_problems(chosen)] == [ids[1], ids[2], ids[3], ids[3], ids[4]]
    assert chosen.hash != task.hash
    (tmp_path / "listed.jsonl").write_text('{"problem": "x", "weight": -1}\n')
    with pytest.raises(DataError, match=r"listed.jsonl:1: a row of data.problems needs"):
        load_problems(chosen)


def test_rows_of_several_tasks_are_told_apart() -> None:
    rows = [*marked("p", True, False), *({**row, "task": "u"} for row in marked("q", True))]
    with pytest.raises(DataError, match=r"several tasks \(t, u\)"):
        evaluate_scores(rows)
    assert evaluate_scores(rows, task="u").rows == 1
    with pytest.raises(DataError, match="no row is of task 'v'"):
        evaluate_scores(rows, task="v")
    with pytest.raises(DataError, match="the row has no entry 'd'"):
        evaluate_scores(rows[:2], part="d")


def test_training_rows_show_their_drift() -> None:
    rows = [a_row("p", float(i % 2), i % 2 == 1, None, step=step, group=1, sample=i, tokens=10 * step)
            for step in (1, 2) for i in range(4)]  # fmt: skip
    found = evaluate_table(table_of(rows))
    assert list(found.by_step) == [1, 2]
    assert found.by_step[2]["length"] == 20
    assert found.by_step[1]["flat_groups"] == 0
    assert found.signal is not None
    assert found.signal.groups == 2


def test_groups_of_different_files_are_different(tmp_path: Path) -> None:
    """Group 1 of one file is not group 1 of another; a problem called 1 is neither."""
    for name, mark in (("a", True), ("b", False)):
        rows = [{**row, "group": 1} for row in marked(name, mark, mark)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    signal = evaluate_scores(tmp_path).signal
    assert signal is not None
    assert (signal.groups, signal.kinds["mixed"]) == (2, 0)
    rows = [*({**row, "group": 1} for row in marked("p", True, True)), *marked("1", False, False)]
    assert table_of(rows).groups == 2


def test_rounding_is_no_difference() -> None:
    """As in the trainer: sums that differ in the last digit have no advantages, small differences have."""
    noise = np.array([-0.1, -0.30000000000000004 + 0.2])
    assert group_advantages(noise, np.zeros(2, int)).tolist() == [0, 0]
    assert group_advantages(np.array([0.5, 0.5 + 1e-7]), np.zeros(2, int)) == pytest.approx([-1, 1])


def test_json_has_no_nan() -> None:
    rows = [a_row("p", None, None, None, step=1, sample=i) for i in range(3)]
    text = json.dumps(evaluate_table(table_of(rows)).as_dict(), default=str)
    assert "NaN" not in text


def test_a_part_is_evaluated_by_itself() -> None:
    rows = [{**row, "advantage": 0.5} for row in marked("p", True, False, labels="rw")]
    found = evaluate_scores(rows, part="c")
    assert found.labels is not None
    assert found.labels.all.wrong_sign.share == 0
    assert found.signal is not None
    assert found.signal.attribution == {}


def test_means_that_are_equal_have_wilson_s_interval() -> None:
    """Also where rounding would show a spread, as in the mean of three times 0.7."""
    for share in (0.1, 0.7, 1 / 3):
        found = mean_rate(np.full(3, share))
        assert found.high - found.low > 0.3
