"""Sampling a task with a model, outside training: the baseline that everyone runs first."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...rewards.scheme import MarkScheme
from ...sandbox.errors import DataError
from ...tasks.problems import load_problems
from ...tasks.schema import Task
from ..config.run_config import EngineConfig, PolicyConfig, SamplingConfig
from ..engines.make import make_engine
from ..loop.evaluation import evaluate
from ..loop.rollout import LoadedTask, group_is_flat
from ..models.policy import Policy, choose_device, load_policy, quiet
from ..models.tiny import one_thread, tiny_policy


def policy_for(task: Task, model: str, *, seed: int = 0, device: str = "auto") -> Policy:
    """Load a model by name; `tiny` is built for the task."""
    with quiet():
        source: str | Path = tiny_policy(task, seed) if model == "tiny" else model
    return load_policy(PolicyConfig(model=model), source, choose_device(device))


def sample_task(
    task: Task,
    model: str,
    *,
    n: int,
    split: str,
    limit: int,
    seed: int,
    temperature: float,
    top_p: float,
    max_new_tokens: int,
    device: str,
    engine: EngineConfig,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Sample `n` completions of each problem.

    Returns:
        The figures (pass@k with intervals, share of mixed groups), and one completion row each.

    Raises:
        DataError: a temperature of 0 with several completions, which would all be one.
    """
    if temperature == 0 and n > 1:
        raise DataError(
            f"temperature 0 gives the same completion {n} times; use -n 1 or a positive temperature"
        )
    try:
        sampling = SamplingConfig(temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise DataError(f"{detail['loc'][0]}: {detail['msg']} (given: {detail['input']})") from error
    scheme = MarkScheme(task, process=False)
    problems = load_problems(task, split=split, limit=limit)
    scheme.check_references(problems)
    policy = policy_for(task, model, seed=seed, device=device)
    prompts = [policy.encode(task, problem, max_new_tokens=max_new_tokens) for problem in problems]
    loaded = LoadedTask(task, scheme, problems, prompts)
    sampler = make_engine(engine, policy)
    try:
        sampler.sync(policy, 0)
        with one_thread():
            figures, groups = evaluate(sampler, loaded, n, sampling, seed=seed, greedy=False)
    finally:
        sampler.close()
    figures["mixed_groups"] = sum(not group_is_flat(group) for group in groups) / len(groups)
    rows = [
        {
            "schema": 1,
            "task": task.name,
            "problem": group.problem.id,
            "split": split,
            "model": model,
            "completion": completion.text,
            "prefill": completion.prefill,
            "token_ids": completion.token_ids,
            "finish_reason": completion.finish_reason,
        }
        for group in groups
        for completion in group.completions
    ]
    return figures, rows
