"""The embedded policy: warm start, learning, and alarms on a reward that is hacked on purpose.

One file, so that the warm start is built once: about half a minute where the cache is empty.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from markscheme.rewards import MarkScheme
from markscheme.tasks import load_problems, load_task
from markscheme.trainer import train
from markscheme.trainer.commands.cli import main
from markscheme.trainer.config.run_config import PolicyConfig, SamplingConfig
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import Policy
from markscheme.trainer.models.tiny import tiny_policy
from markscheme.trainer.reward_models.step_labels import chain_of, monte_carlo, monte_carlo_row


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
    from markscheme.trainer.models import tiny

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


def test_process_mode_selects_it_too(policy: Policy, tmp_path: Path) -> None:
    settings = [f"out={tmp_path / 'run'}", "algorithm.steps=20", "algorithm.mode=process"]
    result = train("addition", overrides=settings)
    assert result.summary["pass_at_1_after"] >= 0.8
    assert result.summary["sampled_after"] > result.summary["sampled_before"] + 0.1


def test_monte_carlo_labels_are_what_the_continuations_say(policy: Policy) -> None:
    task = load_task("addition")
    scheme = MarkScheme(task)
    problems = list(load_problems(task, limit=12))
    prompts = [policy.encode(task, problem, max_new_tokens=48) for problem in problems]
    engine, sampling = HfEngine(policy), SamplingConfig(max_new_tokens=48)
    groups = engine.groups(prompts, 3, sampling, seed=0)
    chains = [
        chain_of(problem, completion, policy, "lines")
        for problem, group in zip(problems, groups, strict=True)
        for completion in group
    ]
    count = monte_carlo(chains, 6, engine, policy, scheme, sampling, seed=1)
    prefixes = {chain.prefix(step) for chain in chains for step in range(len(chain.steps) - 1)}
    assert count == 6 * len(prefixes)
    wrong_lines = 0
    for chain in chains:
        (score,) = scheme.score([chain.problem], [chain.completion])
        marks = [mark.value for mark in score.steps or []]
        assert len(chain.shares) == len(chain.steps) == len(marks)
        assert chain.shares[-1] == float(bool(scheme.is_right(score)))
        broken = marks.index(0.0) if 0.0 in marks else len(marks)
        # Behind a forgotten carry no continuation is right: the trace goes on from what it says.
        assert all(share == 0.0 for share in chain.shares[broken:])
        wrong_lines += broken < len(marks)
    assert wrong_lines > 5
    assert any(share and share > 0.5 for chain in chains for share in chain.shares[:-1])
    some = [chain for chain in chains if len(chain.steps) > 2][:1]
    # Room for the first step's continuations only, in a context of 128.
    longer = SamplingConfig(max_new_tokens=128 - len(some[0].prefix(0)[1]))
    assert monte_carlo(some, 2, engine, policy, scheme, longer, seed=1) == 2
    assert some[0].shares[0] is not None
    assert some[0].shares[1:-1] == [None] * (len(some[0].steps) - 2)
    row = monte_carlo_row(chains[-1], "q")
    assert row["labels"] == [share > 0 for share in row["shares"]]
    assert row["completions"] == [
        chains[-1].completion.text[step.start : step.end] for step in chains[-1].steps
    ]


def test_steps_are_labelled_and_a_model_is_trained_from_the_command_line(
    policy: Policy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for by, more in (("monte_carlo", ["-k", "4"]), ("rule", [])):
        rows = tmp_path / f"{by}.jsonl"
        common = ["--limit", "40", "-n", "2", "--json"]
        assert main(["label", "addition", "-o", str(rows), "--by", by, *more, *common]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["rows"] == 80
        assert told["right"] > 0
        assert told["wrong"] > 0
    folder = tmp_path / "prm"
    training = ["--task", "addition", "--epochs", "2", "--held-out", "0.3", "--lr", "1e-3", "--json"]
    assert main(["train-prm", str(rows), "-o", str(folder), *training]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["trained_steps"] > 100
    assert told["held_out"]["steps"] > 20
    assert 0 <= told["held_out"]["auroc"] <= 1
    process = f"task.process={{use: prm, model: {json.dumps(str(folder))}}}"
    settings = [f"out={tmp_path / 'run'}", "algorithm.steps=2", "algorithm.mode=process", "eval=[]", process]
    assert train("addition", overrides=settings).summary["steps"] == 2
    assert main(["label", "addition", "-o", str(rows), "--set", "process=null", "--by", "rule"]) == 2
    assert "no `process:`" in capsys.readouterr().err
    assert main(["train-prm", str(rows), "-o", str(folder)]) == 2
    assert "needs --task" in capsys.readouterr().err


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
