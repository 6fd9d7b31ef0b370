"""`markscheme cases`, as it is typed: cheats and disputed rows become labelled cases."""

import io
import json
from pathlib import Path

import pytest

from markscheme.trainer.commands.cli import main

TASK = """name: t
data: {path: rows.jsonl}
problem: {prompt: "{{ question }}", reference: "{{ answer }}"}
rewards: {correct: {use: 'mine.py:within'}}
watch: {truth: {use: answer}}
"""
CODE = """
from markscheme.verifiers import verifier

@verifier("within")
def within(problem, completion):
    print("a reward that prints")
    return problem.reference in completion.text
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(CODE)
    Path("t.yaml").write_text(TASK)
    rows = [
        {"question": f"{a}+{b}=", "answer": str(a + b), "source": "own"}
        for a, b in ((12, 30), (7, 52), (9, 9))
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = ["\\boxed{42}", "It may be 42 or \\boxed{41}", "\\boxed{40}"]
    answers = [{**rows[0], "completion": text} for text in texts]
    Path("answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))
    assert main(["score", "t.yaml", "answers.jsonl", "-o", "s.jsonl"]) == 0
    Path("sums.jsonl").write_text(
        '{"prompt": "12+30=", "reference": "42", "completion": "42", "solution": "", "id": 1}\n'
    )
    assert main(["score", "addition", "sums.jsonl", "-o", "shipped.jsonl"]) == 0


def cases(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    try:
        code = main(["cases", *arguments])
    except SystemExit as error:
        code = int(error.code or 0)
    out, err = capsys.readouterr()
    return code, out + err


def added() -> list[dict[str, object]]:
    return [json.loads(line) for line in Path("t.cases.jsonl").read_text().splitlines()]


def test_a_row_that_was_paid_wrongly_becomes_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = cases(capsys, "add", "--from", "s.jsonl", "--row", "3", "--tag", "hedge", "--note", "seen")
    assert code == 0, said
    (case,) = added()
    assert case["question"] == "12+30="
    assert case["completion"] == "It may be 42 or \\boxed{41}"
    assert (case["correct"], case["tags"], case["note"]) == (False, ["hedge"], "seen")
    assert "source" not in case  # a column that no template reads
    assert cases(capsys, "add", "--from", "s.jsonl", "--row", "3")[0] == 1
    assert len(added()) == 1
    capsys.readouterr()
    assert main(["check", "t.yaml", "--probes", "0"]) == 1
    assert "labelled wrong, marked right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "--from", "s.jsonl"], "needs --row N"),
        (["add", "--from", "s.jsonl", "--row", "1"], "there is no score row 1"),
        (["add", "--from", "s.jsonl", "--row", "4"], "say --correct true or false"),
        (["add"], "either --from SCORES --row N, or --from-probe"),
        (["add", "t.yaml", "--from-probe", "substring_pay"], "did you mean 'substring_pays'"),
        (["add", "t.yaml", "--from-probe", "flood_pays"], "finds no flood_pays"),
        (["review"], "name the task"),
        (["add", "--from", "shipped.jsonl", "--row", "2", "--correct", "false"], "is not a file of yours"),
    ],
)
def test_wrong_use_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = cases(capsys, *arguments)
    assert code == 2
    assert said in told
    assert not Path("t.cases.jsonl").exists()


def test_the_label_is_asked_for_where_a_watched_entry_says_right(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = cases(capsys, "add", "--from", "s.jsonl", "--row", "2")
    assert code == 2
    assert "say --correct true or false" in said
    assert cases(capsys, "add", "--from", "s.jsonl", "--row", "2", "--correct", "true")[0] == 0
    assert [case["correct"] for case in added()] == [True]


def test_cases_go_where_a_link_leads(capsys: pytest.CaptureFixture[str]) -> None:
    Path("elsewhere.jsonl").write_text("")
    Path("t.cases.jsonl").symlink_to("elsewhere.jsonl")
    assert cases(capsys, "add", "--from", "s.jsonl", "--row", "3")[0] == 0
    assert Path("t.cases.jsonl").is_symlink()
    assert Path("elsewhere.jsonl").read_text().count("\n") == 1


def test_the_examples_of_a_defect_become_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert cases(capsys, "add", "t.yaml", "--from-probe", "substring_pays")[0] == 0
    assert len(added()) == 3
    assert {case["correct"] for case in added()} == {False}
    mended = ["--set", "rewards={correct: {use: answer}}", "--set", "watch={}"]
    capsys.readouterr()
    assert main(["check", "t.yaml", *mended]) == 0, capsys.readouterr().out


def test_a_review_walks_through_disputed_rows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("what?\nw\n"))
    code, said = cases(capsys, "review", "--from", "s.jsonl")
    assert code == 0
    assert "1 of 1: truth says otherwise (s.jsonl:3)" in said
    assert said.rstrip().endswith("1 case(s) added")
    assert [case["correct"] for case in added()] == [False]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))  # the end of the input ends the review
    assert cases(capsys, "review", "t.yaml")[0] == 0


def test_json_output_is_json_though_a_reward_prints(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["check", "t.yaml", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["good"] is False
    assert "a reward that prints" in err
    assert main(["cases", "review", "t.yaml", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["suggestions"]) == 3


def test_padded_steps_are_no_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """A solution whose steps are repeated is as right as before: its marks are wrong, not its answer."""
    steps = "rewards: {correct: {use: answer}}\nprocess: {use: step_checker, check: arithmetic, split: lines, credit: sum}"
    task = (
        TASK.replace("reference: ", "solution: '{{ worked }}', reference: ").partition("rewards:")[0] + steps
    )
    Path("t.yaml").write_text(task)
    rows = [
        {"question": f"{a}+{b}=", "answer": str(a + b), "worked": f"{a} + {b} = {a + b}\n\\boxed{{{a + b}}}"}
        for a, b in ((12, 30), (7, 52))
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    capsys.readouterr()
    assert main(["check", "t.yaml", "--json"]) == 1
    names = [
        finding["name"]
        for finding in json.loads(capsys.readouterr().out)["findings"]
        if finding["good"] is False
    ]
    assert names == ["padding_pays"]
    code, said = cases(capsys, "add", "t.yaml", "--from-probe", "padding_pays")
    assert code == 2
    assert "finds no padding_pays with completions that a case could label" in said
