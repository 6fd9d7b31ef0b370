"""What a user sees first: the package's names, one-line results, lists of names, schemas, the learning curve."""

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
from markscheme.rewards.composition.registry import REWARDS
from markscheme.sandbox.execution import Execution, RunVerdict
from markscheme.tasks import Completion, load_task
from markscheme.tasks.registry import GENERATORS
from markscheme.trainer.commands.cli import main
from markscheme.trainer.report.curve import draw_curves
from markscheme.verifiers import Verdict
from markscheme.verifiers.verdict import VERIFIERS, Reason
from support import MakeTask


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_the_package_has_its_main_names_and_its_version() -> None:
    assert markscheme.__version__ == importlib.metadata.version("markscheme")
    assert all(getattr(markscheme, name) is not None for name in markscheme.__all__)
    assert set(markscheme.__all__) <= set(dir(markscheme))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        markscheme.nothing  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, markscheme; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in ran.stdout.split()}
    assert not loaded & {"torch", "transformers", "datasets", "pydantic", "sympy", "yaml", "jinja2"}


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "markscheme", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == markscheme.__version__


PART = Part(0.0, weight=0.1, status="no_answer", reason="no_answer")  # type: ignore[arg-type]
RESULTS: list[tuple[Any, str]] = [
    (Verdict(True, Reason.EQUAL, "1/2"), "Verdict(right: equal, '1/2')"),
    (Verdict(False, Reason.TIMEOUT, share=0.5), "Verdict(wrong: timeout, 50% of cases)"),
    (Verdict(None), "Verdict(undecided: undecided)"),
    (Part(1.0, reason="equal"), "Part(1 (equal), weight 1)"),
    (PART, "Part(0 (no_answer), weight 0.1)"),
    (Score(0.9, parts={"correct": Part(1.0, reason="equal")}), "Score(0.9, ok: correct 1 (equal))"),
    (Score(None, "bug", reason="ZeroDivisionError"), "Score(none, bug: ZeroDivisionError)"),
    (Completion("4", token_ids=[7, 1], finish_reason="stop"), "Completion('4', 2 tokens, stop)"),
    (Completion("x" * 100), f"Completion('{'x' * 30} … {'x' * 30}')"),
    (Execution(RunVerdict.OK, "144\n", cpu_s=0.0123), "Execution(ok, 0.012 s CPU, '144\\n')"),
]


@pytest.mark.parametrize(
    ("result", "line"), RESULTS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_result_shows_itself_in_one_readable_line(result: Any, line: str) -> None:
    assert repr(result) == line


@pytest.mark.parametrize("result", [result for result, _ in RESULTS])
def test_a_notebook_shows_a_table(result: Any) -> None:
    assert re.fullmatch(r"<table>.*</table>", result._repr_html_(), re.DOTALL)


def test_a_notebook_never_runs_what_a_model_wrote() -> None:
    evil = "<script>alert(1)</script>"
    shown = [
        Completion(evil),
        Verdict(False, extracted=evil),
        Score(None, reason=evil),
        Part(None, reason=evil),
    ]
    assert all("<script>" not in result._repr_html_() for result in shown)


KINDS = ("tasks", "rewards", "verifiers", "generators", "presets")


def shipped(capsys: pytest.CaptureFixture[str], kind: str) -> dict[str, str]:
    """Return what `markscheme list` prints of a kind, without the names that other tests have registered."""
    entries = json.loads(output(capsys, "list", kind, "--json"))
    registered = {*VERIFIERS.decorated, *REWARDS.decorated, *GENERATORS.decorated}
    return {name: text for name, text in entries.items() if name not in registered}


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_has_a_line_and_a_page(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    entries = shipped(capsys, kind)
    assert entries
    for name, text in entries.items():
        assert text, f"{name} says nothing of what it is for"
        assert output(capsys, "list", kind, name).strip()


def test_rewards_include_composites_and_verifiers(capsys: pytest.CaptureFixture[str]) -> None:
    entries = json.loads(output(capsys, "list", "rewards", "--json"))
    assert {"cascade", "any_of", "ensemble", "answer", "length"} <= set(entries)


def test_a_name_shows_its_parameters_their_types_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    page = output(capsys, "list", "rewards", "length")
    assert "target: int, required" in page
    assert "unit: tokens | words | characters, default words" in page
    steps = output(capsys, "list", "rewards", "step_checker")
    assert "reduce: min | product | last | mean, default min" in steps
    assert main(["list", "rewards", "lenght"]) == 2
    assert "did you mean 'length'" in capsys.readouterr().err


NEEDS_A_MODEL = {"prm"}


@pytest.mark.parametrize("kind", ["rewards", "verifiers"])
def test_the_example_of_every_name_is_a_task_entry(
    capsys: pytest.CaptureFixture[str], make_task: MakeTask, kind: str
) -> None:
    for name in shipped(capsys, kind):
        example = json.loads(output(capsys, "list", kind, name, "--json"))["example"]
        entry = yaml.safe_load(example)
        assert entry["use"] == name
        if name not in NEEDS_A_MODEL:
            MarkScheme(make_task(f"rewards: {{r: {example}}}"))


@pytest.mark.parametrize("what", ["task", "run"])
def test_every_key_of_a_file_has_a_description(capsys: pytest.CaptureFixture[str], what: str) -> None:
    schema = json.loads(output(capsys, "schema", what))
    models = {what: schema, **schema["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, model in models.items()
        for key, field in model.get("properties", {}).items()
        # Pydantic leaves out a field's text where the model that it refers to says the same.
        if not (
            field.get("description")
            or models.get(field.get("$ref", "").rpartition("/")[2], {}).get("description")
        )
    ]
    assert bare == []


def a_run(folder: Path, steps: int = 6) -> Path:
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
    run, picture = a_run(tmp_path / "run"), tmp_path / "pictures" / "curve.svg"
    output(capsys, "plot", str(run), "-o", str(picture))
    text = picture.read_text()
    assert "held-out pass@1, greedy" in text
    assert "fill: #ffffff" not in text, "the background is transparent, for light and dark pages"
    draw_curves([run, run], tmp_path / "again.svg")
    draw_curves([run], tmp_path / "curve.png")
    output(capsys, "plot", str(run), "-o", str(tmp_path / "same.svg"))
    assert (tmp_path / "same.svg").read_text() == text


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
    a_run(tmp_path / "run")
    assert main(["plot", str(tmp_path / run), "-o", str(tmp_path / picture)]) == 2
    assert message in capsys.readouterr().err


def test_shipped_tasks_describe_themselves() -> None:
    assert load_task("addition").description
