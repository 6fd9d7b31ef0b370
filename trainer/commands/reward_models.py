"""The commands around process reward models: label steps, and train a model on the labels."""

import argparse
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...rewards.models.prm_formats import question_of
from ...rewards.rows import write_jsonl
from ...rewards.scheme import MarkScheme
from ...sandbox.errors import DataError, TaskError
from ...tasks.load import load_task
from ...tasks.problems import load_problems
from ...tasks.schema import Task
from ...verifiers.steps.split import SplitPolicy, split_policy
from ..config.run_config import EngineConfig, SamplingConfig
from ..engines.make import make_engine
from ..models.policy import quiet
from ..models.tiny import one_thread, tiny_policy
from ..reward_models.labelled_steps import read_labelled
from ..reward_models.prm_training import PrmTraining, train_prm
from ..reward_models.step_labels import chain_of, monte_carlo, monte_carlo_row, rule_rows
from .exit_codes import GOOD
from .sampling import policy_for
from .scoring import show


def label(args: argparse.Namespace) -> int:
    """Sample completions and label their steps."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    if args.by == "rule" and task.process is None:
        raise TaskError(f"label --by rule: task {task.name!r} has no `process:` that says the rule")
    try:
        sampling = SamplingConfig(temperature=args.temperature, max_new_tokens=args.max_new_tokens)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise DataError(f"{detail['loc'][0]}: {detail['msg']} (given: {detail['input']})") from error
    scheme = MarkScheme(task, process=args.by == "rule")
    problems = load_problems(task, split=args.split, limit=args.limit)
    scheme.check_references(problems)
    rows, sampled = _labelled(args, task, scheme, problems, sampling)
    write_jsonl(Path(args.output), rows)
    labels = [label for row in rows for label in row["labels"]]
    figures = {
        "rows": len(rows),
        "steps": len(labels),
        "right": labels.count(True),
        "wrong": labels.count(False),
        "unlabelled": labels.count(None),
        "continuations": sampled,
        "output": args.output,
    }
    line = (
        f"{len(rows)} completions of {task.name}/{args.split} by {args.model}, {len(labels)} steps:"
        f" {figures['right']} right, {figures['wrong']} wrong, {figures['unlabelled']} without a label"
        f" ({sampled} continuations); written to {args.output}"
    )
    show(args, figures, [line])
    return GOOD


def _labelled(
    args: argparse.Namespace, task: Task, scheme: MarkScheme, problems: Any, sampling: SamplingConfig
) -> tuple[list[dict[str, Any]], int]:
    policy = policy_for(task, args.model, seed=args.seed, device=args.device)
    prompts = [policy.encode(task, problem, max_new_tokens=sampling.max_new_tokens) for problem in problems]
    engine = make_engine(EngineConfig(kind=args.engine, urls=tuple(args.url)), policy)
    try:
        engine.sync(policy, 0)
        with one_thread():
            groups = engine.groups(prompts, args.n, sampling, seed=args.seed)
            pairs = [
                (p, c) for p, group in zip(problems, groups, strict=True) for c in group if c.text.strip()
            ]
            if args.by == "rule":
                asked, given = [p for p, _ in pairs], [c for _, c in pairs]
                rows = rule_rows(scheme, asked, given, [question_of(p) for p in asked])
                return [row for row in rows if row["completions"]], 0
            split = _split(args, task)
            chains = [chain for p, c in pairs if (chain := chain_of(p, c, policy, split)).steps]
            count = monte_carlo(chains, args.k, engine, policy, scheme, sampling, seed=args.seed + 1)
            return [monte_carlo_row(chain, question_of(chain.problem)) for chain in chains], count
    finally:
        engine.close()


def _split(args: argparse.Namespace, task: Task) -> SplitPolicy:
    own = task.process.parameters.get("split", "lines") if task.process is not None else "lines"
    return split_policy(args.steps or own)


def train_prm_command(args: argparse.Namespace) -> int:
    """Train a process reward model."""
    source: str | Path = args.model
    if args.model == "tiny":
        if not args.task:
            raise TaskError("train-prm --model tiny needs --task: the tiny model is built for a task")
        with quiet():
            source = tiny_policy(load_task(args.task), args.seed)
    settings = PrmTraining(
        form=args.form,
        epochs=args.epochs,
        batch_rows=args.batch_rows,
        lr=args.lr,
        held_out=args.held_out,
        seed=args.seed,
    )
    rows = read_labelled(Path(args.rows), neutral=args.neutral)
    with one_thread(), quiet():
        report = train_prm(rows, source, Path(args.output), settings, device=args.device)
    held = report.held_out
    lines = [
        f"{report.trained_steps} labelled steps, {args.epochs} epoch(s): loss {report.loss:.4f};"
        f" {report.too_long} row(s) too long; written to {args.output}",
        f"  held out ({held.steps} steps): balanced accuracy {_shown(held.balanced_accuracy)}, first-error F1"
        f" {_shown(held.first_error_f1)}, AUROC {_shown(held.auroc)}, ECE {_shown(held.ece)}",
    ]
    result = {
        "folder": args.output,
        "trained_steps": report.trained_steps,
        "too_long": report.too_long,
        "loss": report.loss,
        "held_out": held.as_dict(),
    }
    show(args, result, lines)
    return GOOD


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
