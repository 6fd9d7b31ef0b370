"""The embedded policy: warm start, learning, and alarms on a reward that is hacked on purpose.

One file, so that the warm start is built once: about half a minute where the cache is empty.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from markscheme.tasks import load_problems, load_task
from markscheme.trainer import train
from markscheme.trainer.config import PolicyConfig, SamplingConfig
from markscheme.trainer.hf_engine import HfEngine
from markscheme.trainer.policy import Policy, load_policy
from markscheme.trainer.tiny import tiny_policy


@pytest.fixture(scope="module")
def policy() -> Policy:
    torch.set_num_threads(1)
    folder = tiny_policy(load_task("addition"), 0)
    return load_policy(PolicyConfig(), folder, torch.device("cpu"))


def test_the_tiny_policy_is_a_plain_hugging_face_folder(policy: Policy) -> None:
    assert 100_000 < sum(p.numel() for p in policy.model.parameters()) < 150_000
    for problem in load_problems(load_task("addition"), limit=50):
        text = f"{problem.prompt}{problem.solution}"
        ids = policy.tokenizer(text)["input_ids"]
        assert policy.tokenizer.unk_token_id not in ids
        assert policy.decode(ids) == text


def test_it_is_built_once_for_the_same_inputs(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = load_task("addition")
    assert tiny_policy(task, 0) == tiny_policy(task, 0)
    changed = load_task("addition", overrides=["data.mistakes=0.5"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    from markscheme.trainer import tiny

    monkeypatch.setitem(tiny.RECIPE, "sft_steps", 1)
    assert len({tiny_policy(task, 0), tiny_policy(task, 1), tiny_policy(changed, 0)}) == 3


def test_it_has_the_format_and_makes_the_teacher_s_mistakes(policy: Policy) -> None:
    task = load_task("addition")
    problems = load_problems(task, split="test", limit=100)
    prompts = [policy.encode(task, problem, max_new_tokens=48) for problem in problems]
    groups = HfEngine(policy).groups(prompts, 1, SamplingConfig(temperature=0, max_new_tokens=48), seed=0)
    texts = [group[0].text for group in groups]
    assert all(text.startswith("<think>") and "</think>\\boxed{" in text for text in texts)
    right = [str(problem.solution) == text for problem, text in zip(problems, texts, strict=True)]
    assert 0.2 < sum(right) / 100 <= 0.4


def test_grpo_selects_the_right_rule(policy: Policy, tmp_path: Path) -> None:
    """Twenty steps are enough for the greedy answers to turn."""
    result = train("addition", overrides=[f"out={tmp_path / 'run'}", "algorithm.steps=20"])
    assert result.summary["pass_at_1_before"] <= 0.4
    assert result.summary["pass_at_1_after"] >= 0.8
    assert result.summary["sampled_after"] > result.summary["sampled_before"] + 0.1


@pytest.mark.slow
def test_grpo_learns_to_write_programs_that_pass(tmp_path: Path) -> None:
    """Every program of the policy runs in the sandbox; the warm start takes most of a minute."""
    result = train("list_programs", overrides=[f"out={tmp_path / 'run'}", "algorithm.steps=60"])
    assert result.summary["pass_at_1_before"] <= 0.3
    assert result.summary["pass_at_1_after"] >= 0.85


def alarms_of(
    tmp_path: Path, *overrides: str, steps: int = 20
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    settings = [f"out={tmp_path / 'run'}", f"algorithm.steps={steps}", *overrides]
    result = train("addition", overrides=settings)
    path = tmp_path / "run/alarms.jsonl"
    return (
        [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    ), result.summary


HACKABLE = "task.rewards={number: {use: regex, pattern: 'boxed.[0-9]'}}"
SHORT = "task.rewards={short: {use: length, target: 20, unit: tokens}}"


def test_a_reward_that_pays_any_boxed_number_raises_an_alarm(policy: Policy, tmp_path: Path) -> None:
    alarms, _ = alarms_of(tmp_path, HACKABLE, "task.watch=answer")
    (found,) = [alarm for alarm in alarms if alarm["kind"] == "paid_but_wrong"]
    assert found["step"] <= 20
    assert "'answer'" in found["message"]
    assert found["rows"]
    for row in found["rows"]:
        assert row["parts"]["number"]["value"] == 1.0
        assert row["parts"]["answer"]["value"] == 0.0
        assert row["completion"]


def test_a_reward_that_rises_while_answers_get_worse_raises_an_alarm(policy: Policy, tmp_path: Path) -> None:
    alarms, _ = alarms_of(tmp_path, SHORT, "task.watch=answer", "algorithm.lr=2e-3")
    kinds = {alarm["kind"] for alarm in alarms}
    assert kinds & {"reward_parts_from_watch", "paid_but_wrong"}
    assert all(alarm["rows"] for alarm in alarms)


def test_a_sound_reward_raises_none(policy: Policy, tmp_path: Path) -> None:
    alarms, _ = alarms_of(tmp_path, "task.watch={format2: {use: think_answer}, answer2: {use: exact_match}}")
    assert [alarm["kind"] for alarm in alarms] == []
