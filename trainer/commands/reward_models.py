"""`markscheme label` and `train-prm`: labelling steps, and training a process reward model on the labels."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ...rewards.models.prm_formats import question_of
from ...rewards.models.torch_runtime import quiet
from ...rewards.rows import write_jsonl
from ...rewards.scheme import MarkScheme
from ...sandbox.errors import TaskError
from ...tasks.load_task import load_task
from ...tasks.schema import Task
from ...verifiers.steps.split import SplitPolicy, split_policy
from ..models.tiny import one_thread, tiny_policy
from ..reward_models.labelled_steps import read_labelled
from ..reward_models.prm_training import PrmProgress, PrmReport, PrmTraining, train_prm
from ..reward_models.step_labels import chain_of, monte_carlo, monte_carlo_row, rule_rows
from .output import GOOD, show
from .sampling import sampler_of, sampling_of


def label(args: argparse.Namespace) -> int:
    """Sample completions, label their steps, and write them to a file."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    if args.by == "rule" and task.process is None:
        raise TaskError(
            f"label --by rule: task {task.name!r} has no `process:`, which would name the rule; add one"
        )
    rows, sampled = _labelled(args, task)
    write_jsonl(Path(args.output), rows)
    labels = [of_step for row in rows for of_step in row["labels"]]
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


def _labelled(args: argparse.Namespace, task: Task) -> tuple[list[dict[str, Any]], int]:
    """Return the labelled rows, and how many continuations were sampled for them."""
    sampling = sampling_of(temperature=args.temperature, max_new_tokens=args.max_new_tokens)
    scheme = MarkScheme(task, process=args.by == "rule")
    with sampler_of(args, task, scheme) as (policy, engine, loaded):
        groups = engine.groups(loaded.prompts, args.n, sampling, seed=args.seed)
        answers = [
            (problem, completion)
            for problem, group in zip(loaded.problems, groups, strict=True)
            for completion in group
            if completion.text.strip()
        ]
        if args.by == "rule":
            problems = [problem for problem, _ in answers]
            completions = [completion for _, completion in answers]
            rows = rule_rows(scheme, problems, completions, [question_of(problem) for problem in problems])
            return [row for row in rows if row["completions"]], 0
        split = _split(args, task)
        chains = [chain_of(problem, completion, policy, split) for problem, completion in answers]
        chains = [chain for chain in chains if chain.steps]
        count = monte_carlo(chains, args.k, engine, policy, scheme, sampling, seed=args.seed + 1)
        return [monte_carlo_row(chain, question_of(chain.problem)) for chain in chains], count


def _split(args: argparse.Namespace, task: Task) -> SplitPolicy:
    """Return how to split completions: by `--steps`, else as the task's `process:` does, else by lines."""
    own = task.process.parameters.get("split", "lines") if task.process is not None else "lines"
    return split_policy(args.steps or own)


def train_prm_command(args: argparse.Namespace) -> int:
    """Train a process reward model."""
    source: str | Path = args.model
    if args.model == "tiny":
        if not args.task:
            raise TaskError(
                "train-prm --model tiny needs --task, because the tiny model is built for one task; give"
                " --task NAME, or another --model"
            )
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
    with one_thread(), quiet(), _bar() as progress:
        report = train_prm(rows, source, Path(args.output), settings, device=args.device, progress=progress)
    show(args, {"folder": args.output, **report.figures()}, _lines(args, report))
    return GOOD


@contextmanager
def _bar() -> Iterator[PrmProgress]:
    """Yield a function that shows the progress of a training, as a bar if standard error is a terminal."""
    with tqdm(unit="step", file=sys.stderr, dynamic_ncols=True, disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, steps: int, loss: float) -> None:
            bar.total = steps
            bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            bar.update(done - bar.n)

        yield progress


def _lines(args: argparse.Namespace, report: PrmReport) -> list[str]:
    held = report.held_out

    def figure(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    return [
        f"{report.trained_steps} labelled steps, {args.epochs} epoch(s): loss {report.loss:.4f};"
        f" {report.too_long} row(s) too long; written to {args.output}",
        f"  held out ({held.steps} steps): balanced accuracy {figure(held.balanced_accuracy)}, first-error F1"
        f" {figure(held.first_error_f1)}, AUROC {figure(held.auroc)}, ECE {figure(held.ece)}",
    ]
