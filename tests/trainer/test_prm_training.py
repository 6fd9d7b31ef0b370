"""Training process reward models: they learn their labels, and rows that teach nothing are reported."""

import json
import math
from pathlib import Path

import pytest
import torch

from markscheme.rewards.models.prm_formats import find_format
from markscheme.rewards.models.prm_torch import load_prm
from markscheme.rewards.rows.labelled_steps import LabelledSteps
from markscheme.sandbox import DataError, RewardError
from markscheme.trainer.models.built_in.tiny import build_tokenizer
from markscheme.trainer.reward_models.held_out import split_by_prompt
from markscheme.trainer.reward_models.prm_training import PrmTraining, step_loss, train_prm
from prm_models import save_prm
from support import PrmFolder


def learnable_rows(count: int) -> list[LabelledSteps]:
    """Return rows in which the steps with `two` are wrong, which a model of a few thousand weights can learn."""
    rows = []
    for i in range(count):
        words = ["two" if (i >> bit) & 1 else "numbers" for bit in range(3)]
        steps = tuple(f"the sum is {word}" for word in words)
        rows.append(LabelledSteps(f"x1 of {i}", steps, tuple(float(word != "two") for word in words)))
    return rows


def prompt_of(row: LabelledSteps) -> str:
    return row.prompt


TOO_LONG = LabelledSteps("p", ("the sum " * 600,), (1.0,))
"""Longer than the 512 tokens that the models here read."""


@pytest.mark.parametrize("form", ["classes", "trl", "math_shepherd"])
def test_training_learns_the_labels_and_saves_what_was_measured(
    form: str, tmp_path: Path, prm_folder: PrmFolder
) -> None:
    source = prm_folder("math_shepherd" if form == "math_shepherd" else "trl")
    settings = PrmTraining(form=form, epochs=12, batch_rows=16, lr=3e-3, held_out=0.2)
    report = train_prm(learnable_rows(120), source, tmp_path / "out", settings, device="cpu")
    assert report.too_long == 0
    assert report.held_out.balanced_accuracy is not None
    assert report.held_out.balanced_accuracy > 0.9
    assert report.loss < 0.3
    saved = load_prm(tmp_path / "out", find_format(form))
    _, held_out_rows = split_by_prompt(learnable_rows(120), 0.2, prompt_of)
    right = []
    for row in held_out_rows:
        (scores,) = saved.score([saved.encoder(row.prompt, row.steps)])
        right += [(score >= 0.5) == bool(label) for score, label in zip(scores, row.labels, strict=True)]
    assert sum(right) / len(right) > 0.9
    assert json.loads((tmp_path / "out" / "prm.json").read_text())["form"] == form


def test_rows_with_the_same_prompt_are_held_out_together() -> None:
    train, held_out = split_by_prompt(learnable_rows(50) * 3, 0.3, prompt_of)
    assert held_out
    assert not {row.prompt for row in train} & {row.prompt for row in held_out}


def test_training_without_a_single_label_is_an_error(tmp_path: Path, prm_folder: PrmFolder) -> None:
    unlabelled = [LabelledSteps("p", ("x1",), (None,))] * 5
    settings = PrmTraining(held_out=0)
    with pytest.raises(DataError, match="nothing to learn from: no step of 5 rows has a label"):
        train_prm(unlabelled, prm_folder("trl"), tmp_path / "out", settings, device="cpu")
    with pytest.raises(DataError, match="2 rows are longer"):
        train_prm([TOO_LONG] * 2, prm_folder("trl"), tmp_path / "out", settings, device="cpu")
    assert not (tmp_path / "out").exists()


def test_a_format_that_is_for_scoring_only_cannot_be_trained(tmp_path: Path, prm_folder: PrmFolder) -> None:
    settings = PrmTraining(form="skywork")
    with pytest.raises(RewardError, match="is for scoring only"):
        train_prm(learnable_rows(3), prm_folder("skywork"), tmp_path / "out", settings, device="cpu")


def test_rows_that_the_tokenizer_cannot_read_are_left_out(tmp_path: Path) -> None:
    folder = save_prm(tmp_path / "digits", "math_shepherd")
    build_tokenizer(tuple(dict.fromkeys("Step:0123456789+-=?What is ки\n"))).save_pretrained(folder)
    rows = [LabelledSteps("2+2", ("ZEBRAS JUMP OVER FOG",), (1.0,))] * 3
    settings = PrmTraining(form="math_shepherd", held_out=0)
    with pytest.raises(DataError, match="3 cannot be read by its tokenizer"):
        train_prm(rows, folder, tmp_path / "out", settings, device="cpu")
    good, special = LabelledSteps("2+2", ("2+2=4",), (1.0,)), LabelledSteps("2+2", ("2+2=ки",), (1.0,))
    report = train_prm([good, *rows, special], folder, tmp_path / "out", settings, device="cpu")
    assert (report.unreadable, report.too_long, report.trained_steps) == (4, 0, 1)


def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path: Path, prm_folder: PrmFolder) -> None:
    settings = PrmTraining(form="trl", epochs=1, held_out=0.0)
    rows = [*learnable_rows(20), TOO_LONG]
    report = train_prm(rows, prm_folder("trl"), tmp_path / "out", settings, device="cpu")
    assert (report.too_long, report.trained_steps) == (1, 60)


def test_the_loss_is_the_cross_entropy_of_the_labelled_steps() -> None:
    logits = torch.tensor([[0.0, 2.0], [1.0, 1.0], [3.0, 0.0], [5.0, 5.0]])  # of bad and good, by step
    loss = step_loss(logits, [[1.0, 0.25], [0.0, None]])
    by_hand = math.log1p(math.exp(-2)) + math.log(2) + math.log1p(math.exp(-3))
    assert loss.item() == pytest.approx(by_hand, abs=1e-6)
    assert step_loss(logits[:1], [[None]]).item() == 0.0
