"""The shipped tasks: their labelled cases, rows in the form of the real data sets, and real completions."""

import json
from pathlib import Path
from typing import Any

import pytest

from markscheme.rewards import MarkScheme
from markscheme.rewards.check.cases import cases_file, run_cases
from markscheme.rewards.check.task import check_task
from markscheme.rewards.rows.completions import read_answers
from markscheme.tasks import Completion, load_problems, load_task
from markscheme.tasks.load_task import shipped_tasks

ROWS: dict[str, tuple[dict[str, Any], str]] = {
    # task: a row as its data set has it, the reference that the task must read from it
    "gsm8k": ({"question": "Natalia sold clips ...", "answer": "Natalia sold 48/2 = <<48/2=24>>24 ...\n#### 1,072"}, "1,072"),
    "math500": (
        {
            "problem": "Convert the point $(0,3)$ ...", "solution": "... \\boxed{\\left( 3, \\frac{\\pi}{2} \\right)}",
            "answer": "\\left( 3, \\frac{\\pi}{2} \\right)", "subject": "Precalculus", "level": 2,
            "unique_id": "test/precalculus/807.json",
        },
        "\\left( 3, \\frac{\\pi}{2} \\right)",
    ),
    "aime": (
        {"id": 60, "problem": "Every morning Aya ...", "solution": "...", "answer": "204", "url": "...", "year": "2024"},
        "204",
    ),
    "dapo17k": (
        {
            "data_source": "math_dapo", "prompt": [{"role": "user", "content": "Solve ... Answer: $Answer"}],
            "ability": "MATH", "reward_model": {"ground_truth": "34", "style": "rule-lighteval/MATH_v2"},
            "extra_info": {"index": "9a9b6eb4-a1cb-49d1-8c1e-62eaf2f74079"},
        },
        "34",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(shipped_tasks()))
def test_every_labelled_case_is_marked_as_labelled(name: str) -> None:
    task = load_task(name)
    path = cases_file(task)
    assert path is not None
    outcomes = run_cases(task, MarkScheme(task), path)
    assert len(outcomes) >= 30
    wrong = sum(not one.label for one in outcomes)
    assert 0.4 <= wrong / len(outcomes) <= 0.6
    assert [one.line for one in outcomes if one.label is not one.mark] == []


@pytest.mark.parametrize("name", ROWS)
def test_tasks_read_rows_in_the_form_of_their_data_set(name: str, tmp_path: Path) -> None:
    row, reference = ROWS[name]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n")
    task = load_task(name, overrides=[f"data.path={path}", "data.name=null", "data.streaming=false"])
    (problem,) = load_problems(task)
    assert problem.reference == reference
    scheme = MarkScheme(task)
    scheme.check_references([problem])
    (score,) = scheme.score([problem], [Completion(f"<think>so</think>Answer: \\boxed{{{reference}}}")])
    assert scheme.is_right(score) is True


@pytest.mark.parametrize("name", ["mbpp", "humaneval", "apps", "taco", "livecodebench"])
def test_the_check_passes_on_rows_of_code_data_sets(name: str, tmp_path: Path) -> None:
    """The labelled cases hold rows of the data set, each of them several times."""
    path = cases_file(load_task(name))
    assert path is not None
    rows: dict[str, None] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        row = {key: value for key, value in case.items() if key not in ("completion", "correct", "tags")}
        rows[json.dumps(row)] = None
    (tmp_path / "rows.jsonl").write_text("\n".join(rows) + "\n")
    overrides = [f"data.path={tmp_path}/rows.jsonl", "data.name=null", "data.streaming=false"]
    findings = {finding.name: finding for finding in check_task(load_task(name, overrides=overrides))}
    assert findings["data"].good is True
    assert findings["references"].good is True
    has_solutions = name != "livecodebench"
    assert findings["solutions"].good is (True if has_solutions else None)
    assert findings["oracle"].good is True
    assert findings["constants"].good is True


def test_dapo_prompts_stay_chat_messages(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROWS["dapo17k"][0]) + "\n")
    task = load_task("dapo17k", overrides=[f"data.path={path}", "data.streaming=false"])
    assert load_problems(task)[0].prompt == ({"role": "user", "content": "Solve ... Answer: $Answer"},)


def test_all_of_gsm8k_loads_with_references_that_can_be_judged_by(shared_data: Path) -> None:
    for split, count in (("train", 7473), ("test", 1319)):
        task = load_task(
            "gsm8k", overrides=[f"data.path={shared_data}/gsm8k_{split}.jsonl", f"data.split={split}"]
        )
        problems = load_problems(task)
        MarkScheme(task).check_references(problems)
        assert len({problem.id for problem in problems}) == len(problems) == count


def test_real_gsm8k_completions_are_marked_as_their_authors_did(shared_data: Path) -> None:
    """2,640 completions of four models, with the authors' own labels."""
    task = load_task("gsm8k", overrides=["problem.reference={{ reference }}", 'extract=[{after: "A: "}]'])
    answers = list(read_answers(task, shared_data / "gsm8k_model_solutions.jsonl"))
    scheme = MarkScheme(task)
    scores = scheme.score([answer.problem for answer in answers], [answer.completion for answer in answers])
    marks = [scheme.is_right(score) for score in scores]
    assert len(marks) == 2640
    assert marks == [answer.row["correct"] for answer in answers]
