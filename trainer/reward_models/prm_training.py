"""Training a process reward model: cross-entropy between bad and good where each step ends.

What is learned from is made by the same `Encoder` as what is scored, so that there is no skew between
the two. Labels are counted: a row that is too long, or has none, is told and never learned from in silence.
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
from ...sandbox.errors import DataError, RewardError
from ..models.optimizer import rate_at
from .labelled_steps import LabelledSteps

PrmProgress = Callable[[int, int, float], None]
"""Called after every optimizer step with (steps done, steps in all, loss in nats)."""


@dataclass(frozen=True)
class PrmTraining:
    """Settings of a training."""

    form: str = "classes"
    epochs: int = 3
    batch_rows: int = 32
    """Completions of one optimizer step."""
    lr: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.05
    """Share of the steps over which the learning rate rises; after that it falls linearly."""
    held_out: float = 0.1
    """Share of prompts, chosen by a hash of each, that is only measured on."""
    seed: int = 0
    batch_tokens: int = 8192
    """Of one forward pass."""


@dataclass(frozen=True)
class PrmReport:
    """What a training came to."""

    folder: Path
    trained_steps: int
    """Steps with a label that were learned from, once an epoch."""
    too_long: int
    """Rows left out, since the model cannot read them whole."""
    loss: float
    """Mean over the last epoch, nats."""
    held_out: StepMetrics
    """On prompts that were not learned from; labels of at least a half count as right."""


@dataclass(frozen=True)
class _Example:
    made: PrmInput
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
    """Train a process reward model and save it as a plain Hugging Face folder.

    Args:
        rows: labelled steps.
        source: a causal language model or token classifier to start from.
        out: where the trained model goes.
        settings: of the training.
        device: `auto` or a torch device.
        progress: see `PrmProgress`.

    Raises:
        RewardError: the model does not suit the format. DataError: no label is left to learn from.
    """
    settings = settings or PrmTraining()
    form = find_format(settings.form)
    torch.manual_seed(settings.seed)
    model = _start(source, form, device, settings)
    train, held = split_by_prompt(rows, settings.held_out)
    learned, too_long = _examples(model, train)
    count = sum(label is not None for example in learned for label in example.labels)
    if count == 0:
        raise DataError(
            f"no step of {len(train)} rows has a label to learn from ({too_long} rows are longer than the"
            f" model's {model.context} tokens); a training would teach nothing"
        )
    loss = _fit(model, learned, settings, progress)
    out.mkdir(parents=True, exist_ok=True)
    model.model.save_pretrained(out)
    model.tokenizer.save_pretrained(out)
    report = PrmReport(out, count, too_long, loss, measure(model, held))
    said = {
        "form": form.name,
        "threshold": form.threshold,
        "trained_steps": count,
        "too_long": too_long,
        "loss": loss,
        "held_out": report.held_out.as_dict(),
    }
    (out / "prm.json").write_text(json.dumps(said, indent=1), encoding="utf-8")
    return report


def split_by_prompt(
    rows: Sequence[LabelledSteps], share: float
) -> tuple[list[LabelledSteps], list[LabelledSteps]]:
    """Return what is learned from and what is held out: no prompt is in both."""

    def held(row: LabelledSteps) -> bool:
        return int.from_bytes(hashlib.sha256(f"held out/{row.prompt}".encode()).digest()[:4]) < share * 2**32

    return [row for row in rows if not held(row)], [row for row in rows if held(row)]


def measure(model: Prm, rows: Sequence[LabelledSteps]) -> StepMetrics:
    """Score labelled steps and compare; rows that are too long are left out."""
    examples, _ = _examples(model, rows)
    scores = model.score([example.made for example in examples])
    labels = [[None if label is None else label >= 0.5 for label in example.labels] for example in examples]
    return step_metrics(scores, labels, threshold=model.form.threshold)


def _start(source: str | Path, form: PrmFormat, device: str, settings: PrmTraining) -> Prm:
    if form.head == "classes":
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        with quiet(reports=True):  # it would report that a language model has no such head yet
            tokenizer = AutoTokenizer.from_pretrained(source)
            model: Any = AutoModelForTokenClassification.from_pretrained(
                source, num_labels=2, dtype=torch.float32
            )
        return Prm(
            model.to(choose_device(device)),
            tokenizer,
            form,
            name=str(source),
            batch_tokens=settings.batch_tokens,
        )
    loaded = load_prm(source, form, device=device, batch_tokens=settings.batch_tokens)
    if isinstance(loaded.model, HeadedModel):
        raise RewardError(f"format {form.name!r} is for scoring; train `classes`, `trl` or `math_shepherd`")
    return loaded


def _examples(model: Prm, rows: Sequence[LabelledSteps]) -> tuple[list[_Example], int]:
    made = [_Example(model.encoder(row.prompt, row.steps), row.labels) for row in rows]
    unread = sum(model.encoder.unread(one.made) > MOST_UNREAD for one in made)
    if unread:
        raise DataError(
            f"the tokenizer of {model.encoder.name!r} has no tokens for much of {unread} of {len(rows)}"
            " rows; train a model that can read them (the tiny one reads its own task only)"
        )
    most = model.context or math.inf
    return [one for one in made if len(one.made.ids) <= most], sum(len(one.made.ids) > most for one in made)


def _fit(
    model: Prm,
    examples: Sequence[_Example],
    settings: PrmTraining,
    progress: PrmProgress | None,
) -> float:
    parameters = [p for p in model.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay)
    per_epoch = math.ceil(len(examples) / settings.batch_rows)
    steps = per_epoch * settings.epochs
    model.model.train()
    losses: list[float] = []
    warmup_steps = max(1, round(settings.warmup * steps))
    for step, batch in enumerate(_minibatches(examples, settings), 1):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(
                step, lr=settings.lr, steps=steps, warmup_steps=warmup_steps, schedule="linear"
            )
        optimizer.zero_grad()
        losses.append(_backward(model, batch, settings.batch_tokens))
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if progress is not None:
            progress(step, steps, losses[-1])
    model.model.eval()
    return sum(losses[-per_epoch:]) / per_epoch


def _minibatches(examples: Sequence[_Example], settings: PrmTraining) -> Iterator[list[_Example]]:
    for epoch in range(settings.epochs):
        order = list(examples)
        Random(f"prm/{settings.seed}/{epoch}").shuffle(order)
        for begin in range(0, len(order), settings.batch_rows):
            yield order[begin : begin + settings.batch_rows]


def _backward(model: Prm, batch: Sequence[_Example], budget: int) -> float:
    """Add a minibatch's gradients, in as many passes as it takes; return its loss."""
    count = max(sum(label is not None for example in batch for label in example.labels), 1)
    total = 0.0
    for rows in by_length([len(example.made.ids) for example in batch], budget):
        some = [batch[i] for i in rows]
        loss = step_loss(model.pairs([one.made for one in some]), [one.labels for one in some]) / count
        loss.backward()
        total += loss.item()
    return total


def step_loss(pairs_N2: Tensor, labels: Sequence[Sequence[float | None]]) -> Tensor:
    """Return the summed cross-entropy of steps that have a label; a share is a soft target."""
    flat = [label for row in labels for label in row]
    known = torch.tensor([i for i, label in enumerate(flat) if label is not None], device=pairs_N2.device)
    wanted_N = torch.tensor([label for label in flat if label is not None], device=pairs_N2.device)
    if not len(known):
        return pairs_N2.sum() * 0.0
    logprobs_N2 = pairs_N2[known].float().log_softmax(-1)
    return -(wanted_N * logprobs_N2[:, 1] + (1 - wanted_N) * logprobs_N2[:, 0]).sum()
