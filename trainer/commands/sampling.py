"""`markscheme sample`: completions of a task by a model, outside training, and the baseline pass@k."""

import argparse
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...rewards.models.torch_runtime import choose_device, quiet
from ...rewards.rows import write_jsonl
from ...rewards.scheme import MarkScheme
from ...sandbox.errors import DataError, TaskError
from ...tasks.load import load_task
from ...tasks.problems import load_problems
from ...tasks.schema import Task
from ...tasks.validation import first_fault
from ..config.run_config import EngineConfig, PolicyConfig, SamplingConfig
from ..engines.make import make_engine
from ..loop.evaluation import evaluate
from ..loop.rollout import Group, LoadedTask, group_is_flat
from ..models.load_policy import load_policy
from ..models.policy import Policy
from ..models.tiny import one_thread, tiny_policy
from .output import GOOD, show


def policy_for(task: Task, model: str, *, seed: int = 0, device: str = "auto") -> Policy:
    """Load a model by name; `tiny` is built for the task."""
    with quiet():
        source: str | Path = tiny_policy(task, seed) if model == "tiny" else model
    return load_policy(PolicyConfig(model=model), source, choose_device(device))


def sampling_of(**settings: Any) -> SamplingConfig:
    """Return sampling settings as a command gives them.

    Raises:
        DataError: one is out of its range.
    """
    try:
        return SamplingConfig(**settings)
    except ValidationError as error:
        raise DataError(str(first_fault(error))) from error


def engine_of(args: argparse.Namespace) -> EngineConfig:
    """Return the engine that a command's `--engine` and `--url` name.

    Raises:
        TaskError: servers are named for an engine that uses none.
    """
    if args.url and args.engine != "vllm_http":
        raise TaskError(
            f"{args.command}: --url names vLLM servers and needs --engine vllm_http (given: {args.engine})"
        )
    return EngineConfig(kind=args.engine, urls=tuple(args.url))


def sample(args: argparse.Namespace) -> int:
    """Sample completions and print the baseline."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    if args.temperature == 0 and args.n > 1:
        raise DataError(
            f"temperature 0 gives the same completion {args.n} times; use -n 1 or a positive temperature"
        )
    sampling = sampling_of(temperature=args.temperature, top_p=args.top_p, max_new_tokens=args.max_new_tokens)
    figures, groups = _sampled(args, task, sampling)
    if args.output:
        write_jsonl(Path(args.output), [row for group in groups for row in _rows(group, args.split)])
    low, high = figures["sampled_interval"]
    above_1 = (f"pass@{k} {share:.3f}" for k, share in figures["pass_at_k"].items() if k > 1)
    lines = [
        f"{figures['problems']} problems of {task.name}/{args.split}, {args.n} completions"
        f" each, by {args.model}",
        f"  pass@1 {figures['sampled_pass_at_1']:.3f} [{low:.3f}, {high:.3f}]; {', '.join(above_1)}",
        f"  mixed groups (their rewards differ, so GRPO can learn from them): {figures['mixed_groups']:.0%};"
        f" {figures['undecided']} completions undecided; {figures['tokens']:.0f} tokens on average",
    ]
    if args.output:
        lines.append(f"  written to {args.output}")
    show(args, figures, lines)
    return GOOD


def _sampled(
    args: argparse.Namespace, task: Task, sampling: SamplingConfig
) -> tuple[dict[str, Any], list[Group]]:
    """Return the figures (pass@k with intervals, share of mixed groups), and the sampled groups."""
    scheme = MarkScheme(task, process=False)
    problems = load_problems(task, split=args.split, limit=args.limit)
    scheme.check_references(problems)
    engine_config = engine_of(args)
    policy = policy_for(task, args.model, seed=args.seed, device=args.device)
    prompts = [policy.encode(task, problem, max_new_tokens=args.max_new_tokens) for problem in problems]
    loaded = LoadedTask(task, scheme, problems, prompts)
    engine = make_engine(engine_config, policy)
    try:
        engine.sync(policy, 0)
        with one_thread():
            figures, groups = evaluate(engine, loaded, args.n, sampling, seed=args.seed, greedy=False)
    finally:
        engine.close()
    figures["mixed_groups"] = sum(not group_is_flat(group) for group in groups) / len(groups)
    return figures, groups


def _rows(group: Group, split: str) -> list[dict[str, Any]]:
    return [
        {
            "schema": 1,
            "task": group.task,
            "problem": group.problem.id,
            "split": split,
            "completion": completion.text,
            "prefill": completion.prefill,
            "token_ids": completion.token_ids,
            "finish_reason": completion.finish_reason,
        }
        for completion in group.completions
    ]
