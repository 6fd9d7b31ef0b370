"""`tasks/README.md`, the reference of task files: each of its examples works, and it mentions every key."""

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
from markscheme.rewards.check.cases import run_cases
from markscheme.rewards.composition.step_options import StepOptions
from markscheme.rewards.score import Status
from markscheme.sandbox import Limits
from markscheme.tasks import Completion, Task, load_problems, load_task
from markscheme.tasks.reward_entries import ProcessEntry, RewardEntry
from markscheme.tasks.schema import DataSource, ProblemTemplates, SandboxConfig
from markscheme.verifiers.programs.tests_schema import (
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


def blocks(language: str) -> list[str]:
    """Return the page's fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


FIRST_TASK = yaml.safe_load(blocks("yaml")[0])
"""The page's first example, a whole task; the others are parts of tasks."""
RIGHT_PROGRAM = (
    "```python\ndef f(x, scale=1):\n    return x * x * scale\n"
    "if __name__ == '__main__':\n    print(f(int(input())))\n```"
)
"""Passes the tests of every example that has tests."""


def completed(example: dict[str, Any]) -> dict[str, Any]:
    """Return an example as a whole task, with what it lacks from the page's first one."""
    problem = {**FIRST_TASK["problem"], **example.get("problem", {})}
    return {**FIRST_TASK, **example, "problem": problem}


@pytest.fixture
def page_files(tmp_path: Path) -> Path:
    """A folder with the files that the page shows: rows, labelled cases and a module with functions."""
    rows, cases = blocks("jsonl")
    (tmp_path / "capitals.jsonl").write_text(rows)
    (tmp_path / "capitals.cases.jsonl").write_text(cases)
    (tmp_path / "mine.py").write_text(blocks("python")[0])
    return tmp_path


def first_line(text: str) -> str:
    return text.splitlines()[0][:50]


@pytest.mark.parametrize("text", blocks("yaml"), ids=first_line)
def test_every_example_of_the_page_is_a_task(page_files: Path, text: str) -> None:
    path = page_files / "task.yaml"
    path.write_text(yaml.safe_dump(completed(yaml.safe_load(text))))
    task = load_task(path)
    scheme = MarkScheme(task)
    is_on_the_hub = task.data.path is not None and not (page_files / task.data.path).exists()
    if is_on_the_hub or task.sandbox is not None:
        return  # its data, or its sandbox, is elsewhere
    problem = load_problems(task, split="train")[0]
    scheme.check_references([problem])
    if problem.tests is not None:
        right_text = RIGHT_PROGRAM
    else:
        right_text = rf"<think>I know it.</think>\boxed{{{problem.references[0]}}}"
    completions = [Completion(right_text), Completion("no idea")]
    right, wrong = scheme.score([problem, problem], completions)
    assert all(part.status != "bug" for part in right.parts.values()), right
    assert scheme.is_right(right) is True, right
    assert scheme.is_right(wrong) is False, wrong


def test_the_labelled_cases_of_the_page_are_marked_as_labelled(page_files: Path) -> None:
    path = page_files / "capitals.yaml"
    path.write_text(blocks("yaml")[0])
    task = load_task(path)
    outcomes = run_cases(task, MarkScheme(task), page_files / "capitals.cases.jsonl")
    assert [(one.label, one.mark) for one in outcomes] == [(True, True), (False, False)]


MODELS = [
    Task,
    DataSource,
    ProblemTemplates,
    RewardEntry,
    ProcessEntry,
    SandboxConfig,
    Limits,
    StepOptions,
    Asserts,
    CallCase,
    Calls,
    Stdio,
    StdioCase,
    Unittest,
    Pytest,
]
"""The classes whose fields are keys of a task file."""


def keys_of(model: type) -> Iterator[str]:
    if issubclass(model, BaseModel):
        yield from model.model_fields
    else:
        yield from (field.name for field in dataclasses.fields(model))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_page_mentions_every_key(model: type) -> None:
    examples = "\n".join(blocks("yaml"))
    missing = [
        key for key in keys_of(model) if f"`{key}`" not in PAGE and not re.search(rf"\b{key}:", examples)
    ]
    assert missing == []


def test_the_page_mentions_every_status() -> None:
    assert [status for status in Status if status != "ok" and f"`{status}`" not in PAGE] == []


def test_the_rows_of_the_page_are_json() -> None:
    assert all(json.loads(line) for block in blocks("jsonl") for line in block.splitlines())
