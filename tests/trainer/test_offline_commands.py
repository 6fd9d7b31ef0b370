"""evaluate, compare, rescore and audit, as they are typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from markscheme.trainer import train
from markscheme.trainer.commands.cli import main
from small_runs import small_run
from support import ROOT, boxed, rows_in

LOGS = ROOT / "tests/data/logs"
TASK = """name: t
data: {path: problems.jsonl}
problem: {prompt: "{{ prompt }}", reference: "{{ reference }}"}
rewards:
  correct: {use: 'mine.py:ends', digits: 1}
  format: {use: think_answer, weight: 0.1}
"""
CODE = """
import random
from markscheme.verifiers import verifier

@verifier("ends")
def ends(problem, completion, *, digits: int = 1):
    return completion.text.rstrip("}")[-digits:] == problem.reference[-digits:]
"""
RANDOM = CODE.replace("return ", "return random.random() < 0.5 and ")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a verifier that reads the last digit, and 20 x 4 answers, of which half are right."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE)
    Path("t.yaml").write_text(TASK)
    problems = [{"prompt": f"{i}+10=", "reference": str(i + 10)} for i in range(20)]
    Path("problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    rows = []
    for i, problem in enumerate(problems):
        for said in (i + 10, i + 10, i + 11, i + 20):  # the last one has the right last digit
            text = boxed(str(said)).text
            rows.append({**problem, "completion": text, "ok": said == i + 10, "kind": f"of {i % 2}"})
    Path("c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        code = main(arguments)
    except SystemExit as error:
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    return code, out + err


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main([*arguments, "--json"])
    return json.loads(capsys.readouterr().out)


def test_evaluate_a_task_and_a_file_or_the_scores_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--label", "ok", "--by", "kind"]
    code, text = run(capsys, "evaluate", "t.yaml", "c.jsonl", *options, "-o", "s.jsonl")
    assert code == 0
    for said in (
        "80 rows of t, 20 problems: 60 right, 20 wrong",
        "20 mark(s) differ from the label",
        "c.jsonl:4: right (correct passed; format passed), labelled wrong, advantage +0.58",
        "forecast from labels: pass@1 0.500",
    ):
        assert said in text, text
    found = as_json(capsys, "evaluate", "s.jsonl")["evaluations"][0]
    assert found["labels"]["all"]["false_positive"]["share"] == 0.5
    assert set(found["labels"]["by_stratum"]) == {"of 0", "of 1"}
    assert found["forecast"]["4"]["wrong_sign"] > 0.1
    assert found["labels"]["differing"] == 20
    code, text = run(capsys, "evaluate", "s.jsonl", "--part", "format")
    assert "80 rows" in text
    code, text = run(capsys, "evaluate", "s.jsonl", "--problems", "list.jsonl", "--group-size", "4")
    assert code == 0
    assert "20 problems are written to list.jsonl" in text
    code, text = run(capsys, "sample", "t.yaml", "--set", "data.problems=list.jsonl", "--model", "nowhere")
    assert "list.jsonl" not in text, "the list is read"


def test_evaluate_without_labels_says_so_and_does_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "score", "t.yaml", "c.jsonl", "-o", "s.jsonl")
    code, text = run(capsys, "evaluate", "s.jsonl")
    assert code == 0
    assert "forecast from marks" in text
    assert "labels" not in text
    code, text = run(capsys, "evaluate", "s.jsonl", "--label", "ok")
    assert (code, "the rows hold no labels" in text) == (2, True)
    with Path("s.jsonl").open("a") as file:
        file.write('{"schema": 2, "task": "t"')
    code, text = run(capsys, "evaluate", "s.jsonl")
    assert code == 1, "what can be done is done, and the rest is not passed over"
    assert "80 rows of t" in text
    assert "s.jsonl:82: not valid JSON" in text
    assert run(capsys, "evaluate", "s.jsonl", "--skip-bad")[0] == 0
    assert run(capsys, "compare", "s.jsonl", "s.jsonl")[0] == 2
    assert run(capsys, "compare", "s.jsonl", "s.jsonl", "--skip-bad")[0] == 0
    assert run(capsys, "compare", "s.jsonl", "s.jsonl", "--fail-below", "nan")[0] == 2
    for wrong in (["t.yaml"], ["s.jsonl", "-o", "x.jsonl"], ["s.jsonl", "--group-sizes", "1"], ["c.jsonl"]):
        assert run(capsys, "evaluate", *wrong)[0] == 2, wrong


def test_two_verifiers_on_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    strict = ["--set", "rewards.correct.digits=2"]
    run(capsys, "score", "t.yaml", "c.jsonl", "-o", "one.jsonl")
    run(capsys, "score", "t.yaml", "c.jsonl", *strict, "-o", "two.jsonl")
    code, text = run(capsys, "evaluate", "one.jsonl", "two.jsonl")
    assert code == 0
    assert "agreement on 80 completions: Krippendorff's alpha 0." in text
    assert "20 are marked differently" in text
    assert "one.jsonl:5: right" in text
    assert "two.jsonl:5: wrong" in text
    code, text = run(capsys, "compare", "one.jsonl", "two.jsonl", "--fail-below", "0.1")
    assert code == 1
    assert "right: 0.7500 -> 0.5000, -0.2500" in text
    assert "differs" in text
    assert "FAIL" in text
    assert run(capsys, "compare", "one.jsonl", "two.jsonl", "--fail-below", "0.3")[0] == 0
    assert run(capsys, "compare", "two.jsonl", "one.jsonl", "--fail-below", "0.0")[0] == 0
    same = as_json(capsys, "compare", "one.jsonl", "one.jsonl", "--fail-below", "0.0")
    assert [one["p"] for one in same["differences"]] == [1.0, 1.0]


def test_rescore_explains_every_change(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "score", "t.yaml", "c.jsonl", "-o", "s.jsonl")
    assert run(capsys, "rescore", "s.jsonl", "--diff") == (0, "80 rows of s.jsonl: 80 identical, 0 changed\n")

    def reasons(*options: str) -> dict[str, int]:
        found = as_json(capsys, "rescore", "s.jsonl", "--diff", *options)
        assert found["identical"] + found["changed"] == 80
        return found["reasons"]

    assert reasons("--set", "rewards.correct.digits=2") == {"correct: parameters digits 1 -> 2": 20}
    assert reasons("--set", "rewards.format.weight=0.2") == {"format: weight 0.1 -> 0.2": 80}
    assert reasons("--set", "combine=min") == {"combine: sum -> min": 80}
    Path("mine.py").write_text(CODE.replace("-digits:]", "-2:]"))
    (reason,) = reasons().items()
    assert reason[0].startswith("correct: code ")
    assert reason[1] == 20
    Path("mine.py").write_text(RANDOM)
    changed = reasons()
    assert set(changed) <= {
        "not deterministic",
        *(name for name in changed if name.startswith("correct: code")),
    }
    assert changed["not deterministic"] >= 5
    Path("mine.py").write_text(CODE)
    code, text = run(
        capsys, "rescore", "s.jsonl", "--diff", "--set", "rewards.correct.digits=2", "-o", "new.jsonl"
    )
    assert code == 1
    assert "s.jsonl:5: wrong (correct failed; format passed), was right, value 1.1 -> 0.1" in text
    assert sum(row["right"] for row in rows_in("new.jsonl")) == 40


def test_rescore_finds_problems_again(capsys: pytest.CaptureFixture[str]) -> None:
    """In the file of completions; else in the task's data; else, for verifiers of ours, in the row itself."""
    run(capsys, "score", "t.yaml", "c.jsonl", "-o", "s.jsonl")
    Path("c.jsonl").rename("moved.jsonl")
    assert run(capsys, "rescore", "s.jsonl", "--diff")[0] == 0
    Path("problems.jsonl").unlink()
    code, text = run(capsys, "rescore", "s.jsonl", "--diff")
    assert (code, "cannot be found again" in text) == (2, True), "a verifier of one's own may read more"
    Path("t.yaml").write_text(TASK.replace("use: 'mine.py:ends', digits: 1", "use: answer"))
    run(capsys, "score", "t.yaml", "moved.jsonl", "-o", "s.jsonl")
    Path("moved.jsonl").rename("again.jsonl")
    assert run(capsys, "rescore", "s.jsonl", "--diff")[0] == 0
    Path("again.jsonl").rename("moved.jsonl")
    run(capsys, "score", "t.yaml", "moved.jsonl", "-o", "s.jsonl", "--no-texts")
    assert "prompt_hash" in rows_in("s.jsonl")[0]
    Path("moved.jsonl").unlink()
    code, text = run(capsys, "rescore", "s.jsonl", "--diff")
    assert code == 2
    assert "s.jsonl:2: problem" in text
    assert "cannot be found again" in text
    Path("u.yaml").write_text(TASK.replace("name: t", "name: u"))
    code, text = run(capsys, "rescore", "s.jsonl", "--diff", "--task", "u.yaml")
    assert (code, "the row is of task 't', and u.yaml is task 'u'" in text) == (2, True)
    assert run(capsys, "rescore", "s.jsonl")[0] == 2


def test_a_run_is_evaluated_and_rescored(capsys: pytest.CaptureFixture[str], task_folder: Path) -> None:
    """Its rows have group, sample and policy version; its evaluations keep their completions."""
    folder = train(small_run(task_folder)).folder
    found = as_json(capsys, "evaluate", str(folder))["evaluations"][0]
    assert found["rows"] == 6 * 3 * 4
    assert list(found["by_step"]) == list("123456")
    assert found["signal"]["groups"] == 18
    assert run(capsys, "rescore", str(folder), "--diff")[0] == 0
    evaluations = sorted(path.name for path in (folder / "evaluations").iterdir())
    assert evaluations[:2] == ["step-000000-0-greedy.jsonl.gz", "step-000000-0-sampled.jsonl.gz"]
    assert len(evaluations) == 6
    held_out = as_json(capsys, "evaluate", str(folder / "evaluations/step-000006-0-sampled.jsonl.gz"))
    assert held_out["evaluations"][0]["rows"] == 10
    assert run(capsys, "compare", str(folder), str(folder))[0] == 0


SUMS = """name: sums
data: {path: sums.jsonl}
problem: {prompt: "{{ prompt }}", reference: "{{ answer }}"}
extract: lenient
rewards: {correct: {use: answer}}
"""


def write_sums() -> None:
    Path("sums.yaml").write_text(SUMS)
    pairs = [(12, 30), (7, 5), (100, 23), (6, 6), (45, 55), (1000, 234)]
    rows = [{"prompt": f"{a}+{b}=", "answer": str(a + b)} for a, b in pairs]
    Path("sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("logs", ["trl", "trl_chat"])
def test_audit_marks_a_log_of_trl_again(capsys: pytest.CaptureFixture[str], logs: str) -> None:
    """Its exact match called `12 plus 30 makes 42.` wrong; problems are found by their prompts."""
    write_sums()
    folder = str(LOGS / logs)
    assert run(capsys, "audit", folder, "--from", "trl", "--right", "exact")[0] == 0
    options = [
        "--from",
        "trl",
        "--task",
        "sums.yaml",
        "--right",
        "exact",
        "--weights",
        "1,0.5",
        "-o",
        "s.jsonl",
    ]
    code, text = run(capsys, "audit", folder, *options)
    assert code == 0
    groups = 6 if logs == "trl" else 4
    assert (
        f"0 completion(s) were called right there that are wrong by our marks, {groups} wrong that are right"
        in text
    )
    assert "wrong there, advantage -0." in text
    assert "by step:" in text
    found = as_json(capsys, "audit", folder, *options)
    assert found["recorded"]["marks"] == {"right": groups, "wrong": 2 * groups, "undecided": groups}
    assert found["ours"]["marks"]["right"] == 2 * groups
    assert len(rows_in("s.jsonl")) == 4 * groups
    assert run(capsys, "evaluate", "s.jsonl")[0] == 0


def test_audit_of_verl_and_lm_eval(capsys: pytest.CaptureFixture[str]) -> None:
    Path("gsm.yaml").write_text(
        SUMS.replace("{{ prompt }}", "{{ question }}").replace(
            "{{ answer }}", "{{ answer.split('####')[1] | trim }}"
        )
    )
    found = as_json(
        capsys,
        "audit",
        str(LOGS / "lm_eval/samples_toy_gsm8k.jsonl"),
        "--from",
        "lm-eval",
        "--task",
        "gsm.yaml",
    )
    assert found["recorded"]["labels"]["confusion"]["right"]["wrong"] > 0, "the strict filter misses answers"
    assert found["recorded"]["labels"]["confusion"]["wrong"]["right"] == 0
    Path("verl.yaml").write_text(
        SUMS.replace("{{ prompt }}", "{{ input }}").replace("{{ answer }}", "{{ gts }}")
    )
    found = as_json(capsys, "audit", str(LOGS / "verl"), "--from", "verl", "--task", "verl.yaml")
    assert found["recorded"]["rows"] == 17
    assert found["recorded"]["labels"]["labelled"] == 17
    assert list(found["ours"]["by_step"]) == ["1", "2"]


def test_audit_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    write_sums()
    Path("sums.jsonl").write_text('{"prompt": "12+30=", "answer": "42"}\n')
    arguments = ["audit", str(LOGS / "trl"), "--from", "trl"]
    Path("code.yaml").write_text(SUMS.replace("{{ answer }}", "{{ solution }}"))
    Path("sums.jsonl").write_text('{"prompt": "12+30=", "solution": "42"}\n')
    code, text = run(capsys, *arguments, "--task", "code.yaml")
    assert code == 2
    assert "no problem of task 'sums' has the prompt '7+5='" in text
    code, text = run(capsys, *arguments, "--task", "code.yaml", "--skip-bad")
    assert code == 0
    assert "skipped 20 row(s)" in text
    code, text = run(capsys, *arguments, "--right", "correct")
    assert (code, "there is no recorded score 'correct' (there are: exact, digit_share)" in text) == (2, True)
    assert run(capsys, *arguments, "--weights", "1")[0] == 2
    assert run(capsys, *arguments, "--weights", "a,b")[0] == 2


STEPS = """
from markscheme.rewards import reward

@reward("signs", range=(-1, 1), steps=True)
def signs(problem, completion, steps):
    return [LOW if "x" in step else 0.5 for step in steps]
"""


def test_rescore_sees_steps_and_keeps_what_is_not_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    """Marks of steps that leave the value as it is are a change too; labels and hashes stay."""
    Path("mine.py").write_text(CODE + STEPS.replace("LOW", "-1.0"))
    process = "process: {use: 'mine.py:signs', reduce: min}\n"
    Path("t.yaml").write_text(TASK + process)
    rows = [
        {"prompt": f"{i}+10=", "reference": str(i + 10), "completion": f"x\nxx\n{i + 10}", "steps_ok": 0}
        for i in range(5)
    ]
    Path("c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run(capsys, "score", "t.yaml", "c.jsonl", "--step-labels", "steps_ok", "--no-texts", "-o", "s.jsonl")
    code = CODE + STEPS.replace("LOW", "(-1.0 if step == 'x' else -0.9)")
    Path("mine.py").write_text(code)
    found = as_json(capsys, "rescore", "s.jsonl", "--diff", "-o", "new.jsonl")
    assert found["changed"] == 5
    assert all(reason.startswith(("process: code", "correct: code", "format")) for reason in found["reasons"])
    old, new = rows_in("s.jsonl")[0], rows_in("new.jsonl")[0]
    assert (
        [step["label"] for step in new["steps"]]
        == [step["label"] for step in old["steps"]]
        == [False, None, None]
    )
    assert new["prompt_hash"] == old["prompt_hash"]
    scored = as_json(capsys, "score", "t.yaml", "c.jsonl", "--step-labels", "steps_ok")["step_labels"]
    evaluated = as_json(capsys, "evaluate", "new.jsonl", "--step-labels", "steps_ok")["evaluations"][0][
        "steps"
    ]
    assert {**scored, "column": None} == {**evaluated, "column": None}


def test_rescore_takes_problems_of_the_right_split(capsys: pytest.CaptureFixture[str]) -> None:
    """The same ids mean other problems in another split."""
    Path("d").mkdir()
    for split, plus in (("train", 10), ("test", 20)):
        rows = [{"prompt": f"{i}+{plus}=", "reference": str(i + plus), "n": i} for i in range(4)]
        Path(f"d/{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("t.yaml").write_text(
        TASK.replace("path: problems.jsonl", "path: d")
        .replace('reference }}"}', 'reference }}", id: "{{ n }}"}')
        .replace("digits: 1", "digits: 2")
    )
    answers = [{"problem": str(i), "completion": boxed(str(i + 20)).text} for i in range(4)]
    Path("c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    _, text = run(capsys, "score", "t.yaml", "c.jsonl", "--split", "test", "-o", "s.jsonl")
    assert "4 right" in text
    assert run(capsys, "rescore", "s.jsonl", "--diff")[0] == 0
    (Path("d/test.jsonl")).write_text(
        Path("d/test.jsonl").read_text().replace('"reference": "20"', '"reference": "21"')
    )
    assert as_json(capsys, "rescore", "s.jsonl", "--diff")["reasons"] == {"reference '20' -> '21'": 1}


def test_scores_may_come_from_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "score", "t.yaml", "c.jsonl", "--label", "ok", "-o", "s.jsonl")
    import io
    import types

    stdin = types.SimpleNamespace(buffer=io.BytesIO(Path("s.jsonl").read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    code, text = run(capsys, "evaluate", "-")
    assert code == 0
    assert "20 mark(s) differ" in text
