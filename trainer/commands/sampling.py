"""`markscheme sample`: sampling completions of a task outside training, and the baseline pass@k.

`markscheme label` samples with the same functions, and `markscheme check --model` loads models with them.
"""

import argparse
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...rewards.lineage import lineage_of
from ...rewards.models.torch_runtime import choose_device, quiet
from ...rewards.rows.completions import completion_row
from ...rewards.rows.scores import Lineage, header_row
from ...rewards.scheme import MarkScheme, ReferenceCheck
from ...rewards.score import Status
from ...sandbox.errors import DataError, TaskError
from ...tasks.load_problems import load_problems
from ...tasks.load_task import load_task
from ...tasks.problem import Completion, Problem
from ...tasks.schema import Task
from ...tasks.validation import first_fault
from ..config.run_config import EngineConfig, PolicyConfig, SamplingConfig
from ..engines.base import Engine, prompt_seed
from ..engines.make import make_engine
from ..loop.evaluation import SampleTally, sampled_groups
from ..loop.rollout import Group, LoadedTask
from ..models.built_in.tiny import one_thread, tiny_policy
from ..models.load_policy import load_policy
from ..models.policy import Policy
from ..models.prompts import EncodedPrompts
from .output import GOOD, show
from .row_output import BadRows, RowOutput, row_bar

CHUNK_ROWS = 512
"""Completions that are sampled in one call."""


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
    args: argparse.Namespace, task: Task, scheme: MarkScheme, bad: BadRows
) -> Iterator[tuple[Policy, Engine, LoadedTask]]:
    """Yield the model that a command names, an engine that samples from it, and the problems to sample.

    With `--skip-bad`, rows that make no problem are added to `bad`.

    Raises:
        TaskError: servers are named for an engine that uses none.
        MarkschemeError: the data, the model or the engine cannot be used.
    """
    if args.url and args.engine != "vllm_http":
        raise TaskError(
            f"{args.command}: --url names vLLM servers and needs --engine vllm_http (given: {args.engine})"
        )
    check = ReferenceCheck(scheme, skip=args.skip_bad)
    problems = load_problems(
        task,
        split=args.split,
        limit=args.limit,
        each=check,
        on_bad=bad.add if args.skip_bad else None,
    )
    check.finish()
    policy = policy_for(task, args.model, seed=args.seed, device=args.device)
    prompts = EncodedPrompts(policy, task, problems, args.max_new_tokens)
    prompts.check()
    engine = make_engine(EngineConfig(kind=args.engine, urls=tuple(args.url)), policy)
    try:
        engine.sync(policy, 0)
        with one_thread():
            yield policy, engine, LoadedTask(task, scheme, problems, prompts)
    finally:
        engine.close()


def header_of(kind: str, args: argparse.Namespace, lineage: Lineage) -> dict[str, Any]:
    """Return the header of a file of sampled rows: what must be the same for `--resume` to continue it."""
    names = ("model", "engine", "split", "limit", "n", "seed", "temperature", "top_p", "max_new_tokens")
    sampling = {name: getattr(args, name) for name in names if hasattr(args, name)}
    return header_row(kind, [lineage], sampling=sampling, overrides=args.overrides)


def chunks_of(count: int, n: int, begin: int) -> Iterator[tuple[int, range]]:
    """Yield chunks of the problems from `begin` on, each with its number, which its random seed depends on.

    A chunk is sampled in one call, and an interrupted command loses no more than one.
    """
    size = max(1, CHUNK_ROWS // n)
    for number in range(begin // size, math.ceil(count / size) if begin < count else 0):
        yield number, range(number * size, min((number + 1) * size, count))


def sample(args: argparse.Namespace) -> int:
    """Sample completions, and print the model's pass@k, which is the baseline for a training."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    if args.temperature == 0 and args.n > 1:
        raise DataError(
            f"temperature 0 gives the same completion {args.n} times; use -n 1 or a positive temperature"
        )
    sampling = sampling_of(temperature=args.temperature, top_p=args.top_p, max_new_tokens=args.max_new_tokens)
    scheme, bad = MarkScheme(task, process=False), BadRows()
    header = header_of("completions", args, lineage_of(scheme))
    with (
        RowOutput(args.output, header, resume=args.resume) as output,
        sampler_of(args, task, scheme, bad) as (_, engine, loaded),
    ):
        tally = SampleTally(loaded, args.n)
        done = _kept_groups(output, loaded, args.n, tally)
        with row_bar(len(loaded.problems) * args.n, done=done * args.n) as bar:
            for number, indices in chunks_of(len(loaded.problems), args.n, done):
                seed = prompt_seed(args.seed, number)
                groups = sampled_groups(engine, loaded, indices, args.n, sampling, seed)
                for index, group in zip(indices, groups, strict=True):
                    tally.add(group)
                    for row in _rows(group, index + 1, task, args.split):
                        output.write(row)
                    for score in group.scores:
                        bar.add(
                            scheme.is_right(score), any(p.status is Status.BUG for p in score.parts.values())
                        )
                output.flush()
    figures = {
        "task": task.name,
        "problems": len(loaded.problems),
        "n": args.n,
        **tally.figures(),
        "skipped": bad.count,
    }
    show(args, figures, [*_lines(args, task, figures), *bad.lines()])
    return GOOD


def _kept_groups(output: RowOutput, loaded: LoadedTask, n: int, tally: SampleTally) -> int:
    """Score the groups that an interrupted call has sampled, and return how many problems are done.

    Whole chunks are kept, since the random numbers of a chunk begin with it.
    """
    rows = sum(1 for _ in output.kept())
    size = max(1, CHUNK_ROWS // n)
    done = len(loaded.problems) if rows == len(loaded.problems) * n else rows // n // size * size
    output.keep(done * n)
    kept = output.kept()
    for index in range(done):
        group = Group(loaded.task.name, loaded.problems[index], [])
        for row in islice(kept, n):
            check_kept(row, group.problem)
            group.completions.append(
                Completion(
                    row["completion"],
                    token_ids=row["token_ids"],
                    prefill=row["prefill"],
                    finish_reason=row["finish_reason"],
                )
            )
        group.scores = loaded.scheme.score([group.problem] * n, group.completions)
        tally.add(group)
    return done


def check_kept(row: Mapping[str, Any], problem: Problem) -> None:
    """Refuse to continue a file if the data have changed, so that a row belongs to another problem now.

    Raises:
        DataError: they have.
    """
    if row.get("problem") != problem.id:
        raise DataError(
            f"--resume: a row that was written is of problem {row.get('problem')}, where the data now have"
            f" {problem.id}; start again without --resume"
        )


def _rows(group: Group, number: int, task: Task, split: str) -> Iterator[dict[str, Any]]:
    for sample_number, completion in enumerate(group.completions, 1):
        more = {"task": task.name, "split": split, "group": number, "sample": sample_number}
        yield completion_row(group.problem, completion, **more)


def _lines(args: argparse.Namespace, task: Task, figures: dict[str, Any]) -> list[str]:
    low, high = figures["sampled_interval"]
    above_1 = (f"pass@{k} {share:.3f}" for k, share in figures["pass_at_k"].items() if k > 1)
    lines = [
        f"{figures['problems']} problems of {task.name}/{args.split}, {args.n} completions"
        f" each, by {args.model}",
        f"  pass@1 {figures['sampled_pass_at_1']:.3f} [{low:.3f}, {high:.3f}]; {', '.join(above_1)}",
        f"  mixed groups (their rewards differ, so GRPO can learn from them): {figures['mixed_groups']:.0%};"
        f" {figures['undecided']} completions undecided; {figures['tokens']:.0f} tokens on average",
    ]
    return [*lines, f"  written to {args.output}"] if args.output else lines
