"""Beside the real peers: TRL's trainer, verl's reward manager, Prime Intellect's verifiers.

Each runs in an environment of its own, made by `make test-slow` or by the test itself.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from support import LABELLED, ROOT

pytestmark = pytest.mark.slow


def run(*command: str | Path, **more: Any) -> str:
    ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    assert ran.returncode == 0, f"{command}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
    return ran.stdout


@pytest.fixture(scope="session")
def peers_python() -> str:
    python = os.environ.get("MARKSCHEME_SLOW_PYTHON")
    if not python:
        pytest.skip("MARKSCHEME_SLOW_PYTHON is not set: run `make test-slow`")
    return python


def test_the_same_marks_inside_trl_s_trainer(peers_python: str, tmp_path: Path) -> None:
    found = json.loads(
        run(peers_python, ROOT / "tests/scripts/in_trl.py", tmp_path / "model").splitlines()[-1]
    )
    assert len(found["theirs"]) >= 3
    assert found["theirs"] == found["ours"]
    assert len({value for values in found["ours"] for value in values}) > 1, (
        "a run without differences shows nothing"
    )
    for logged, values in zip(found["logged"], found["theirs"], strict=True):
        known = [value for value in values if value is not None]
        assert logged == pytest.approx(sum(known) / len(known), abs=1e-5)
    assert "addition/correct" in found["parts_logged"]


def test_the_update_s_gradients_are_trl_s(peers_python: str) -> None:
    """The whole update on TRL's own batch, parameter by parameter; the kept numbers are of today's TRL."""
    found = json.loads(run(peers_python, ROOT / "tests/scripts/trl_losses.py").splitlines()[-1])
    kept = json.loads((ROOT / "tests/data/trl_losses.json").read_text(encoding="utf-8"))
    assert len(found["cases"]) == len(kept["cases"]) == 12
    for case, before in zip(found["cases"], kept["cases"], strict=True):
        assert case["apart"] < 1e-5, case["loss_type"]
        assert case["loss"] == pytest.approx(before["loss"], rel=1e-4)


def test_the_same_marks_inside_verl_s_reward_manager(peers_python: str, tmp_path: Path) -> None:
    found = json.loads(run(peers_python, ROOT / "tests/scripts/in_verl.py", tmp_path).splitlines()[-1])
    assert found["theirs"] == pytest.approx([0.0 if value is None else value for value in found["ours"]])
    assert found["extra"]["left_out"] == [float(value is None) for value in found["ours"]]
    assert found["extra"]["acc"] == [1.0, 0.0, 0.0, 0.0]


def test_answers_inside_ray_and_with_gmpy2(peers_python: str) -> None:
    """Tasks, threaded and asyncio actors: the same marks, and a hang is killed in each."""
    rows = ROOT / "tests/data/answers.jsonl"
    found = json.loads(run(peers_python, ROOT / "tests/scripts/answers_in_ray.py", rows).splitlines()[-1])
    labels = [row["correct"] for row in LABELLED]
    assert found["task"] == found["asyncio"] == labels
    assert found["threads"] == [labels] * 4
    for kind in ("hard_task", "hard_threads", "hard_asyncio"):
        assert found[kind] == [[True, "equal", "last"], [False, "timeout", "last"]]
    assert (found["ground_types_here"], found["ground_types_there"]) == ("gmpy", "python")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source")
    run("git", "-C", ROOT, "checkout-index", "-a", f"--prefix={source}/")
    run(sys.executable, "-m", "build", "--outdir", folder, source)
    assert list(folder.glob("*.tar.gz"))
    return next(folder.glob("*.whl"))


def python_in(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    return folder / "bin/python"


def test_the_base_install_scores_without_torch(wheel: Path, tmp_path: Path) -> None:
    python = python_in(tmp_path / "venv")
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel)
    assert "torch" not in run(python, "-m", "pip", "list")
    command = tmp_path / "venv/bin/markscheme"
    (tmp_path / "c.jsonl").write_text(
        '{"question": "q", "answer": "#### 4", "completion": "<think>a</think>\\\\boxed{4}"}\n'
    )
    assert "1 right" in run(command, "score", "gsm8k", "c.jsonl", cwd=tmp_path)
    run(command, "init", "mine", cwd=tmp_path)
    run(command, "check", "mine.yaml", cwd=tmp_path)
    run(command, "check", "addition", cwd=tmp_path)
    run(command, "doctor", cwd=tmp_path)
    refused = subprocess.run([command, "train", "addition"], capture_output=True, text=True, cwd=tmp_path)
    assert refused.returncode == 2
    assert "markscheme[train]" in refused.stderr


def test_the_wheel_trains_beside_verifiers_outside_the_clone(wheel: Path, tmp_path: Path) -> None:
    """Prime Intellect's `verifiers` owns a top-level name that is also one of our folders'."""
    python = python_in(tmp_path / "venv")
    constraints = ["-c", ROOT / "constraints.txt"]
    run(python, "-m", "pip", "install", "--quiet", *constraints, f"{wheel}[train]", "verifiers==0.4.0")
    where = run(
        python,
        "-c",
        "import verifiers, markscheme.verifiers as m; print(verifiers.__file__); print(m.__file__)",
        cwd=tmp_path,
    )
    theirs, ours = where.split()
    assert theirs.endswith("site-packages/verifiers/__init__.py")
    assert ours.endswith("site-packages/markscheme/verifiers/__init__.py")
    run(python, "-c", "import verifiers.v1", cwd=tmp_path)
    steps = ["--set", "algorithm.steps=20", "--set", "eval=[{task: addition, limit: 50}]"]
    told = json.loads(
        run(
            tmp_path / "venv/bin/markscheme",
            "train",
            "addition",
            "--out",
            "run",
            "--json",
            *steps,
            cwd=tmp_path,
        )
    )
    assert told["pass_at_1_after"] > told["pass_at_1_before"] + 0.3
    contents = run(python, "-m", "zipfile", "-l", wheel)
    for name in (
        "tasks/gsm8k.yaml",
        "tasks/gsm8k.cases.jsonl",
        "trainer/quickstart.yaml",
        "rewards/py.typed",
    ):
        assert f"markscheme/{name}" in contents
    assert "tests/" not in contents


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_main_job_reaches_its_figure(seed: int, tmp_path: Path) -> None:
    """`make train`, each seed: greedy pass@1 from at most .40 to at least .95."""
    from markscheme.trainer import train

    summary = train("addition", overrides=[f"seed={seed}", f"out={tmp_path / 'run'}"]).summary
    assert summary["pass_at_1_before"] <= 0.40
    assert summary["pass_at_1_after"] >= 0.95
