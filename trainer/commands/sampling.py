"""`markscheme sample`: sampling completions of a task outside training, and the baseline pass@k.

`markscheme label` samples with the same functions, and `markscheme check --model` loads models with them.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...rewards.models.torch_runtime import choose_device, quiet
from ...rewards.rows import write_jsonl
from ...rewards.scheme import MarkScheme
from ...sandbox.errors import DataError, TaskError
from ...tasks.load_problems import load_problems
from ...tasks.load_task import load_task
from ...tasks.schema import Task
from ...tasks.validation import first_fault
from ..config.run_config import EngineConfig, PolicyConfig, SamplingConfig
from ..engines.base import Engine
from ..engines.make import make_engine
from ..loop.evaluation import evaluate
from ..loop.rollout import Group, LoadedTask, group_is_flat
from ..models.load_policy import load_policy
from ..models.policy import Policy
from ..models.prompts import encode_prompt
from ..models.tiny import one_thread, tiny_policy
from .output import GOOD, show


def policy_for(task: Task, model: str, *, seed: int = 0, device: str = "auto") -> Policy:
    """Return the model with a name; `tiny` is built for the task, anything else is a folder or a hub id."""
    with quiet():
        source: str | Path = tiny_policy(task, seed) if model == "tiny" else model
    return load_policy(PolicyConfig(model=model), source, choose_device(device))


def sampling_of(**settings: Any) -> SamplingConfig:
    """Return the sampling settings that a command was given.

    Raises:
        DataError: one of them is out of its range.
    """
    try:
        return SamplingConfig(**settings)
    except ValidationError as error:
        raise DataError(str(first_fault(error))) from error


@contextmanager
def sampler_of(
    args: argparse.Namespace, task: Task, scheme: MarkScheme
) -> Iterator[tuple[Policy, Engine, LoadedTask]]:
    """Yield the model that a command names, an engine that samples from it, and the problems to sample.

    Raises:
        TaskError: servers are named for an engine that uses none.
        MarkschemeError: the data, the model or the engine cannot be used.
    """
    if args.url and args.engine != "vllm_http":
        raise TaskError(
            f"{args.command}: --url names vLLM servers and needs --engine vllm_http (given: {args.engine})"
        )
    problems = load_problems(task, split=args.split, limit=args.limit)
    scheme.check_references(problems)
    policy = policy_for(task, args.model, seed=args.seed, device=args.device)
    prompts = [
        encode_prompt(policy, task, problem, max_new_tokens=args.max_new_tokens) for problem in problems
    ]
    engine = make_engine(EngineConfig(kind=args.engine, urls=tuple(args.url)), policy)
    try:
        engine.sync(policy, 0)
        with one_thread():
            yield policy, engine, LoadedTask(task, scheme, problems, prompts)
    finally:
        engine.close()


def sample(args: argparse.Namespace) -> int:
    """Sample completions, and print the model's pass@k, which is the baseline for a training."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    if args.temperature == 0 and args.n > 1:
        raise DataError(
            f"temperature 0 gives the same completion {args.n} times; use -n 1 or a positive temperature"
        )
    sampling = sampling_of(temperature=args.temperature, top_p=args.top_p, max_new_tokens=args.max_new_tokens)
    with sampler_of(args, task, MarkScheme(task, process=False)) as (_, engine, loaded):
        figures, groups = evaluate(engine, loaded, args.n, sampling, seed=args.seed, greedy=False)
    figures["mixed_groups"] = sum(not group_is_flat(group) for group in groups) / len(groups)
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
