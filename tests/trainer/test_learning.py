"""The tiny policy: its warm start, learning by GRPO, labels for steps, and alarms on a reward that is hacked.

All of this is one file, so that the warm start is built only once: about half a minute if the cache is empty.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gradients import CPU
from markscheme.rewards import MarkScheme
from markscheme.tasks import load_problems, load_task
from markscheme.trainer import train
from markscheme.trainer.commands.cli import main
from markscheme.trainer.config.run_config import PolicyConfig, SamplingConfig
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.models.built_in import tiny
from markscheme.trainer.models.built_in.tiny import tiny_policy
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import Policy
from markscheme.trainer.models.prompts import encode_prompt
from markscheme.trainer.reward_models.step_labels import Chain, chain_of, monte_carlo, monte_carlo_row
from small_runs import json_lines

ANSWER = SamplingConfig(max_new_tokens=48)
"""Room for every answer to `addition`."""


@pytest.fixture(scope="module")
def policy() -> Policy:
    torch.set_num_threads(1)
    return load_policy(PolicyConfig(), tiny_policy(load_task("addition"), 0), CPU)


def test_the_tiny_policy_is_a_plain_hugging_face_folder(policy: Policy) -> None:
    assert 100_000 < sum(p.numel() for p in policy.model.parameters()) < 150_000
    for problem in load_problems(load_task("addition"), limit=50):
        text = f"{problem.prompt}{problem.solution}"
        ids = policy.tokenizer(text)["input_ids"]
        assert policy.tokenizer.unk_token_id not in ids
        assert policy.decode(ids) == text


def test_the_tiny_policy_is_built_once_for_each_task_and_seed(
    policy: Policy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = load_task("addition")
    assert tiny_policy(task, 0) == tiny_policy(task, 0)
    changed = load_task("addition", overrides=["data.mistakes=0.5"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(tiny.RECIPE, "sft_steps", 1)  # a full warm start would take half a minute each
    assert len({tiny_policy(task, 0), tiny_policy(task, 1), tiny_policy(changed, 0)}) == 3


def test_the_tiny_policy_has_the_format_and_the_mistakes_of_its_teacher(policy: Policy) -> None:
    task = load_task("addition")
    problems = load_problems(task, split="test", limit=100)
    prompts = [encode_prompt(policy, task, problem, max_new_tokens=48) for problem in problems]
    greedy = SamplingConfig(temperature=0, max_new_tokens=48)
    texts = [group[0].text for group in HfEngine(policy).groups(prompts, 1, greedy, seed=0)]
    assert all(text.startswith("<think>") and "</think>\\boxed{" in text for text in texts)
    right = [str(problem.solution) == text for problem, text in zip(problems, texts, strict=True)]
    assert 0.2 < sum(right) / 100 <= 0.4


def test_grpo_selects_the_right_rule(policy: Policy, tmp_path: Path) -> None:
    """Twenty steps are enough for most greedy answers to become right."""
    result = train("addition", overrides=[f"out={tmp_path / 'run'}", "algorithm.steps=20"])
    assert result.summary["pass_at_1_before"] <= 0.4
    assert result.summary["pass_at_1_after"] >= 0.8
    assert result.summary["sampled_after"] > result.summary["sampled_before"] + 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("task", "before", "after"), [("records", 0.4, 0.9), ("deduction", 0.6, 0.9)])
def test_grpo_selects_it_in_other_tasks(task: str, before: float, after: float, tmp_path: Path) -> None:
    """JSON with numbers as numbers, and no conclusion from an effect to its cause."""
    result = train(task, overrides=[f"out={tmp_path / 'run'}", "algorithm.steps=60"])
    assert result.summary["pass_at_1_before"] <= before
    assert result.summary["pass_at_1_after"] >= after


def test_process_mode_selects_it_too(policy: Policy, tmp_path: Path) -> None:
    settings = [f"out={tmp_path / 'run'}", "algorithm.steps=20", "algorithm.mode=process"]
    result = train("addition", overrides=settings)
    assert result.summary["pass_at_1_after"] >= 0.8
    assert result.summary["sampled_after"] > result.summary["sampled_before"] + 0.1


@pytest.mark.slow
def test_grpo_learns_to_write_programs_that_pass(tmp_path: Path) -> None:
    """Every program of the policy runs in the sandbox; the warm start takes most of a minute."""
    result = train("list_programs", overrides=[f"out={tmp_path / 'run'}", "algorithm.steps=60"])
    assert result.summary["pass_at_1_before"] <= 0.3
    assert result.summary["pass_at_1_after"] >= 0.85


@pytest.fixture(scope="module")
def chains(policy: Policy) -> list[Chain]:
    """Three sampled answers to each of twelve problems, divided into their lines."""
    task = load_task("addition")
    problems = load_problems(task, limit=12)
    prompts = [encode_prompt(policy, task, problem, max_new_tokens=48) for problem in problems]
    groups = HfEngine(policy).groups(prompts, 3, ANSWER, seed=0)
    return [
        chain_of(problem, completion, policy, "lines")
        for problem, group in zip(problems, groups, strict=True)
        for completion in group
    ]


def test_monte_carlo_labels_are_the_shares_of_right_continuations(
    policy: Policy, chains: list[Chain]
) -> None:
    scheme = MarkScheme(load_task("addition"))
    count = monte_carlo(chains, 6, HfEngine(policy), policy, scheme, ANSWER, seed=1)
    prefixes = {chain.prefix(step) for chain in chains for step in range(len(chain.steps) - 1)}
    assert count == 6 * len(prefixes)
    chains_with_wrong_lines = 0
    for chain in chains:
        (score,) = scheme.score([chain.problem], [chain.completion])
        marks = [mark.value for mark in score.steps or []]
        assert len(chain.shares) == len(chain.steps) == len(marks)
        assert chain.shares[-1] == float(bool(scheme.is_right(score)))
        if 0.0 in marks:
            chains_with_wrong_lines += 1
            # After a forgotten carry no continuation is right, because it goes on from the wrong number.
            assert all(share == 0.0 for share in chain.shares[marks.index(0.0) :])
    assert chains_with_wrong_lines > 5
    assert any(share and share > 0.5 for chain in chains for share in chain.shares[:-1])
    row = monte_carlo_row(chains[-1], "q")
    assert row["labels"] == [share > 0 for share in row["shares"]]
    text = chains[-1].completion.text
    assert row["completions"] == [text[step.start : step.end] for step in chains[-1].steps]


def test_steps_that_leave_no_room_for_a_continuation_get_no_label(
    policy: Policy, chains: list[Chain]
) -> None:
    scheme = MarkScheme(load_task("addition"))
    chain = next(chain for chain in chains if len(chain.steps) > 2)
    # In a context of 128 there is room for the continuations of the first step only.
    prefix_ids = chain.prefix(0)[1]
    long = SamplingConfig(max_new_tokens=128 - len(prefix_ids))
    assert monte_carlo([chain], 2, HfEngine(policy), policy, scheme, long, seed=1) == 2
    assert chain.shares[0] is not None
    assert chain.shares[1:-1] == [None] * (len(chain.steps) - 2)


def test_the_command_line_labels_steps_and_trains_a_reward_model(
    policy: Policy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for by, options in (("monte_carlo", ["-k", "4"]), ("rule", [])):
        rows = tmp_path / f"{by}.jsonl"
        common = ["--limit", "40", "-n", "2", "--json"]
        assert main(["label", "addition", "-o", str(rows), "--by", by, *options, *common]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["rows"] == 80
        assert report["right"] > 0
        assert report["wrong"] > 0
    rows, folder = tmp_path / "rule.jsonl", tmp_path / "prm"
    training = ["--task", "addition", "--epochs", "2", "--held-out", "0.3", "--lr", "1e-3", "--json"]
    assert main(["train-prm", str(rows), "-o", str(folder), *training]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["trained_steps"] > 100
    assert report["held_out"]["steps"] > 20
    assert 0 <= report["held_out"]["auroc"] <= 1
    process = f"task.process={{use: prm, model: {json.dumps(str(folder))}}}"
    settings = [f"out={tmp_path / 'run'}", "algorithm.steps=2", "algorithm.mode=process", "eval=[]", process]
    assert train("addition", overrides=settings).summary["steps"] == 2
    assert main(["label", "addition", "-o", str(rows), "--set", "process=null", "--by", "rule"]) == 2
    assert "no `process:`" in capsys.readouterr().err
    assert main(["train-prm", str(rows), "-o", str(folder)]) == 2
    assert "needs --task" in capsys.readouterr().err


def alarms_of_run(out: Path, *overrides: str) -> list[dict[str, Any]]:
    """Train on `addition` for 20 steps and return the alarms of the run."""
    train("addition", overrides=[f"out={out}", "algorithm.steps=20", *overrides])
    return json_lines(out / "alarms.jsonl") if (out / "alarms.jsonl").exists() else []


def test_a_reward_that_pays_any_boxed_number_raises_an_alarm(policy: Policy, tmp_path: Path) -> None:
    hackable = "task.rewards={number: {use: regex, pattern: 'boxed.[0-9]'}}"
    alarms = alarms_of_run(tmp_path / "run", hackable, "task.watch=answer")
    (alarm,) = [alarm for alarm in alarms if alarm["kind"] == "paid_but_wrong"]
    assert alarm["step"] <= 20
    assert "'answer'" in alarm["message"]
    assert alarm["rows"]
    for row in alarm["rows"]:
        assert row["parts"]["number"]["value"] == 1.0
        assert row["parts"]["answer"]["value"] == 0.0
        assert row["completion"]


def test_a_reward_that_rises_while_answers_get_worse_raises_an_alarm(policy: Policy, tmp_path: Path) -> None:
    pays_for_short = "task.rewards={short: {use: length, target: 20, unit: tokens}}"
    alarms = alarms_of_run(
        tmp_path / "run", pays_for_short, "task.watch=answer", "algorithm.lr=2e-3", "algorithm.steps=32"
    )
    assert {alarm["kind"] for alarm in alarms} & {"reward_parts_from_watch", "paid_but_wrong"}
    assert all(alarm["rows"] for alarm in alarms)


def test_a_sound_reward_raises_no_alarm(policy: Policy, tmp_path: Path) -> None:
    watch = "task.watch={format2: {use: think_answer}, answer2: {use: exact_match}}"
    assert [alarm["kind"] for alarm in alarms_of_run(tmp_path / "run", watch)] == []
