"""Whole runs on a small random policy, and what they write to their folders."""

import gzip
import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from support import small_policy

LETTER_STEPS = "{by: separator, separator: e}"
"""A `split` for the completions of a random policy, which writes a letter more often than a line break."""
DIGIT_REWARDS = """
from markscheme.rewards import reward

@reward("digits")
def digits(problem, completion):
    return sum(c.isdigit() for c in completion.text) / max(len(completion.text), 1)

@reward("step_digits", steps=True)
def step_digits(problem, completion, steps):
    return [sum(c.isdigit() for c in step) / len(step) for step in steps]
"""
DIGIT_TASK = (
    "rewards: {digits: {use: 'mine.py:digits', timeout_s: 20}}\n"
    f"process: {{use: 'mine.py:step_digits', split: {LETTER_STEPS}}}\n"
)
"""A task for `write_task`: completions and their steps are paid by their share of digits."""


def write_task(folder: Path, rewards: str, task: str) -> Path:
    """Write a task of 36 sums with its own rewards, and a random policy; return the folder.

    Args:
        folder: gets `digits.yaml`, `mine.py`, `rows.jsonl` and `policy/`.
        rewards: the Python code of `mine.py`.
        task: YAML that is appended to the task; at least its `rewards:`.
    """
    (folder / "mine.py").write_text(rewards)
    rows = [{"prompt": f"{i}+{j}=", "reference": str(i + j)} for i in range(6) for j in range(6)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "digits.yaml").write_text(
        "name: digits\ndata: {path: rows.jsonl, held_out: 0.3}\nproblem: {reference: '{{ reference }}'}\n"
        + task
    )
    small_policy(folder / "policy")
    return folder


def small_run(folder: Path, out: str = "run", **changes: Any) -> dict[str, Any]:
    """Return a run of six steps on the task that `write_task` wrote; it takes well under a second.

    Args:
        folder: of the task.
        out: the run's folder, beside the task.
        changes: sections of the run; a mapping changes only the keys that it names, except in `tasks`.
    """
    run: dict[str, Any] = {
        "tasks": [str(folder / "digits.yaml")],
        "policy": {"model": str(folder / "policy")},
        "algorithm": {"group_size": 4, "groups_per_step": 3, "steps": 6, "lr": 3e-3, "kl_coef": 0.01},
        "sampling": {"max_new_tokens": 16},
        "eval": [{"task": str(folder / "digits.yaml"), "n": 2, "every": 3, "limit": 5}],
        "save": {"every": 2, "keep": 2},
        "out": str(folder / out),
    }
    for section, value in changes.items():
        if isinstance(value, dict) and isinstance(run.get(section), dict):
            value = {**run[section], **value}
        run[section] = value
    return run


def process_run(folder: Path, out: str = "run", **algorithm: Any) -> dict[str, Any]:
    """Return a run of four steps in process mode, without evaluations."""
    return small_run(folder, out, eval=[], algorithm={"mode": "process", "steps": 4, **algorithm})


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def metrics_of(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics of a run's steps without the times, which differ between equal runs."""
    rows = json_lines(folder / "metrics.jsonl")
    return [{name: value for name, value in row.items() if not name.startswith("time_")} for row in rows]


def scores_of(folder: Path) -> list[dict[str, Any]]:
    """Return all scored completions of a run without the times of its parts."""
    rows: list[dict[str, Any]] = []
    for shard in sorted((folder / "scores").glob("*.gz")):
        # Each step is a gzip member of its own; `gzip.decompress` reads all members of a file.
        lines = gzip.decompress(shard.read_bytes()).decode().splitlines()
        rows += [row for row in map(json.loads, lines) if "header" not in row]
    for row in rows:
        for part in row["parts"].values():
            part.pop("seconds")
    return rows


def notes_of(folder: Path) -> list[str]:
    """Return the notes that a run kept for its readers."""
    return [row["note"] for row in json_lines(folder / "notes.jsonl")]


def wait_for(path: Path, pause: float) -> None:
    """Wait until a file or folder exists, but not for ever: what comes next would fail anyway."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not path.exists():
        time.sleep(pause)


def assert_equal_weights(one: Path, other: Path) -> None:
    """Two files hold the same weights, to the bit."""
    first, second = load_file(one), load_file(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first), one
