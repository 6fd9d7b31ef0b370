"""`markscheme train-rm` and `train-prm`: training reward models on preference pairs and on labelled steps."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ....rewards.models.torch_runtime import quiet
from ....rewards.rows.labelled_steps import read_labelled
from ....rewards.rows.preferences import read_preferences
from ....sandbox.errors import TaskError
from ....tasks.load_task import load_task
from ...models.built_in.by_name import source_of_model
from ...models.built_in.tiny import one_thread
from ...reward_models.fitting import Progress
from ...reward_models.prm_training import PrmReport, PrmTraining, train_prm
from ...reward_models.rm_training import RmReport, RmTraining, train_rm
from ...run.progress import bar_of
from ..output import GOOD, say, show
from ..row_output import BadRows


def train_rm_of(args: argparse.Namespace) -> int:
    """Train an outcome reward model."""
    settings = RmTraining(
        form=args.form,
        pooling=args.pooling,
        freeze_layers=args.freeze_layers,
        epochs=args.epochs,
        batch_prompts=args.batch_prompts,
        lr=args.lr,
        head_lr=args.head_lr,
        centring=args.centring,
        label_smoothing=args.label_smoothing,
        held_out=args.held_out,
        seed=args.seed,
        dtype=args.dtype,
    )
    bad = BadRows()
    pairs = read_preferences(Path(args.pairs), on_bad=bad.add if args.skip_bad else None)
    source = source_of(args)
    with one_thread(), quiet(), bar() as progress:
        report = train_rm(pairs, source, Path(args.output), settings, device=args.device, progress=progress)
    figures = {"folder": args.output, **report.figures(), "skipped": bad.count}
    show(args, figures, [*_rm_lines(args, report), *bad.lines()])
    return GOOD


def _rm_lines(args: argparse.Namespace, report: RmReport) -> list[str]:
    held = report.held_out
    accuracy = "-"
    if held.accuracy is not None:
        accuracy = f"{held.accuracy:.3f} [{held.low:.3f}, {held.high:.3f}]"
    return [
        f"{report.pairs} pairs of {report.prompts} prompts, {args.epochs} epoch(s): loss {report.loss:.4f};"
        f" left out: {report.too_long} pair(s) too long, {report.unreadable} unreadable; written to"
        f" {args.output}",
        f"  held out ({held.pairs} pairs of {held.prompts} prompts): pair accuracy {accuracy}, AUROC"
        f" {_figure(held.auroc)}, ECE {_figure(held.ece)}, rank correlation with length"
        f" {_figure(held.length)}",
    ]


def train_prm_of(args: argparse.Namespace) -> int:
    """Train a process reward model."""
    source = source_of(args)
    settings = PrmTraining(
        form=args.form,
        epochs=args.epochs,
        batch_rows=args.batch_rows,
        lr=args.lr,
        held_out=args.held_out,
        seed=args.seed,
    )
    rows = read_labelled(Path(args.rows), neutral=args.neutral)
    with one_thread(), quiet(), bar() as progress:
        report = train_prm(rows, source, Path(args.output), settings, device=args.device, progress=progress)
    show(args, {"folder": args.output, **report.figures()}, _prm_lines(args, report))
    return GOOD


def source_of(args: argparse.Namespace) -> str | Path:
    """Return the model that a training starts from: a folder or hub id, or the tiny policy of a task."""
    if args.model == "tiny" and not args.task:
        raise TaskError(
            f"{args.command} --model tiny needs --task, because the tiny model is built for one task; give"
            " --task NAME, or another --model"
        )
    task = load_task(args.task) if args.model == "tiny" else None
    return source_of_model(args.model, task, args.seed, note=say)


@contextmanager
def bar() -> Iterator[Progress]:
    """Yield a function that shows the progress of a training, as a bar if standard error is a terminal."""
    with bar_of("steps", sys.stderr, hidden=not sys.stderr.isatty()) as shown:
        task = shown.add_task("", total=None, shown="")

        def progress(done: int, steps: int, loss: float) -> None:
            shown.update(task, total=steps, completed=done, shown=f"loss {loss:.4f}")

        yield progress


def _prm_lines(args: argparse.Namespace, report: PrmReport) -> list[str]:
    held = report.held_out

    return [
        f"{report.trained_steps} labelled steps, {args.epochs} epoch(s): loss {report.loss:.4f};"
        f" left out: {report.too_long} row(s) too long, {report.unreadable} unreadable; written to"
        f" {args.output}",
        f"  held out ({held.steps} steps): balanced accuracy {_figure(held.balanced_accuracy)}, first-error"
        f" F1 {_figure(held.first_error_f1)}, AUROC {_figure(held.auroc)}, ECE {_figure(held.ece)}",
    ]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
