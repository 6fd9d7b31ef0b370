"""`markscheme sample`: sampling completions of a task outside training, and the baseline pass@k.

`markscheme label` samples with the same functions.
"""

import argparse
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

from ...rewards.lineage import lineage_of
from ...rewards.rows.completions import completion_row
from ...rewards.rows.scores import Lineage, header_row
from ...rewards.scheme import MarkScheme
from ...rewards.score import Status
from ...sandbox.errors import DataError, TaskError
from ...tasks.load_task import load_task
from ...tasks.problem import Completion, Problem
from ...tasks.schema import Task
from ...tasks.yaml_file import YamlFile, apply_overrides
from ..config.run_config import SamplingConfig
from ..engines.base import Engine, prompt_seed
from ..loop.evaluation import SampleTally, sampled_groups
from ..loop.rollout import Group, LoadedTask
from ..loop.sample import SamplerSettings, sampler, validated
from ..models.policy import Policy
from .output import GOOD, say, show
from .row_output import BadRows, RowOutput, row_bar

CHUNK_ROWS = 512
"""Completions that are sampled in one call."""


def settings_of(args: argparse.Namespace) -> SamplerSettings:
    """Return the model, the engine and the problems that a command names.

    Raises:
        TaskError: servers are named for an engine that uses none, or `--template` is not `KEY=VALUE`.
    """
    if args.url and args.engine != "vllm_http":
        raise TaskError(
            f"{args.command}: --url names vLLM servers and needs --engine vllm_http (given: {args.engine})"
        )
    return SamplerSettings(
        args.model,
        args.split,
        args.limit,
        args.seed,
        args.device,
        args.engine,
        tuple(args.url),
        template_of(args),
    )


def template_of(args: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of the chat template that `--template` gives."""
    file = YamlFile(None, {})
    apply_overrides(file, args.template, option="--template")
    return file.data


def sampling_of(args: argparse.Namespace) -> SamplingConfig:
    """Return how a command samples.

    Raises:
        DataError: a setting is out of its range.
    """
    names = ("temperature", "top_p", "max_new_tokens", "stop")
    return validated(SamplingConfig, **{name: getattr(args, name) for name in names if hasattr(args, name)})


@contextmanager
def sampler_of(
    args: argparse.Namespace, task: Task, scheme: MarkScheme, bad: BadRows
) -> Iterator[tuple[Policy, Engine, LoadedTask]]:
    """Yield what `sampler` yields for a command; with `--skip-bad`, rows that cannot be used go to `bad`."""
    on_bad = bad.add if args.skip_bad else None
    settings = settings_of(args)
    with sampler(task, scheme, settings, args.max_new_tokens, on_bad=on_bad, note=say) as parts:
        yield parts


def header_of(kind: str, args: argparse.Namespace, lineage: Lineage) -> dict[str, Any]:
    """Return the header of a file of sampled rows: what must be the same for `--resume` to continue it."""
    names = ("model", "engine", "split", "limit", "n", "seed", "temperature", "top_p", "max_new_tokens")
    sampling = {name: getattr(args, name) for name in names if hasattr(args, name)}
    sampling |= {name: getattr(args, name) for name in ("stop", "template") if getattr(args, name)}
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
    sampling = sampling_of(args)
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
        f"  groups whose rewards differ, so that GRPO can learn from them: {figures['mixed_groups']:.0%};"
        f" with right and with wrong answers: {figures['right_and_wrong']:.0%}",
        f"  {figures['undecided']} completions undecided; {figures['tokens']:.0f} tokens on average",
    ]
    return [*lines, f"  written to {args.output}"] if args.output else lines
