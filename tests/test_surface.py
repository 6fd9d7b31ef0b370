"""What users see first: the package's names, one-line results, lists of names, schemas, the learning curve."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import markscheme
from markscheme.rewards import MarkScheme, Part, Score
from markscheme.rewards.composition.reward_functions import REWARDS
from markscheme.rewards.score import Status
from markscheme.sandbox import Execution
from markscheme.sandbox.execution import RunVerdict
from markscheme.tasks import Completion
from markscheme.tasks.name_lookup import GENERATORS
from markscheme.trainer.commands.cli import main
from markscheme.trainer.report.curve import draw_curves
from markscheme.verifiers import Verdict
from markscheme.verifiers.verdict import VERIFIERS, Reason
from support import MakeTask


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must succeed, and return what it prints."""
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_the_package_has_its_main_names_and_its_version() -> None:
    assert markscheme.__version__ == importlib.metadata.version("markscheme")
    assert all(getattr(markscheme, name) is not None for name in markscheme.__all__)
    assert set(markscheme.__all__) <= set(dir(markscheme))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        markscheme.nothing  # noqa: B018


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "markscheme", "--version"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == markscheme.__version__


# Results, and how they show themselves.
RESULTS: list[tuple[Any, str]] = [
    (Verdict(True, Reason.EQUAL, "1/2"), "Verdict(right: equal, '1/2')"),
    (Verdict(False, Reason.TIMEOUT, share=0.5), "Verdict(wrong: timeout, 50% of cases)"),
    (Verdict(None), "Verdict(undecided: undecided)"),
    (Part(1.0, reason="equal"), "Part(1 (equal), weight 1)"),
    (Part(0.0, weight=0.1, status=Status.NO_ANSWER, reason="no_answer"), "Part(0 (no_answer), weight 0.1)"),
    (Score(0.9, parts={"correct": Part(1.0, reason="equal")}), "Score(0.9, ok: correct 1 (equal))"),
    (Score(None, "bug", reason="ZeroDivisionError"), "Score(none, bug: ZeroDivisionError)"),
    (Completion("4", token_ids=[7, 1], finish_reason="stop"), "Completion('4', 2 tokens, stop)"),
    (Completion("x" * 100), f"Completion('{'x' * 30} … {'x' * 30}')"),
    (Execution(RunVerdict.OK, "144\n", cpu_s=0.0123), "Execution(ok, 0.012 s CPU, '144\\n')"),
]
LINES = [line for _, line in RESULTS]


@pytest.mark.parametrize(("result", "line"), RESULTS, ids=LINES)
def test_a_result_shows_itself_in_one_readable_line(result: Any, line: str) -> None:
    assert repr(result) == line


@pytest.mark.parametrize("result", [result for result, _ in RESULTS], ids=LINES)
def test_a_notebook_shows_a_result_as_a_table(result: Any) -> None:
    assert re.fullmatch(r"<table>.*</table>", result._repr_html_(), re.DOTALL)


def test_a_notebook_never_runs_what_a_model_wrote() -> None:
    evil = "<script>alert(1)</script>"
    results = [
        Completion(evil),
        Verdict(False, extracted=evil),
        Score(None, reason=evil),
        Part(None, reason=evil),
    ]
    for result in results:
        html = result._repr_html_()
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


KINDS = ("tasks", "rewards", "verifiers", "generators", "presets")


def shipped_names(capsys: pytest.CaptureFixture[str], kind: str) -> dict[str, str]:
    """Return the names that `markscheme list` prints, without those that other tests have registered."""
    entries = json.loads(output_of(capsys, "list", kind, "--json"))
    registered = {*VERIFIERS.decorated, *REWARDS.decorated, *GENERATORS.decorated}
    return {name: text for name, text in entries.items() if name not in registered}


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_has_a_line_and_a_page(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    entries = shipped_names(capsys, kind)
    assert entries
    for name, text in entries.items():
        assert text, f"{name} has no line that says what it is for"
        assert output_of(capsys, "list", kind, name).strip()


def test_rewards_include_composites_and_verifiers(capsys: pytest.CaptureFixture[str]) -> None:
    entries = json.loads(output_of(capsys, "list", "rewards", "--json"))
    assert {"cascade", "any_of", "ensemble", "answer", "length"} <= set(entries)


def test_a_name_shows_its_parameters_their_types_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    length = output_of(capsys, "list", "rewards", "length")
    assert "target: int, required" in length
    assert "unit: tokens | words | characters, default words" in length
    step_checker = output_of(capsys, "list", "rewards", "step_checker")
    assert "reduce: min | product | last | mean, default min" in step_checker
    assert main(["list", "rewards", "lenght"]) == 2
    assert "did you mean 'length'" in capsys.readouterr().err


NEEDS_A_MODEL = {"judge", "prm", "rm"}


@pytest.mark.parametrize("kind", ["rewards", "verifiers"])
def test_the_example_of_every_name_is_a_task_entry(
    capsys: pytest.CaptureFixture[str], make_task: MakeTask, kind: str
) -> None:
    for name in shipped_names(capsys, kind):
        example = json.loads(output_of(capsys, "list", kind, name, "--json"))["example"]
        entry = yaml.safe_load(example)
        assert entry["use"] == name
        if name not in NEEDS_A_MODEL:
            MarkScheme(make_task(f"rewards: {{r: {example}}}"))


@pytest.mark.parametrize("file", ["task", "run"])
def test_every_key_of_a_file_has_a_description(capsys: pytest.CaptureFixture[str], file: str) -> None:
    schema = json.loads(output_of(capsys, "schema", file))
    models = {file: schema, **schema["$defs"]}
    without_description = []
    for name, model in models.items():
        for key, field in model.get("properties", {}).items():
            # Pydantic leaves out the text of a field if it is that of the model that the field refers to.
            referred = models.get(field.get("$ref", "").rpartition("/")[2], {})
            if not (field.get("description") or referred.get("description")):
                without_description.append(f"{name}.{key}")
    assert without_description == []


def written_run(folder: Path, steps: int = 6) -> Path:
    """Write the logs of a run that was killed while it wrote its last line."""
    folder.mkdir()
    metrics = [{"step": step, "reward": step / steps} for step in range(1, steps + 1)]
    shares = {"pass_at_1": 0.5, "sampled_pass_at_1": 0.4}
    intervals = {"pass_at_1_interval": [0.4, 0.6], "sampled_interval": [0.3, 0.5]}
    evaluations = [{"step": step, "index": 0, **shares, **intervals} for step in (0, steps)]
    (folder / "metrics.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in metrics) + '{"step": 7, "rew'
    )
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in evaluations))
    return folder


def test_plot_draws_the_learning_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = written_run(tmp_path / "run")
    picture = tmp_path / "pictures" / "curve.svg"
    output_of(capsys, "plot", str(run), "-o", str(picture))
    text = picture.read_text()
    assert "held-out pass@1, greedy" in text
    assert "fill: #ffffff" not in text, "the background must be transparent, for light and dark pages"
    output_of(capsys, "plot", str(run), "-o", str(tmp_path / "again.svg"))
    assert (tmp_path / "again.svg").read_text() == text
    for name in ("two.svg", "curve.png"):
        draw_curves([run, run], tmp_path / name)
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize(
    ("run", "picture", "message"),
    [
        ("nowhere", "c.svg", "nowhere has no metrics.jsonl"),
        ("run", "c.gif", "must end in .svg, .png or .pdf"),
    ],
)
def test_plot_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], run: str, picture: str, message: str
) -> None:
    written_run(tmp_path / "run")
    assert main(["plot", str(tmp_path / run), "-o", str(tmp_path / picture)]) == 2
    assert message in capsys.readouterr().err
