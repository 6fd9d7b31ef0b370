"""Our code beside real peers, each in an environment of its own, and installed from the built wheel.

The peers are TRL's trainer, verl's reward manager, Ray, lm-eval, Inspect, and Prime Intellect's `verifiers`.
`make test-slow` makes the environment of all but the last; the tests make those of the wheel themselves.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from markscheme.trainer import train
from support import LABELLED_ANSWERS, ROOT

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that must succeed, and return its output."""
    parts = [str(part) for part in command]
    done = subprocess.run(parts, capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def peers_python() -> str:
    """Return the Python of the environment that has the peers."""
    python = os.environ.get("MARKSCHEME_SLOW_PYTHON")
    if not python:
        pytest.skip("MARKSCHEME_SLOW_PYTHON is not set: run `make test-slow`")
    return python


def result_of_script(python: str, name: str, *arguments: str | Path) -> dict[str, Any]:
    """Run a script of `tests/scripts`, and return the JSON in its last line of output."""
    output = run(python, ROOT / "tests/scripts" / name, *arguments)
    return json.loads(output.splitlines()[-1])


def test_a_scheme_gives_the_same_marks_inside_trl_s_trainer(peers_python: str, tmp_path: Path) -> None:
    result = result_of_script(peers_python, "in_trl.py", tmp_path / "model")
    assert len(result["theirs"]) >= 3
    assert result["theirs"] == result["ours"]
    different_values = {value for values in result["ours"] for value in values}
    assert len(different_values) > 1, "a run without differences shows nothing"
    for logged, values in zip(result["logged"], result["theirs"], strict=True):
        known = [value for value in values if value is not None]
        assert logged == pytest.approx(sum(known) / len(known), abs=1e-5)
    assert "addition/correct" in result["parts_logged"]


def test_the_gradients_of_an_update_are_trl_s(peers_python: str) -> None:
    """The whole update on TRL's own batch, by parameter; and the kept numbers are still those of TRL."""
    result = result_of_script(peers_python, "trl_losses.py")
    kept = json.loads((ROOT / "tests/data/trl_losses.json").read_text(encoding="utf-8"))
    assert len(result["cases"]) == len(kept["cases"]) == 12
    for case, kept_case in zip(result["cases"], kept["cases"], strict=True):
        assert case["apart"] < 1e-5, case["loss_type"]
        assert case["loss"] == pytest.approx(kept_case["loss"], rel=1e-4)


def test_a_scheme_gives_the_same_marks_inside_verl_s_reward_manager(
    peers_python: str, tmp_path: Path
) -> None:
    result = result_of_script(peers_python, "in_verl.py", tmp_path)
    left_out = [value is None for value in result["ours"]]
    assert left_out == [False, False, False, True]
    # verl has no rows without a value: such a row gets 0, and says so in its own column.
    assert result["theirs"] == pytest.approx([value or 0.0 for value in result["ours"]])
    assert result["extra"]["left_out"] == [float(is_left_out) for is_left_out in left_out]
    assert result["extra"]["acc"] == [1.0, 0.0, 0.0, 0.0]


def test_answers_are_judged_inside_ray_and_beside_gmpy2(peers_python: str) -> None:
    """Tasks, threaded and asyncio actors give the same marks, and an answer that hangs is killed in each."""
    result = result_of_script(peers_python, "answers_in_ray.py", ROOT / "tests/data/answers.jsonl")
    labels = [row["correct"] for row in LABELLED_ANSWERS]
    assert result["task"] == result["asyncio"] == labels
    assert result["threads"] == [labels] * 4
    for kind in ("hard_task", "hard_threads", "hard_asyncio"):
        assert result[kind] == [[True, "equal", "last"], [False, "timeout", "last"]]
    assert (result["ground_types_here"], result["ground_types_there"]) == ("gmpy", "python")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, and the source distribution, from the files that git knows."""
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source")
    run("git", "-C", ROOT, "checkout-index", "-a", f"--prefix={source}/")
    run(sys.executable, "-m", "build", "--outdir", folder, source)
    assert list(folder.glob("*.tar.gz"))
    return next(folder.glob("*.whl"))


def new_environment(folder: Path, *packages: str | Path) -> Path:
    """Make a virtual environment with some packages, and return its folder of programs."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", *packages)
    return python.parent


def test_the_wheel_holds_the_data_files_and_no_tests(wheel: Path) -> None:
    contents = run(sys.executable, "-m", "zipfile", "-l", wheel)
    for name in (
        "py.typed",
        "tasks/shipped/gsm8k.yaml",
        "tasks/shipped/gsm8k.cases.jsonl",
        "trainer/config/quickstart.yaml",
    ):
        assert f"markscheme/{name}" in contents
    assert "tests/" not in contents


def test_the_base_install_scores_without_torch(wheel: Path, tmp_path: Path) -> None:
    programs = new_environment(tmp_path / "venv", wheel)
    assert "torch" not in run(programs / "python", "-m", "pip", "list")
    row = {"question": "q", "answer": "#### 4", "completion": r"<think>a</think>\boxed{4}"}
    (tmp_path / "c.jsonl").write_text(json.dumps(row) + "\n")
    markscheme = programs / "markscheme"
    assert "1 right" in run(markscheme, "score", "gsm8k", "c.jsonl", cwd=tmp_path)
    run(markscheme, "init", "mine", cwd=tmp_path)
    run(markscheme, "check", "mine.yaml", cwd=tmp_path)
    run(markscheme, "check", "addition", cwd=tmp_path)
    run(markscheme, "doctor", cwd=tmp_path)
    refused = subprocess.run([markscheme, "train", "addition"], capture_output=True, text=True, cwd=tmp_path)
    assert refused.returncode == 2
    assert "markscheme[train]" in refused.stderr


def test_the_wheel_trains_beside_the_package_verifiers(wheel: Path, tmp_path: Path) -> None:
    """Prime Intellect's package has the top-level name `verifiers`, which one of our folders has too."""
    programs = new_environment(tmp_path / "venv", f"{wheel}[train]", "verifiers==0.4.0")
    code = "import verifiers, markscheme.verifiers as m; print(verifiers.__file__); print(m.__file__)"
    theirs, ours = run(programs / "python", "-c", code, cwd=tmp_path).split()
    assert theirs.endswith("site-packages/verifiers/__init__.py")
    assert ours.endswith("site-packages/markscheme/verifiers/__init__.py")
    run(programs / "python", "-c", "import verifiers.v1", cwd=tmp_path)
    settings = ["--set", "algorithm.steps=20", "--set", "eval=[{task: addition, limit: 50}]"]
    command = ["train", "addition", "--out", "run", "--json", *settings]
    summary = json.loads(run(programs / "markscheme", *command, cwd=tmp_path))
    assert summary["pass_at_1_after"] > summary["pass_at_1_before"] + 0.3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_training_reaches_the_stated_figure_with_every_seed(seed: int, tmp_path: Path) -> None:
    """As `make train`: greedy pass@1 rises from at most 0.40 to at least 0.95."""
    summary = train("addition", overrides=[f"seed={seed}", f"out={tmp_path / 'run'}"]).summary
    assert summary["pass_at_1_before"] <= 0.40
    assert summary["pass_at_1_after"] >= 0.95


SUMS = """name: sums
data: {path: none.jsonl}
problem: {prompt: "PROMPT", reference: "REFERENCE"}
extract: lenient
rewards: {correct: {use: answer}}
"""


@pytest.mark.parametrize(
    ("tool", "templates", "options", "wrongly_marked"),
    [
        # TRL's exact match, and the strict filter and `match` of the others, miss `12 plus 30 makes 42.`
        ("trl", ("{{ prompt }}", "{{ prompt.split('+')[0] | int + prompt[:-1].split('+')[1] | int }}"), [], (0, 4)),
        ("lm-eval", ("{{ question }}", "{{ answer.split('####')[1] | trim }}"), [], (0, 2)),
        ("inspect", ("{{ prompt }}", "{{ target }}"), ["--right", "match"], (0, 6)),
    ],
)  # fmt: skip
def test_audit_reads_logs_that_the_tools_write(
    peers_python: str,
    tmp_path: Path,
    tool: str,
    templates: tuple[str, str],
    options: list[str],
    wrongly_marked: tuple[int, int],
) -> None:
    """A run of TRL's trainer of two steps, and evaluations by lm-eval and Inspect, made here and marked again."""
    logs = tmp_path / "logs"
    run(peers_python, ROOT / f"tests/scripts/logs_{tool.replace('-', '_')}.py", logs)
    text = SUMS.replace("PROMPT", templates[0]).replace("REFERENCE", templates[1])
    (tmp_path / "sums.yaml").write_text(text)
    command = [
        peers_python,
        "-m",
        "markscheme",
        "audit",
        logs,
        "--from",
        tool,
        "--task",
        tmp_path / "sums.yaml",
    ]
    found = json.loads(run(*command, *options, "--json"))
    counts = found["paid_wrongly"]
    assert (counts["called_right_but_wrong"], counts["called_wrong_but_right"]) == wrongly_marked
    assert found["recorded"]["rows"] == {"trl": 16, "lm-eval": 8, "inspect": 24}[tool]
    assert found["ours"]["marks"]["right"] > found["recorded"]["marks"]["right"]
    assert tool != "trl" or list(found["ours"]["by_step"]) == ["1", "2"]
