"""Training a process reward model by cross-entropy on the labels of steps, at the position where each ends.

Training and scoring encode their inputs with the same `Encoder` (`rewards/models/`), so that the model is
used as it was trained. Rows that are too long for the model are left out instead of being cut. Steps without
a label are part of the input, but add nothing to the loss.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from ...rewards.models.batching import by_length
from ...rewards.models.prm_formats import MOST_UNREAD, PrmFormat, PrmInput, find_format
from ...rewards.models.prm_torch import HeadedModel, Prm, load_prm
from ...rewards.models.torch_runtime import choose_device, quiet
from ...rewards.offline.step_metrics import StepMetrics, step_metrics
from ...rewards.rows.labelled_steps import LabelledSteps
from ...sandbox.errors import DataError, RewardError
from ..models.optimizer import rate_at

PrmProgress = Callable[[int, int, float], None]
"""Called after every optimizer step with (steps done, steps in all, loss in nats)."""


@dataclass(frozen=True)
class PrmTraining:
    """The settings of a training."""

    form: str = "classes"
    """Name of the model's format: the layout of its input and the kind of its head; see `PrmFormat`."""
    epochs: int = 3
    """Passes over the rows."""
    batch_rows: int = 32
    """Completions per optimizer step."""
    lr: float = 1e-4
    """Learning rate at the end of the warm-up. After that it falls linearly towards 0, which it would reach
    one step after the last one."""
    weight_decay: float = 0.01
    warmup: float = 0.05
    """Share of the optimizer steps over which the learning rate rises linearly; at least one step."""
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
    loss: float
    """Mean over the optimizer steps of the last epoch, in nats per labelled step."""
    held_out: StepMetrics
    """Measured on the held-out prompts; labels of at least 0.5 count as right."""

    def figures(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        return {
            "trained_steps": self.trained_steps,
            "too_long": self.too_long,
            "loss": self.loss,
            "held_out": self.held_out.as_dict(),
        }


@dataclass(frozen=True)
class _Example:
    encoded: PrmInput
    labels: tuple[float | None, ...]


def train_prm(
    rows: Sequence[LabelledSteps],
    source: str | Path,
    out: Path,
    settings: PrmTraining | None = None,
    *,
    device: str = "auto",
    progress: PrmProgress | None = None,
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
        DataError: no step has a label, or the tokenizer cannot read the rows.
    """
    settings = settings or PrmTraining()
    form = find_format(settings.form)
    torch.manual_seed(settings.seed)
    model = _start(source, form, device, settings)
    training_rows, held_out_rows = split_by_prompt(rows, settings.held_out)
    examples, too_long = _examples(model, training_rows)
    labelled = sum(label is not None for example in examples for label in example.labels)
    if labelled == 0:
        raise DataError(
            f"there is nothing to learn from: no step of {len(training_rows)} rows has a label"
            f" ({too_long} rows are longer than the model's {model.context} tokens); give other rows"
        )
    loss = _fit(model, examples, settings, progress)
    # The model is saved before it is measured, or it would be lost if the held-out rows cannot be encoded.
    out.mkdir(parents=True, exist_ok=True)
    model.model.save_pretrained(out)
    model.tokenizer.save_pretrained(out)
    report = PrmReport(out, labelled, too_long, loss, measure(model, held_out_rows))
    content = {"form": form.name, "threshold": form.threshold, **report.figures()}
    (out / "prm.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
    return report


def split_by_prompt(
    rows: Sequence[LabelledSteps], share: float
) -> tuple[list[LabelledSteps], list[LabelledSteps]]:
    """Return the training rows and the held-out rows, about `share` of all; no prompt is in both."""

    def is_held_out(row: LabelledSteps) -> bool:
        digest = hashlib.sha256(f"held out/{row.prompt}".encode()).digest()
        return int.from_bytes(digest[:4]) < share * 2**32

    return [row for row in rows if not is_held_out(row)], [row for row in rows if is_held_out(row)]


def measure(model: Prm, rows: Sequence[LabelledSteps]) -> StepMetrics:
    """Return how well a model's scores agree with the labels; rows that are too long are left out."""
    examples, _ = _examples(model, rows)
    scores = model.score([example.encoded for example in examples])
    labels = [[None if label is None else label >= 0.5 for label in example.labels] for example in examples]
    return step_metrics(scores, labels, threshold=model.form.threshold)


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
    if isinstance(loaded.model, HeadedModel):
        raise RewardError(
            f"format {form.name!r} is for scoring only and cannot be trained; train `classes`, `trl` or"
            " `math_shepherd`"
        )
    return loaded


def _examples(model: Prm, rows: Sequence[LabelledSteps]) -> tuple[list[_Example], int]:
    """Return the rows that fit into the model's context, encoded, and how many do not fit.

    Raises:
        DataError: the tokenizer has no tokens for much of the text of some rows.
    """
    examples = [_Example(model.encoder(row.prompt, row.steps), row.labels) for row in rows]
    unread = sum(model.encoder.unread(example.encoded) > MOST_UNREAD for example in examples)
    if unread:
        raise DataError(
            f"the tokenizer of {model.encoder.name!r} has no tokens for much of the text of {unread} of"
            f" {len(rows)} rows; train a model that can read them (`tiny` can read its own task only)"
        )
    context = model.context or math.inf
    fitting = [example for example in examples if len(example.encoded.ids) <= context]
    return fitting, len(examples) - len(fitting)


def _fit(
    model: Prm,
    examples: Sequence[_Example],
    settings: PrmTraining,
    progress: PrmProgress | None,
) -> float:
    """Train the model, and return the mean loss of the last epoch's optimizer steps."""
    parameters = [p for p in model.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
    per_epoch = math.ceil(len(examples) / settings.batch_rows)
    steps = per_epoch * settings.epochs
    warmup_steps = max(1, round(settings.warmup * steps))
    losses: list[float] = []
    model.model.train()
    for step, batch in enumerate(_minibatches(examples, settings), 1):
        rate = rate_at(step, lr=settings.lr, steps=steps, warmup_steps=warmup_steps, schedule="linear")
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        losses.append(_backward(model, batch, settings.batch_tokens))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if progress is not None:
            progress(step, steps, losses[-1])
    model.model.eval()
    return sum(losses[-per_epoch:]) / per_epoch


def _minibatches(examples: Sequence[_Example], settings: PrmTraining) -> Iterator[list[_Example]]:
    """Yield the examples of each optimizer step, in another order in every epoch."""
    for epoch in range(settings.epochs):
        order = list(examples)
        Random(f"prm/{settings.seed}/{epoch}").shuffle(order)
        for begin in range(0, len(order), settings.batch_rows):
            yield order[begin : begin + settings.batch_rows]


def _backward(model: Prm, batch: Sequence[_Example], budget: int) -> float:
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
