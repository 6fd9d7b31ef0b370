"""Training a process reward model by cross-entropy on the labels of steps, at the position where each ends.

Training and scoring encode their inputs with the same `Encoder` (`rewards/models/`), so that the model is
used as it was trained. Rows that the model cannot read are left out; none is cut. Steps without a label are
part of the input, but add nothing to the loss.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...rewards.models.prm_formats import PrmFormat, PrmInput, find_format
from ...rewards.models.prm_torch import HeadedModel, Prm, load_prm
from ...rewards.models.readable import Unreadable, readable
from ...rewards.models.torch_runtime import by_length, choose_device, quiet
from ...rewards.offline.step_metrics import StepMetrics, step_metrics
from ...rewards.rows.labelled_steps import LabelledSteps
from ...sandbox.errors import DataError, RewardError
from .fitting import Examples, Fitting, Progress, check_folder, epochs_of, fit
from .held_out import split_by_prompt


@dataclass(frozen=True)
class PrmTraining(Fitting):
    """The settings of a training."""

    form: str = "classes"
    """Name of the model's format: the layout of its input and the kind of its head; see `PrmFormat`."""
    epochs: int = 3
    """Passes over the rows."""
    batch_rows: int = 32
    """Completions per optimizer step."""
    held_out: float = 0.1
    """Share of the prompts that are used for measuring only, chosen by a hash of the prompt."""
    seed: int = 0
    """Of a new head's weights and of the order of the rows."""
    batch_tokens: int = 8192
    """The most tokens of one forward pass, padding included."""


@dataclass(frozen=True)
class PrmReport:
    """The outcome of a training."""

    folder: Path
    trained_steps: int
    """Labelled steps in the training rows."""
    too_long: int
    """Training rows that were left out because they exceed the model's context."""
    unreadable: int
    """Training rows that were left out because a step has a special token of the model in its text, or the
    tokenizer has no tokens for much of the text."""
    loss: float
    """Mean over the optimizer steps of the last epoch, in nats per labelled step."""
    held_out: StepMetrics
    """Measured on the held-out prompts; labels of at least 0.5 count as right."""

    def figures(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        names = ("trained_steps", "too_long", "unreadable", "loss")
        return {**{name: getattr(self, name) for name in names}, "held_out": self.held_out.as_dict()}


@dataclass(frozen=True)
class Example:
    """A labelled completion as a model's input."""

    encoded: PrmInput
    labels: tuple[float | None, ...]
    prompt: str


def train_prm(
    rows: Sequence[LabelledSteps],
    source: str | Path,
    out: Path,
    settings: PrmTraining | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> PrmReport:
    """Train a process reward model, and save it as a plain Hugging Face folder with a report, prm.json.

    Args:
        rows: labelled steps.
        source: folder or hub id of the model to start from: a causal language model, or a token classifier.
        out: the folder to write.
        settings: settings of the training; None = the defaults.
        device: `auto`, or a torch device.
        progress: called after every optimizer step.

    Raises:
        RewardError: the model cannot be loaded, or does not have the head of the format.
        DataError: no row that the model can read has a label.
    """
    settings = settings or PrmTraining()
    check_folder(out)
    form = find_format(settings.form)
    torch.manual_seed(settings.seed)
    model = _start(source, form, device, settings)
    training_rows, held_out_rows = split_by_prompt(rows, settings.held_out, lambda row: row.prompt)
    examples = examples_of(model, training_rows)
    labelled = sum(label is not None for example in examples.items for label in example.labels)
    if labelled == 0:
        raise DataError(
            f"there is nothing to learn from: no step of {len(training_rows)} rows has a label"
            f" ({examples.too_long} rows are longer than the model's {model.context} tokens,"
            f" {examples.unreadable} cannot be read by its tokenizer); give other rows or another model"
        )
    batches = epochs_of(examples.items, settings.batch_rows, settings.epochs, f"prm/{settings.seed}")
    losses = fit(
        model.model,
        batches,
        lambda batch: backward(model, batch, settings.batch_tokens),
        settings,
        progress,
    )
    per_epoch = len(batches) // settings.epochs
    loss = sum(losses[-per_epoch:]) / per_epoch
    # The model is saved before it is measured, or it would be lost if the held-out rows cannot be encoded.
    save_prm(model, out, {})
    quality = measure(model, held_out_rows)
    report = PrmReport(out, labelled, examples.too_long, examples.unreadable, loss, quality)
    save_prm(model, out, report.figures())
    return report


def save_prm(model: Prm, out: Path, more: dict[str, Any]) -> None:
    """Write a model, its tokenizer and prm.json to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    model.model.save_pretrained(out)
    model.tokenizer.save_pretrained(out)
    content = {"form": model.form.name, "threshold": model.form.threshold, **more}
    (out / "prm.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def measure(model: Prm, rows: Sequence[LabelledSteps]) -> StepMetrics:
    """Return how well a model's scores agree with the labels; rows that it cannot read are left out."""
    _, marks, labels = marked(model, rows)
    return step_metrics(marks, labels, threshold=model.form.threshold)


def marked(
    model: Prm, rows: Sequence[LabelledSteps]
) -> tuple[list[Example], list[list[float]], list[list[bool | None]]]:
    """Return the rows that a model can read as its inputs, its marks of their steps, and their labels."""
    examples = examples_of(model, rows).items
    marks = model.score([example.encoded for example in examples])
    labels = [[None if label is None else label >= 0.5 for label in example.labels] for example in examples]
    return examples, marks, labels


def _start(source: str | Path, form: PrmFormat, device: str, settings: PrmTraining) -> Prm:
    """Return the model to train; for the format `classes`, a causal language model gets a new head."""
    if form.head == "classes":
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        # transformers would report that the model has no such head yet, which is expected here.
        with quiet(reports=True):
            tokenizer = AutoTokenizer.from_pretrained(source)
            model: Any = AutoModelForTokenClassification.from_pretrained(
                source, num_labels=2, dtype=torch.float32
            )
        model = model.to(choose_device(device))
        return Prm(model, tokenizer, form, name=str(source), batch_tokens=settings.batch_tokens)
    loaded = load_prm(source, form, device=device, batch_tokens=settings.batch_tokens)
    check_trainable(loaded)
    return loaded


def check_trainable(prm: Any) -> None:
    """Raise a RewardError if a model, loaded on torch, has a head that cannot be saved again."""
    if isinstance(prm.model, HeadedModel):
        raise RewardError(
            f"format {prm.form.name!r} is for scoring only and cannot be trained; train `classes`, `trl` or"
            " `math_shepherd`"
        )


def examples_of(model: Prm, rows: Sequence[LabelledSteps]) -> Examples[Example]:
    """Return rows as a model's inputs."""
    examples: Examples[Example] = Examples()
    for row in rows:
        try:
            encoded = readable(model.encoder, row.prompt, row.steps, model.context)
        except Unreadable as error:
            examples.leave_out(error)
        else:
            examples.items.append(Example(encoded, row.labels, row.prompt))
    return examples


def backward(model: Prm, batch: Sequence[Example], budget: int) -> float:
    """Compute a minibatch's gradients, in passes of at most `budget` tokens or of one row.

    Returns:
        The minibatch's loss, in nats per labelled step.
    """
    labelled = max(sum(label is not None for example in batch for label in example.labels), 1)
    total = 0.0
    for rows in by_length([len(example.encoded.ids) for example in batch], budget):
        part = [batch[i] for i in rows]
        pairs_N2 = model.pairs([example.encoded for example in part])
        loss = step_loss(pairs_N2, [example.labels for example in part]) / labelled
        loss.backward()
        total += loss.item()
    return total


def step_loss(pairs_N2: Tensor, labels: Sequence[Sequence[float | None]]) -> Tensor:
    """Return the cross-entropy of the steps, summed over those that have a label.

    Args:
        pairs_N2: `[N, 2]`, the logits of bad and good for each step of all completions, in order.
        labels: one list per completion, with the probability of good for each step (a soft target); None = no
            label.
    """
    flat = [label for row in labels for label in row]
    known = torch.tensor([i for i, label in enumerate(flat) if label is not None], device=pairs_N2.device)
    target_N = torch.tensor([label for label in flat if label is not None], device=pairs_N2.device)
    if not len(known):
        return pairs_N2.sum() * 0.0  # a 0 that is part of the graph, so that `backward` can be called on it
    logprobs_N2 = pairs_N2[known].float().log_softmax(-1)
    return -(target_N * logprobs_N2[:, 1] + (1 - target_N) * logprobs_N2[:, 0]).sum()
