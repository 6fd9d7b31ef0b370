"""Training an outcome reward model on preference pairs, by the Bradley-Terry loss.

All pairs of a prompt are computed in one forward pass and averaged before the prompts are: with the pairs of
a ranking this is InstructGPT's K-wise loss (arXiv 2203.02155, equation 1), and a prompt with many pairs does
not outweigh the others. Pairs that are too long for the model are left out instead of being cut.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from ...rewards.models.rm_inputs import Form, Pooling
from ...rewards.models.rm_torch import ABOUT, Rm, backbone_of, load_rm
from ...rewards.rows.preferences import Preference
from ...sandbox.errors import DataError, RewardError
from ..objective.bradley_terry import bradley_terry_loss
from .fitting import Fitting, Progress, check_folder, epochs_of, fit
from .held_out import split_by_prompt
from .quality import PairQuality, calibration_of, measure
from .rm_examples import Ranked, encode


@dataclass(frozen=True)
class RmTraining(Fitting):
    """The settings of a training."""

    form: Form | None = None
    """How inputs are laid out; None = by the chat template if there is one, else `text` (`pair` for an
    encoder)."""
    pooling: Pooling | None = None
    """Which hidden state is scored; None = the last token's (for an encoder what it pools itself)."""
    freeze_layers: int = 0
    """The embeddings and this many of the lowest layers are not trained, if it is above 0."""
    epochs: int = 3
    """Passes over the pairs."""
    batch_prompts: int = 16
    """Prompts per optimizer step, each with all of its pairs."""
    centring: float = 0.01
    """Weight of the penalty that keeps scores around 0."""
    label_smoothing: float = 0.0
    """The probability with which a pair is taken to be labelled the wrong way round."""
    held_out: float = 0.1
    """Share of the prompts that are used for measuring only, where the pairs do not say it themselves."""
    seed: int = 0
    """Of the order of the prompts, and of weights that are missing besides the head's."""
    batch_tokens: int = 8192
    """The most tokens of one forward pass, padding included; a prompt's completions stay together."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the computation; the weights are float32."""


@dataclass(frozen=True)
class RmReport:
    """The outcome of a training."""

    folder: Path
    pairs: int
    """Pairs in the training prompts."""
    prompts: int
    too_long: int
    """Pairs that were left out because a side exceeds the model's context."""
    unreadable: int
    """Pairs that were left out because a completion has a special token of the model in its text, or much
    text that its tokenizer has no tokens for."""
    loss: float
    """Mean over the optimizer steps of the last epoch, in nats per pair."""
    held_out: PairQuality

    def figures(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        names = ("pairs", "prompts", "too_long", "unreadable", "loss")
        return {**{name: getattr(self, name) for name in names}, "held_out": self.held_out.as_dict()}


def train_rm(
    pairs: Sequence[Preference],
    source: str | Path,
    out: Path,
    settings: RmTraining | None = None,
    *,
    device: str = "auto",
    progress: Progress | None = None,
) -> RmReport:
    """Train an outcome reward model, and save it as a plain Hugging Face folder with a report, rm.json.

    Args:
        pairs: the preferences.
        source: folder or hub id of the model to start from. One without a scalar head gets a new one.
        out: the folder to write.
        settings: settings of the training; None = the defaults.
        device: `auto`, or a torch device.
        progress: called after every optimizer step.

    Raises:
        RewardError: the model cannot be loaded, or the training diverges.
        DataError: no pair can be learned from.
    """
    settings = settings or RmTraining()
    check_folder(out)
    torch.manual_seed(settings.seed)
    rm = load_rm(
        source,
        form=settings.form,
        pooling=settings.pooling,
        device=device,
        batch_tokens=settings.batch_tokens,
        new_head=True,
    )
    rm.compute_dtype = getattr(torch, settings.dtype)
    freeze(rm, settings.freeze_layers)
    training, held_out = split_pairs(pairs, settings.held_out)
    examples = encode(rm, training)
    if not examples.items:
        raise DataError(
            f"there is nothing to learn from: of {len(training)} training pairs {examples.too_long} are"
            f" longer than the model's {rm.context} tokens and {examples.unreadable} cannot be read by its"
            f" tokenizer ({len(held_out)} pairs are held out); give other pairs or another model"
        )
    batches = epochs_of(examples.items, settings.batch_prompts, settings.epochs, f"rm/{settings.seed}")
    losses = fit(rm.model, batches, lambda batch: backward(rm, batch, settings), settings, progress)
    per_epoch = len(batches) // settings.epochs
    loss = sum(losses[-per_epoch:]) / per_epoch
    # The model is saved before it is measured, or it would be lost if the held-out pairs cannot be encoded.
    save_rm(rm, out, {})
    quality = measure(rm, held_out)
    learned = sum(len(ranked.better) for ranked in examples.items)
    counts = (learned, len(examples.items), examples.too_long, examples.unreadable)
    report = RmReport(out, *counts, loss, quality)
    save_rm(
        rm, out, {"calibration": calibration_of(rm, held_out), "rows": hash_of(pairs), **report.figures()}
    )
    return report


def split_pairs(pairs: Sequence[Preference], share: float) -> tuple[list[Preference], list[Preference]]:
    """Return the pairs to train on and those that are held out, by what they say or else by their prompt."""
    undecided = [pair for pair in pairs if pair.split is None]
    training, held_out = split_by_prompt(undecided, share, lambda pair: pair.prompt)
    training = [*(pair for pair in pairs if pair.split == "train"), *training]
    return training, [*(pair for pair in pairs if pair.split == "held"), *held_out]


def hash_of(pairs: Sequence[Preference]) -> str:
    """Return a hash of the content of pairs."""
    text = "\n".join(json.dumps(pair.row(), sort_keys=True) for pair in pairs)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:16]


def freeze(rm: Rm, layers: int) -> None:
    """Exclude the embeddings and the lowest layers of a model from the training.

    Raises:
        RewardError: the model has fewer layers.
    """
    if not layers:
        return
    backbone = backbone_of(rm.model)
    stack = getattr(backbone, "layers", None) or getattr(getattr(backbone, "encoder", None), "layer", None)
    if stack is None or len(stack) < layers:
        raise RewardError(
            f"{rm.name}: cannot freeze {layers} layers of {type(rm.model).__name__}, which has"
            f" {len(stack) if stack is not None else 'none that are known'}; give fewer"
        )
    frozen = [stack[i] for i in range(layers)]
    frozen += [module for name, module in backbone.named_children() if "embed" in name]
    for module in frozen:
        module.requires_grad_(False)


def backward(rm: Rm, batch: Sequence[Ranked], settings: RmTraining) -> float:
    """Compute the gradients of a batch, in passes of about `batch_tokens` tokens, and return its loss."""
    total = 0.0
    for part in _passes(batch, settings.batch_tokens):
        scores = rm.forward([one for ranked in part for one in ranked.inputs]).float()
        start, losses = 0, []
        for ranked in part:
            own = scores[start : start + len(ranked.inputs)]
            start += len(ranked.inputs)
            loss, _ = bradley_terry_loss(
                own[ranked.better],
                own[ranked.worse],
                margin_B=torch.tensor(ranked.margins, device=own.device),
                centring=settings.centring,
                label_smoothing=settings.label_smoothing,
            )
            losses.append(loss)
        loss = torch.stack(losses).sum() / len(batch)
        loss.backward()
        total += loss.item()
    return total


def _passes(batch: Sequence[Ranked], budget: int) -> Iterator[list[Ranked]]:
    """Yield the prompts of a batch in parts whose inputs fit into one forward pass."""
    part: list[Ranked] = []
    for ranked in sorted(batch, key=lambda one: -max(len(item.ids) for item in one.inputs)):
        if part and sum(one.tokens for one in part) + ranked.tokens > budget:
            yield part
            part = []
        part.append(ranked)
    if part:
        yield part


def save_rm(rm: Rm, out: Path, more: dict[str, Any]) -> None:
    """Write a model, its tokenizer and rm.json to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    rm.model.save_pretrained(out)
    rm.tokenizer.save_pretrained(out)
    (out / ABOUT).write_text(json.dumps({**rm.about(), **more}, indent=1) + "\n", encoding="utf-8")
