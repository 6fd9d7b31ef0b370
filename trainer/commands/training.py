"""The commands that need torch: sample and train."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...rewards.rows import write_jsonl
from ...sandbox.errors import TaskError
from ...tasks.load import load_task
from ..config.run_config import EngineConfig
from ..run.progress import terminal_progress
from ..run.train import train as train_policy
from .exit_codes import GOOD, INTERRUPTED
from .sampling import sample_task
from .scoring import show


def sample(args: argparse.Namespace) -> int:
    """Sample completions and print the baseline."""
    if args.url and args.engine != "vllm_http":
        raise TaskError(f"sample: --url needs --engine vllm_http (given: {args.engine})")
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    figures, rows = sample_task(
        task,
        args.model,
        n=args.n,
        split=args.split,
        limit=args.limit,
        seed=args.seed,
        temperature=args.temperature,
        top_p=args.top_p,
        max_new_tokens=args.max_new_tokens,
        device=args.device,
        engine=EngineConfig(kind=args.engine, urls=tuple(args.url)),
    )
    if args.output:
        write_jsonl(Path(args.output), rows)
    low, high = figures["sampled_interval"]
    lines = [
        f"{figures['problems']} problems of {task.name}/{args.split}, {args.n} completions"
        f" each, by {args.model}",
        f"  pass@1 {figures['sampled_pass_at_1']:.3f} [{low:.3f}, {high:.3f}]; "
        + ", ".join(f"pass@{k} {v:.3f}" for k, v in figures["pass_at_k"].items() if k > 1),
        f"  mixed groups (right and wrong answers, what GRPO learns from): {figures['mixed_groups']:.0%};"
        f" undecided {figures['undecided']}; {figures['tokens']:.0f} tokens on average",
    ]
    show(args, figures, [*lines, f"  written to {args.output}"] if args.output else lines)
    return GOOD


def train(args: argparse.Namespace) -> int:
    """Train; with several seeds, one run after the other and a table."""
    overrides = [*args.overrides, *([f"out={json.dumps(args.out)}"] if args.out else [])]
    if args.seeds and (args.out or args.resume):
        raise TaskError("--seeds makes a folder for each run; it goes neither with --out nor with --resume")
    seeds = _seeds(args.seeds)
    results = []
    for seed in seeds:
        chosen = overrides if seed is None else [*overrides, f"seed={seed}"]
        result = train_policy(
            args.run,
            overrides=chosen,
            resume=args.resume,
            progress=terminal_progress,
            allow_code=args.allow_code,
        )
        results.append(result)
        if result.interrupted:
            break
    rows = [{**result.summary, "folder": str(result.folder)} for result in results]
    show(args, rows if args.seeds else rows[0], _train_table(rows))
    return INTERRUPTED if results[-1].interrupted else GOOD


def _seeds(text: str | None) -> list[int | None]:
    if not text:
        return [None]
    seeds = text.replace(",", " ").split()
    if not seeds or not all(seed.isdigit() for seed in seeds):
        raise TaskError(f"--seeds: expected whole numbers, such as 0,1,2 (given: {text!r})")
    return [int(seed) for seed in seeds]


def _train_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "task         seed  greedy pass@1 before -> after   sampled before -> after   steps  train s  folder"
    ]
    for row in rows:
        greedy = _arrow(row.get("pass_at_1_before"), row.get("pass_at_1_after"))
        sampled = _arrow(row.get("sampled_before"), row.get("sampled_after"))
        lines.append(
            f"{row['task']:<12} {row['seed']:>4}  {greedy:<30}  {sampled:<24}  {row['steps']:>5}"
            f"  {row['train_seconds']:>7.1f}  {row['folder']}"
        )
    return lines


def _arrow(before: float | None, after: float | None) -> str:
    return "(no evaluation)" if before is None or after is None else f"{before:.3f} -> {after:.3f}"
