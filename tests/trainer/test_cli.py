"""Commands as they are typed: output, files, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from markscheme.tasks import load_problems, load_task
from markscheme.trainer.commands.cli import main
from support import boxed, rows_in, small_policy


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as error:
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


GSM = ["--set", "problem.reference={{ reference }}", "--set", "data.path=none.jsonl"]


def completions(path: str, *answers: str, **more: object) -> None:
    rows = [{"question": "q", "reference": "4", "completion": boxed(a).text, **more} for a in answers]
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_score_marks_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    completions("c.jsonl", "4", "5", "x+1", label=True)
    doubting = ["--set", "rewards.correct.use=doubtful"]
    code, out, _ = run(
        capsys, "score", "gsm8k", "c.jsonl", *GSM, *doubting, "-o", "s.jsonl", "--label", "label"
    )
    assert code == 0
    assert "1 right, 1 wrong, 1 undecided" in out
    assert "1 of 3 agree, wrong marked right 0, right marked wrong 1, undecided 1" in out
    rows = rows_in("s.jsonl")
    assert [(row["schema"], row["value"], row["status"], row["right"]) for row in rows] == [
        (2, 1.1, "ok", True),
        (2, 0.1, "ok", False),
        (2, None, "abstain", None),
    ]
    assert rows[0]["parts"]["correct"]["verdict"]["extracted"] == "4"


def test_json_output_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    completions("c.jsonl", "4")
    for arguments in (
        ["score", "gsm8k", "c.jsonl", *GSM],
        ["check", "addition", "--limit", "5"],
        ["list", "tasks"],
        ["list", "presets"],
        ["list", "rewards"],
        ["doctor"],
        ["schema"],
        ["init", "mine"],
    ):
        code, out, _ = run(capsys, *arguments, "--json")
        assert code == 0, arguments
        json.loads(out)
    code, out, _ = run(capsys, "score", "gsm9k", "c.jsonl", "--json")
    assert (code, json.loads(out)["error"]) == (2, "UnknownNameError")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"question": "q", "reference": "4"}\n',
            "c.jsonl:1: a row needs a `completion` (its columns: question, reference)",
        ),
        ('{"completion": "x"}\n', "missing: question, reference"),
        ('{"completion": "x", "problem": "p9"}\n', "no file or folder 'none.jsonl'"),
        ('{"completion": \n', "c.jsonl:1: not valid JSON"),
        ('{"completion": "x", "question": "q", "reference": "4", "schema": 3}\n', "schema 3 is not known"),
        ("", "has no rows"),
        ('{"completion": "x", "question": "q", "reference": "1/0"}\n', "divides by zero"),
    ],
)
def test_bad_completions_are_told_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    Path("c.jsonl").write_text(text)
    code, _, err = run(capsys, "score", "gsm8k", "c.jsonl", *GSM, "-o", "s.jsonl")
    assert code == 2
    assert said in err
    assert not Path("s.jsonl").exists()


def test_completions_may_be_chat_messages(capsys: pytest.CaptureFixture[str]) -> None:
    """What the assistant said counts; messages without content (tool calls) add nothing."""
    answer = boxed("4").text
    parts = [{"type": "text", "text": answer[:5]}, {"type": "image"}, {"type": "text", "text": answer[5:]}]
    user, empty = {"role": "user", "content": "None"}, {"role": "assistant", "content": None}
    rows = [
        [user, {"role": "assistant", "content": answer}],
        [user, empty, {"role": "tool", "content": "5"}, {"role": "assistant", "content": answer}],
        [user, {"role": "assistant", "content": parts}, {"role": "assistant"}],
        [user, empty],
    ]
    lines = [json.dumps({"question": "q", "reference": "4", "completion": messages}) for messages in rows]
    Path("c.jsonl").write_text("\n".join(lines) + "\n")
    code, _, _ = run(capsys, "score", "gsm8k", "c.jsonl", *GSM, "-o", "s.jsonl")
    assert code == 0
    scored = rows_in("s.jsonl")
    assert [(row["completion"], row["value"]) for row in scored] == [(answer, 1.1)] * 3 + [("", 0.0)]


def test_problems_are_looked_up_by_id(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.jsonl").write_text('{"question": "q", "answer": "#### 4"}\n')
    from markscheme.tasks import load_problems, load_task

    overrides = ["data.path=rows.jsonl", "data.name=null"]
    (problem,) = load_problems(load_task("gsm8k", overrides=overrides))
    arguments = ["score", "gsm8k", "c.jsonl", *[x for o in overrides for x in ("--set", o)]]
    Path("c.jsonl").write_text(json.dumps({"completion": boxed("4").text, "problem": problem.id}) + "\n")
    assert "1 right" in run(capsys, *arguments)[1]
    Path("c.jsonl").write_text('{"completion": "x", "problem": "p9"}\n')
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "task 'gsm8k' has no problem 'p9'" in err


def test_a_reward_with_a_bug_fails_the_command_and_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text(
        "from markscheme.rewards import reward\n@reward('r')\ndef r(problem, completion):\n    return 1 / 0\n"
    )
    Path("t.yaml").write_text("name: t\ndata: {path: x.jsonl}\nrewards: {a: {use: 'mine.py:r'}}\n")
    Path("c.jsonl").write_text('{"prompt": "q", "completion": "x"}\n')
    code, out, err = run(capsys, "score", "t.yaml", "c.jsonl")
    assert code == 1
    assert "bug 1" in out
    assert "ZeroDivisionError" in err
    assert run(capsys, "score", "t.yaml", "c.jsonl", "--no-code")[0] == 2


def test_check_passes_a_sound_task_and_fails_a_broken_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "init", "mine")[0] == 0
    assert len(load_problems(load_task("mine.yaml"), split="test")) == 1
    code, out, _ = run(capsys, "check", "mine.yaml")
    assert (code, out.count(" ok ")) == (0, 9), out
    Path("mine.cases.jsonl").write_text(
        '{"question": "q", "answer": "4", "completion": "none", "correct": true}\n'
    )
    code, out, _ = run(capsys, "check", "mine.yaml")
    assert code == 1
    assert "scheme: wrong marked right - of 0, right marked wrong 1.000 [0.207, 1.000] of 1" in out
    code, out, _ = run(capsys, "check", "mine.yaml", "--set", "problem.reference={{ answr }}")
    assert code == 1
    assert "did you mean 'answer'" in out
    Path("mine.jsonl").write_text('{"question": "q", "answer": "1/0"}\n{"question": "r", "answer": ""}\n')
    code, out, _ = run(capsys, "check", "mine.yaml", "--set", "data.held_out=0")
    assert code == 1
    assert "2 reference(s) cannot be judged by" in out


def test_check_looks_at_a_model_too(capsys: pytest.CaptureFixture[str]) -> None:
    small_policy(Path("model"), chat=True)
    code, out, _ = run(capsys, "check", "addition", "--limit", "5", "--model", "model")
    assert code == 0, out
    for part in (
        "an answer ends at token 1 '<eos>'",
        "has a chat template and reads 256 tokens",
        "| <|user|>",
        "the prompt ends with '<think>",
    ):
        assert part in out
    code, out, _ = run(capsys, "check", "addition", "--limit", "5", "--model", "./gone")
    assert code == 1
    assert "does not load" in out


def test_init_never_overwrites(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.jsonl").write_text("precious")
    assert run(capsys, "init", "mine")[0] == 2
    assert Path("mine.jsonl").read_text() == "precious"
    assert not Path("mine.yaml").exists()
    assert run(capsys, "init", "two words")[0] == 2


def test_sample_writes_rows_that_score_reads(capsys: pytest.CaptureFixture[str]) -> None:
    small_policy(Path("model"))
    arguments = ["--model", "model", "-n", "3", "--limit", "4", "--max-new-tokens", "8", "-o", "c.jsonl"]
    code, out, _ = run(capsys, "sample", "addition", *arguments)
    assert code == 0
    assert "pass@1" in out
    assert len(rows_in("c.jsonl")) == 12
    code, out, _ = run(capsys, "score", "addition", "c.jsonl", "--split", "test")
    assert code == 0
    assert "12 completions" in out
    assert run(capsys, "sample", "addition", "--model", "model", "--temperature", "0")[0] == 2


def test_schema_describes_what_files_may_hold(capsys: pytest.CaptureFixture[str]) -> None:
    from jsonschema import Draft202012Validator

    from markscheme.tasks.load_task import shipped_tasks
    from markscheme.tasks.yaml_file import read_yaml

    schema = json.loads(run(capsys, "schema")[1])
    Draft202012Validator.check_schema(schema)
    for path in shipped_tasks().values():
        Draft202012Validator(schema).validate(read_yaml(path).data)
    assert not Draft202012Validator(schema).is_valid({"name": "x", "data": {"path": "x"}, "rewards": {}})
    assert "algorithm" in json.loads(run(capsys, "schema", "run")[1])["properties"]


def test_wrong_use_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys)[0] == 2
    assert run(capsys, "no-such-command")[0] == 2
    assert run(capsys, "sample", "addition", "-n", "0")[0] == 2
    assert run(capsys, "train", "nothing")[0] == 2
    assert run(capsys, "train", "addition", "--seeds", "a,b")[0] == 2
    assert run(capsys, "train", "addition", "--seeds", "0,1", "--out", "x")[0] == 2
    assert run(capsys, "--version")[0] == 0


def test_train_prints_a_table_and_resumes(capsys: pytest.CaptureFixture[str]) -> None:
    small_policy(Path("model"))
    sets = [
        "policy.model=model",
        "algorithm.steps=2",
        "algorithm.groups_per_step=2",
        "eval=[]",
        "save.every=1",
    ]
    arguments = [x for setting in sets for x in ("--set", setting)]
    code, out, err = run(capsys, "train", "addition", "--seeds", "0 1", *arguments)
    assert code == 0
    assert out.count("(no evaluation)") == 4
    assert "step 2/2" in err
    code, out, _ = run(capsys, "train", "addition", "--out", "one", *arguments, "--json")
    assert (code, json.loads(out)["steps"]) == (0, 2)
    assert run(capsys, "train", "one", "--resume", "--set", "algorithm.steps=3")[0] == 0
    assert run(capsys, "train", "addition", "--out", "one", *arguments)[0] == 3


def test_training_without_torch_says_what_to_install(tmp_path: Path) -> None:
    """In a process where torch cannot be found, as after a base install."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "markscheme.trainer.commands.cli", "train", "addition"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "pip install 'markscheme[train]'" in ran.stderr
