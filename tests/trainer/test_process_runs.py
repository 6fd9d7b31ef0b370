"""Runs in process mode on a small random policy: steps marked, placed on sampled ids, learned from."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from markscheme.rewards import MarkScheme, Score
from markscheme.rewards.score import StepMark
from markscheme.sandbox import RunError, TaskError
from markscheme.tasks import Problem, load_problems, load_task
from markscheme.trainer import outcome_advantages, policy_loss, process_advantages, train
from markscheme.trainer.config.algorithm_config import AlgorithmConfig
from markscheme.trainer.config.run_config import PolicyConfig, RunConfig, SamplingConfig
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.loop.credit import credits_of
from markscheme.trainer.loop.learner import Learner
from markscheme.trainer.loop.rollout import Group, LoadedTask, ProblemOrder, group_is_flat
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import Policy
from markscheme.verifiers.steps.split import whole
from markscheme.verifiers.steps.token_positions import step_ends
from support import small_policy

MINE = """
import math
from markscheme.rewards import reward
from markscheme.sandbox import InfraError

@reward("digits")
def digits(problem, completion):
    return sum(c.isdigit() for c in completion.text) / max(len(completion.text), 1)

@reward("step_digits", steps=True)
def step_digits(problem, completion, steps):
    return [sum(c.isdigit() for c in step) / len(step) for step in steps]

@reward("half_down", steps=True)
def half_down(problem, completion, steps):
    if "a" in completion.text:
        raise InfraError("down")
    return [0.5] * len(steps)

@reward("too_few", steps=True)
def too_few(problem, completion, steps):
    return [1.0] * (len(steps) + 1)
"""
SEPARATOR = "{by: separator, separator: e}"
"""A random policy writes a letter more often than a line break."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a task that marks steps, and a policy."""
    (tmp_path / "mine.py").write_text(MINE)
    rows = [{"prompt": f"{i}+{j}=", "reference": str(i + j)} for i in range(6) for j in range(6)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "digits.yaml").write_text(
        "name: digits\ndata: {path: rows.jsonl, held_out: 0.3}\nproblem: {reference: '{{ reference }}'}\n"
        f"rewards: {{digits: {{use: 'mine.py:digits'}}}}\n"
        f"process: {{use: 'mine.py:step_digits', split: {SEPARATOR}}}\n"
    )
    small_policy(tmp_path / "policy")
    return tmp_path


def config(place: Path, out: str = "run", **more: Any) -> dict[str, Any]:
    algorithm = {
        "mode": "process",
        "group_size": 4,
        "groups_per_step": 3,
        "steps": 4,
        "lr": 3e-3,
        "kl_coef": 0.01,
    }
    return {
        "tasks": [str(place / "digits.yaml")],
        "policy": {"model": str(place / "policy")},
        "sampling": {"max_new_tokens": 16},
        "save": {"every": 2},
        "out": str(place / out),
        **more,
        "algorithm": {**algorithm, **more.get("algorithm", {})},
    }


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith("time_")} for row in rows]


def scores(folder: Path) -> list[dict[str, Any]]:
    shards = sorted((folder / "scores").glob("*.gz"))
    return [
        json.loads(line) for s in shards for line in gzip.decompress(s.read_bytes()).decode().splitlines()
    ]


def test_a_run_tells_of_its_steps(place: Path) -> None:
    folder = train(config(place)).folder
    for row in lines(folder, "metrics.jsonl"):
        assert row["steps"] >= 1
        assert 0 <= row["step_mark"] <= 1
        assert row["steps_unjudged"] == 0
        assert row["part/process"] is not None
    rows = scores(folder)
    assert len(rows) == 48
    several = [row for row in rows if len(row["steps"]) > 1]
    assert several
    for row in rows:
        assert all(len({*step} & {"advantage"}) == 1 for step in row["steps"])
        text = row["completion"]
        for step in row["steps"]:
            piece = text[step["start"] : step["end"]]
            if row["status"] == "ok" and step["status"] == "ok":
                assert step["value"] == pytest.approx(sum(c.isdigit() for c in piece) / len(piece))
    assert any(len({step["advantage"] for step in row["steps"]}) > 1 for row in several)


def test_a_run_goes_on_as_if_it_had_never_stopped(place: Path) -> None:
    whole = train(config(place, "whole")).folder
    part = train(config(place, "part", algorithm={"steps": 2})).folder
    train(part, resume=True, overrides=["algorithm.steps=4"])
    one, two = (load_file(folder / "final/model.safetensors") for folder in (whole, part))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert lines(whole, "metrics.jsonl") == lines(part, "metrics.jsonl")


def test_a_task_that_marks_no_steps_is_refused_before_anything_is_written(place: Path) -> None:
    task = (place / "digits.yaml").read_text()
    (place / "plain.yaml").write_text("\n".join(line for line in task.splitlines() if "process" not in line))
    with pytest.raises(TaskError, match="add a `process:`"):
        train({**config(place), "tasks": [str(place / "plain.yaml")]})
    assert not (place / "run").exists()


def test_rows_that_we_failed_to_mark_are_left_out_and_bugs_stop_the_run(place: Path) -> None:
    folder = train(config(place), overrides=["task.process={use: 'mine.py:half_down'}"]).folder
    rows = scores(folder)
    down = [row for row in rows if "a" in row["completion"]]
    assert down
    assert all(row["parts"]["process"]["status"] == "infra_error" and row["advantage"] == 0 for row in down)
    with pytest.raises(RunError, match="'process' failed"):
        train(config(place, "bugs"), overrides=["task.process={use: 'mine.py:too_few'}"])


@pytest.mark.parametrize("ratio", ["token", "sequence", "none"])
@pytest.mark.parametrize("aggregate", ["sequence_mean", "token_mean", "constant"])
def test_every_ratio_and_aggregation_learns(place: Path, ratio: str, aggregate: str) -> None:
    algorithm = {"ratio": ratio, "aggregate": aggregate, "steps": 2, "inner_updates": 2, "minibatches": 2}
    folder = train(config(place, algorithm=algorithm)).folder
    rows = lines(folder, "metrics.jsonl")
    assert all(row["grad_norm"] > 0 for row in rows)


# From groups to tokens, and into the loss.


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    folder = small_policy(tmp_path_factory.mktemp("policy"))
    return load_policy(PolicyConfig(), folder, torch.device("cpu"))


def groups_of(place: Path, policy: Policy, process: str, rewards: str = "") -> tuple[list[Group], LoadedTask]:
    overrides = [f"process={process}", *([f"rewards={rewards}"] if rewards else [])]
    task = load_task(place / "digits.yaml", overrides=overrides)
    scheme = MarkScheme(task)
    problems = [Problem(prompt=f"{i}+1=", reference=str(i + 1)) for i in range(3)]
    prompts = [policy.encode(task, problem, max_new_tokens=24) for problem in problems]
    sampled = HfEngine(policy).groups(prompts, 4, SamplingConfig(max_new_tokens=24), seed=3)
    groups = []
    for problem, completions in zip(problems, sampled, strict=True):
        group = Group(task.name, problem, completions)
        group.scores = scheme.score([problem] * 4, completions)
        groups.append(group)
    return groups, LoadedTask(task, scheme, problems, prompts)


def algorithm(**more: Any) -> AlgorithmConfig:
    return AlgorithmConfig.model_validate({"mode": "process", "kl_coef": 0.0, **more})


@pytest.mark.parametrize("std", ["population", "sample", "batch", "none"])
@pytest.mark.parametrize("tail", ["extend", "zero"])
def test_credits_are_outcome_and_steps_on_their_tokens(
    place: Path, policy: Policy, std: str, tail: str
) -> None:
    process = f"{{use: 'mine.py:step_digits', split: {SEPARATOR}, weight: 0.5, gate: false, tail: {tail}}}"
    groups, loaded = groups_of(place, policy, process)
    found = credits_of(groups, {"digits": loaded}, algorithm(std=std, eps=0.1), policy.tokenizer, 1)
    outcomes = outcome_advantages([group.rewards for group in groups], std=std, eps=0.1)  # type: ignore[arg-type]
    for group, row, outcome in zip(groups, found, outcomes, strict=True):
        ends = []
        for completion, score in zip(group.completions, group.scores, strict=True):
            steps = [mark.step for mark in score.steps or []]
            ends.append(step_ends(completion.token_ids, completion.text, steps, policy.tokenizer, tail=tail))  # type: ignore[arg-type]
        assert [credit.ends for credit in row] == ends
        if std == "batch":
            continue
        marks = [[mark.value or 0.0 for mark in score.steps or []] for score in group.scores]
        lengths = [len(completion.token_ids) for completion in group.completions]
        wanted = process_advantages(
            marks,
            ends,
            lengths,
            credit="clip",
            pool="outputs",
            std=std,  # type: ignore[arg-type]
            eps=0.1,
        )
        for i, credit in enumerate(row):
            assert credit.advantages is not None
            joined = 0.5 * wanted[i, : lengths[i]] + outcome[i]
            assert credit.advantages == pytest.approx(joined.tolist(), abs=1e-12)


def test_the_gate_goes_by_the_scheme_s_own_verdict(place: Path, policy: Policy) -> None:
    process = f"{{use: 'mine.py:step_digits', split: {SEPARATOR}, outcome: false, credit: sum}}"
    rewards = "{right: {use: regex, pattern: '.*[0-4].*'}, digits: {use: 'mine.py:digits'}}"
    groups, loaded = groups_of(place, policy, process, rewards)
    labels = [[loaded.scheme.is_right(score) for score in group.scores] for group in groups]
    assert {label for row in labels for label in row} == {True, False}
    found = credits_of(groups, {"digits": loaded}, algorithm(), policy.tokenizer, 1)
    for row, told in zip(found, labels, strict=True):
        for credit, label in zip(row, told, strict=True):
            assert credit.advantages is not None
            assert all(a >= 0 for a in credit.advantages) if label else all(a <= 0 for a in credit.advantages)
    assert any(any(credit.advantages or ()) for row in found for credit in row)


def test_the_weight_may_change_over_training(place: Path, policy: Policy) -> None:
    process = f"{{use: 'mine.py:step_digits', split: {SEPARATOR}, weight: {{0: 0, 5: 1}}}}"
    groups, loaded = groups_of(place, policy, process)
    early, late = (
        credits_of(groups, {"digits": loaded}, algorithm(), policy.tokenizer, step) for step in (1, 5)
    )
    outcome = credits_of(groups, {"digits": loaded}, algorithm(mode="outcome"), policy.tokenizer, 1)
    assert [[c.advantages for c in row] for row in early] == [[c.advantages for c in row] for row in outcome]
    assert [[c.advantages for c in row] for row in late] != [[c.advantages for c in row] for row in outcome]


@pytest.mark.parametrize("ratio", ["token", "sequence"])
def test_advantages_of_tokens_reach_the_gradient_whole_or_in_chunks(
    place: Path, policy: Policy, ratio: str
) -> None:
    """Through the learner, in one pass and in many, against the plain computation."""
    groups, loaded = groups_of(place, policy, f"{{use: 'mine.py:step_digits', split: {SEPARATOR}}}")
    earned = credits_of(groups, {"digits": loaded}, algorithm(), policy.tokenizer, 1)
    completions = [completion for group in groups for completion in group.completions]
    tokens: list[Sequence[float] | None] = [credit.advantages for row in earned for credit in row]

    def learned(budget: int | None) -> dict[str, torch.Tensor]:
        settings = {"mode": "process", "kl_coef": 0.0, "ratio": ratio, "max_grad_norm": 1e9}
        run = RunConfig.model_validate({"tasks": ["x"], "algorithm": settings, "microbatch_tokens": budget})
        learner = Learner(policy, None, run)
        found: dict[str, torch.Tensor] = {}
        learner.optimizer.step = lambda: found.update(  # type: ignore[method-assign]
            (n, p.grad.clone()) for n, p in policy.model.named_parameters() if p.grad is not None
        )
        learner.learn(completions, tokens, 1, exact=False)
        return found

    width = max(len(c.token_ids) for c in completions)
    rows, advantages, mask = [], torch.zeros(12, width), torch.zeros(12, width)
    for i, (c, row) in enumerate(zip(completions, tokens, strict=True)):
        ids = torch.tensor([*c.prompt_token_ids, *c.token_ids])
        logits = policy.model(input_ids=ids[None]).logits[0, len(c.prompt_token_ids) - 1 : -1]
        picked = torch.log_softmax(logits.float(), -1).gather(-1, torch.tensor(c.token_ids)[:, None])[:, 0]
        rows.append(torch.nn.functional.pad(picked, (0, width - len(picked))))
        advantages[i, : len(c.token_ids)] = torch.tensor(row)
        mask[i, : len(c.token_ids)] = 1
    logprobs = torch.stack(rows)
    form: Any = "sequence_token" if ratio == "sequence" else ratio
    loss, _ = policy_loss(logprobs, logprobs.detach(), advantages, mask, ratio=form)
    policy.model.zero_grad()
    loss.backward()
    wanted = {n: p.grad.clone() for n, p in policy.model.named_parameters() if p.grad is not None}
    largest = max(float(g.norm()) for g in wanted.values())
    for found in (learned(None), learned(60)):
        for name, gradient in wanted.items():
            assert float((found[name] - gradient).norm()) <= 1e-5 * max(
                float(gradient.norm()), 1e-3 * largest
            )


Marks = list[float | None]


def scored(rewards: list[float | None], marks: list[Marks] | None = None) -> Group:
    """A group with these rewards, and these marks of each completion's steps."""
    scores = [
        Score(value, steps=[StepMark(whole("x"), mark) for mark in of_steps])
        for value, of_steps in zip(rewards, marks or [[] for _ in rewards], strict=True)
    ]
    return Group("digits", Problem(prompt="1+1="), [], scores)


@pytest.mark.parametrize(
    ("rewards", "marks", "flat"),
    [
        ([1.0, 1.0], None, True),
        ([1.0, 0.0], None, False),
        ([1.0, None, 1.0], None, True),
        ([None, None], None, True),
        ([1.0, 1.0 + 1e-15], None, False),
        ([1.0, 1.0], [[0.5, 0.5], [0.5]], True),
        ([1.0, 1.0], [[0.5, None], [0.5]], True),
        ([1.0, 1.0], [[0.5, 0.4], [0.5]], False),
        ([1.0, None], [[0.5], [0.4]], True),
    ],
)
def test_a_flat_group_has_equal_rewards_and_equal_marks(
    rewards: list[float | None], marks: list[Marks] | None, flat: bool
) -> None:
    assert group_is_flat(scored(rewards, marks)) is flat


def test_what_a_flat_group_says_of_advantages() -> None:
    """Those of the outcome are 0. Under `clip`, those of the steps need not be."""
    group = scored([1.0, 1.0], [[0.0, 0.0], [0.0]])
    assert group_is_flat(group)
    assert not outcome_advantages(group.rewards).any()
    assert process_advantages([[0.0, 0.0], [0.0]], [[0, 1], [0]], [2, 1], credit="clip").any()
    # Nor does every other group have outcome advantages.
    only_marks_differ = scored([1.0, 1.0], [[0.5], [0.4]])
    assert not group_is_flat(only_marks_differ)
    assert not outcome_advantages(only_marks_differ.rewards).any()


def test_the_order_of_problems_depends_on_seed_step_and_cursors_only() -> None:
    task = load_task("addition")
    scheme, problems = MarkScheme(task), load_problems(task, limit=5)
    tasks = {name: LoadedTask(task, scheme, problems, [], share) for name, share in (("a", 3.0), ("b", 1.0))}

    def taken(step: int, seed: int = 0, cursors: dict[str, int] | None = None) -> list[tuple[str, int]]:
        return ProblemOrder(tasks, seed, cursors).take(40, step)

    assert taken(1) == taken(1)
    assert taken(1) != taken(2)  # the step decides which tasks are drawn
    assert taken(1) != taken(1, seed=1)
    assert taken(1) != taken(1, cursors={"a": 1})
    order = ProblemOrder(tasks, 0)
    first, second = order.take(40, 1), order.take(40, 2)
    counts = {name: sum(name == drawn for drawn, _ in first) for name in tasks}
    assert taken(2, cursors=counts) == second  # as a resumed run would
    assert order.cursors["a"] > order.cursors["b"]
    of_a = [index for name, index in first + second if name == "a"]
    passes = [of_a[i : i + 5] for i in range(0, len(of_a) - 4, 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len({tuple(one) for one in passes}) > 1
