"""Credit in process mode: from the scores of groups to advantages of tokens, and into the gradient."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gradients import config_of, distance, learner_gradients, plain_gradients
from markscheme.rewards import MarkScheme
from markscheme.tasks import Problem, load_task
from markscheme.trainer import outcome_advantages, process_advantages
from markscheme.trainer.config.algorithm_config import AlgorithmConfig
from markscheme.trainer.config.run_config import SamplingConfig
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.loop.credit import Credit, credits_of
from markscheme.trainer.loop.rollout import Group, LoadedTask
from markscheme.trainer.models.policy import Policy
from markscheme.trainer.models.prompts import encode_prompt
from markscheme.trainer.objective.process_advantages import StepSettings, pooled_spread
from markscheme.trainer.objective.settings import Ratio, Std
from markscheme.verifiers.steps.token_positions import step_ends
from small_runs import LETTER_STEPS

STEP_DIGITS = f"use: 'mine.py:step_digits', split: {LETTER_STEPS}"


class ScoredGroups(NamedTuple):
    """Three groups of four completions of the policy, with their scores and the task that scored them."""

    groups: list[Group]
    loaded: LoadedTask
    policy: Policy

    def credits(self, step: int = 1, **algorithm: Any) -> list[list[Credit]]:
        """Return the credit of every completion; in process mode unless `algorithm` says otherwise."""
        config = AlgorithmConfig.model_validate({"mode": "process", "kl_coef": 0.0, **algorithm})
        return credits_of(self.groups, {"digits": self.loaded}, config, self.policy.tokenizer, step)

    def tokens(self, step: int = 1, **algorithm: Any) -> list[list[list[float] | None]]:
        """Return the advantages of the tokens of every completion."""
        return [[credit.advantages for credit in row] for row in self.credits(step, **algorithm)]


def scored_groups(folder: Path, policy: Policy, process: str, rewards: str | None = None) -> ScoredGroups:
    """Sample and score the groups.

    Args:
        folder: of the task.
        policy: what samples.
        process: the task's `process:`.
        rewards: the task's `rewards:`; None = as in the folder.
    """
    overrides = [f"process={process}"]
    if rewards is not None:
        overrides.append(f"rewards={rewards}")
    task = load_task(folder / "digits.yaml", overrides=overrides)
    scheme = MarkScheme(task)
    problems = [Problem(prompt=f"{i}+1=", reference=str(i + 1)) for i in range(3)]
    prompts = [encode_prompt(policy, task, problem, max_new_tokens=24) for problem in problems]
    sampled = HfEngine(policy).groups(prompts, 4, SamplingConfig(max_new_tokens=24), seed=3)
    groups = []
    for problem, completions in zip(problems, sampled, strict=True):
        scores = scheme.score([problem] * 4, completions)
        groups.append(Group(task.name, problem, completions, scores))
    return ScoredGroups(groups, LoadedTask(task, scheme, problems, prompts), policy)


@pytest.fixture
def policy(policies: dict[str, Policy]) -> Policy:
    return policies["llama"]


@pytest.mark.parametrize("std", ["population", "sample", "batch", "none"])
@pytest.mark.parametrize("tail", ["extend", "zero"])
def test_tokens_get_the_outcome_and_the_weighted_steps(
    step_task_folder: Path, policy: Policy, std: Std, tail: Any
) -> None:
    process = f"{{{STEP_DIGITS}, weight: 0.5, gate: false, tail: {tail}}}"
    scored = scored_groups(step_task_folder, policy, process)
    marks = [[[mark.value or 0.0 for mark in s.steps or []] for s in group.scores] for group in scored.groups]
    std_of_steps: Std | float = std
    if std == "batch":
        std_of_steps = pooled_spread(marks, StepSettings("clip", "outputs"))
    outcomes = outcome_advantages([group.rewards for group in scored.groups], std=std, eps=0.1)
    all_credits = scored.credits(std=std, eps=0.1)
    for group, marks_of_group, outcome, row in zip(scored.groups, marks, outcomes, all_credits, strict=True):
        ends = []
        for completion, score in zip(group.completions, group.scores, strict=True):
            steps = [mark.step for mark in score.steps or []]
            ends.append(step_ends(completion.token_ids, completion.text, steps, policy.tokenizer, tail=tail))
        assert [credit.ends for credit in row] == ends
        lengths = [len(completion.token_ids) for completion in group.completions]
        of_steps = process_advantages(
            marks_of_group, ends, lengths, credit="clip", pool="outputs", std=std_of_steps, eps=0.1
        )
        for i, credit in enumerate(row):
            assert credit.advantages is not None
            expected = 0.5 * of_steps[i, : lengths[i]] + outcome[i]
            assert credit.advantages == pytest.approx(expected.tolist(), abs=1e-12)


def test_the_gate_follows_the_verdict_of_the_scheme(step_task_folder: Path, policy: Policy) -> None:
    process = f"{{{STEP_DIGITS}, outcome: false, credit: sum}}"
    rewards = "{right: {use: regex, pattern: '.*[0-4].*'}, digits: {use: 'mine.py:digits'}}"
    scored = scored_groups(step_task_folder, policy, process, rewards)
    is_right = scored.loaded.scheme.is_right
    verdicts = [is_right(score) for group in scored.groups for score in group.scores]
    assert set(verdicts) == {True, False}
    tokens = [of_completion for row in scored.tokens() for of_completion in row]
    for right, advantages in zip(verdicts, tokens, strict=True):
        assert advantages is not None
        if right:
            assert min(advantages) >= 0
        else:
            assert max(advantages) <= 0
    assert any(any(advantages or ()) for advantages in tokens)


def test_the_weight_of_steps_may_change_over_training(step_task_folder: Path, policy: Policy) -> None:
    """It is 0 until step 5, where the tokens have the outcome's advantage only."""
    scored = scored_groups(step_task_folder, policy, f"{{{STEP_DIGITS}, weight: {{0: 0, 5: 1}}}}")
    outcome = scored.tokens(mode="outcome")
    assert scored.tokens(step=1) == outcome
    assert scored.tokens(step=5) != outcome


@pytest.mark.parametrize(("ratio", "form"), [("token", "token"), ("sequence", "sequence_token")])
def test_advantages_of_tokens_reach_the_gradient(
    step_task_folder: Path, policy: Policy, ratio: str, form: Ratio
) -> None:
    """Through the learner, in one chunk and in many; `sequence` needs the form with one advantage per token."""
    scored = scored_groups(step_task_folder, policy, f"{{{STEP_DIGITS}}}")
    completions = [completion for group in scored.groups for completion in group.completions]
    advantages = [of_completion for row in scored.tokens() for of_completion in row]
    algorithm = {"mode": "process", "ratio": ratio, "max_grad_norm": 1e9}
    expected = plain_gradients(policy, completions, advantages, config_of(algorithm=algorithm), ratio=form)
    for budget in (None, 60):
        config = config_of(algorithm=algorithm, microbatch_tokens=budget)
        gradients = learner_gradients(policy, completions, advantages, config)
        assert distance(gradients, expected, floor=2e-4) < 1e-5
