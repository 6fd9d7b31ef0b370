"""`tasks/README.md` is the grammar of a task: every example on it is run, and every key stands on it."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from markscheme.rewards import MarkScheme
from markscheme.rewards.check.task import run_cases
from markscheme.rewards.composition.step_options import StepOptions
from markscheme.sandbox import Limits
from markscheme.tasks import Completion, Task, load_problems, load_task
from markscheme.tasks.reward_entries import ProcessEntry, RewardEntry
from markscheme.tasks.schema import DataSource, ProblemTemplates, SandboxConfig
from markscheme.verifiers.programs.test_schema import (
    Asserts,
    CallCase,
    Calls,
    Pytest,
    Stdio,
    StdioCase,
    Unittest,
)
from support import ROOT

PAGE = (ROOT / "tasks/README.md").read_text(encoding="utf-8")
PROGRAM = "```python\ndef f(x, scale=1):\n    return x * x * scale\nif __name__ == '__main__':\n    print(f(int(input())))\n```"
ANSWER = r"<think>I know it.</think>\boxed{Paris}"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def merged(example: dict[str, Any]) -> dict[str, Any]:
    """An example on top of the page's first task; a problem of its own keeps the prompt unless it has one."""
    base = yaml.safe_load(blocks("yaml")[0])
    problem = {**base["problem"], **example.get("problem", {})}
    return {**base, **example, "problem": problem}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    rows, cases = blocks("jsonl")
    (tmp_path / "capitals.jsonl").write_text(rows)
    (tmp_path / "capitals.cases.jsonl").write_text(cases)
    (tmp_path / "mine.py").write_text(blocks("python")[0])
    return tmp_path


@pytest.mark.parametrize("text", blocks("yaml"), ids=lambda text: text.splitlines()[0][:50])
def test_every_example_of_the_page_is_a_task(place: Path, text: str) -> None:
    path = place / "task.yaml"
    path.write_text(yaml.safe_dump(merged(yaml.safe_load(text))))
    task = load_task(path)
    scheme = MarkScheme(task)
    is_on_the_hub = task.data.path is not None and not (place / task.data.path).exists()
    if is_on_the_hub or task.sandbox is not None:
        return
    problem = load_problems(task, split="train")[0]
    scheme.check_references([problem])
    right = PROGRAM if problem.tests is not None else ANSWER.replace("Paris", problem.references[0])
    best, worst = (scheme.score([problem], [Completion(text)])[0] for text in (right, "no idea"))
    assert all(part.status != "bug" for part in best.parts.values()), best
    assert scheme.is_right(best) is True, best
    assert scheme.is_right(worst) is False, worst


def test_the_labelled_cases_of_the_page_are_as_labelled(place: Path) -> None:
    path = place / "capitals.yaml"
    path.write_text(blocks("yaml")[0])
    task = load_task(path)
    outcomes = run_cases(task, MarkScheme(task), place / "capitals.cases.jsonl")
    assert [(label, mark) for label, mark, _ in outcomes] == [(True, True), (False, False)]


def keys_of(model: type) -> Iterator[str]:
    if issubclass(model, BaseModel):
        yield from model.model_fields
    else:
        yield from (made.name for made in dataclasses.fields(model))


MODELS = [Task, DataSource, ProblemTemplates, RewardEntry, ProcessEntry, SandboxConfig, Limits, StepOptions]
MODELS += [Asserts, CallCase, Calls, Stdio, StdioCase, Unittest, Pytest]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_stands_on_the_page(model: type) -> None:
    examples = "\n".join(blocks("yaml"))
    missing = [
        key for key in keys_of(model) if f"`{key}`" not in PAGE and not re.search(rf"\b{key}:", examples)
    ]
    assert missing == []


def test_every_status_stands_on_the_page() -> None:
    from markscheme.rewards.score import Status

    assert [status for status in Status if status != "ok" and f"`{status}`" not in PAGE] == []


def test_the_rows_of_the_page_are_rows() -> None:
    assert all(json.loads(line) for block in blocks("jsonl") for line in block.splitlines())
