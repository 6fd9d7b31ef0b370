"""Scores of process reward models: each family beside a computation by hand, in batches of any size."""

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from markscheme.rewards.models.prm import scorer_of
from markscheme.rewards.models.prm_formats import find_format
from markscheme.rewards.models.prm_torch import load_prm
from markscheme.rewards.models.torch_runtime import by_length
from markscheme.sandbox import RewardError
from prm_by_hand import scores_by_hand
from prm_models import FAMILIES, PROMPT, STEPS, save_prm
from support import PrmFolder


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_gives_the_scores_that_its_model_card_computes(
    family: str, prm_folder: PrmFolder
) -> None:
    folder = prm_folder(family)
    model = load_prm(folder, find_format(family))
    prompts = [PROMPT, "of", PROMPT + " is x1"]
    answers = [STEPS, STEPS[:1], [*STEPS, *STEPS, "the numbers"]]
    inputs = [model.encoder(prompt, steps) for prompt, steps in zip(prompts, answers, strict=True)]
    scores = model.score(inputs)  # in one batch, so with padding
    for prompt, steps, row in zip(prompts, answers, scores, strict=True):
        assert row == pytest.approx(scores_by_hand(family, folder, prompt, steps), abs=1e-5)
    # Scores that are all alike would agree with anything.
    assert len({round(score, 4) for row in scores for score in row}) > 5


def test_batches_are_of_similar_length_and_change_no_score(prm_folder: PrmFolder) -> None:
    model = load_prm(prm_folder("trl"), find_format("trl"))
    inputs = [model.encoder(PROMPT, (STEPS * 9)[:count]) for count in (1, 25, 2, 13, 1, 7, 20)]
    lengths = [len(encoded.ids) for encoded in inputs]
    batches = list(by_length(lengths, 200))
    assert sorted(i for batch in batches for i in batch) == list(range(7))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 200 or len(batch) == 1 for batch in batches)
    scores = model.score(inputs)
    model.batch_tokens = 60
    for row, in_small_batches in zip(scores, model.score(inputs), strict=True):
        assert row == pytest.approx(in_small_batches, abs=1e-6)


def test_a_probability_of_zero_shifts_no_other_score(tmp_path: Path) -> None:
    """Qwen's published helper drops zeros and pairs up the remaining numbers, so the steps behind one shift."""
    folder = save_prm(tmp_path / "qwen", "qwen")
    weights = load_file(folder / "model.safetensors")
    weights["score.2.weight"] *= 1e4  # so that probabilities become exactly 0 or 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    model = load_prm(folder, find_format("qwen"))
    (scores,) = model.score([model.encoder(PROMPT, STEPS * 4)])
    assert len(scores) == len(STEPS) * 4
    assert 0.0 in scores or 1.0 in scores
    assert scores == pytest.approx(scores_by_hand("qwen", folder, PROMPT, STEPS * 4), abs=1e-6)


def test_a_head_whose_weights_are_missing_is_refused(tmp_path: Path) -> None:
    """transformers would fill it with random numbers, and every score would be chance."""
    folder = save_prm(tmp_path / "trl", "trl")
    weights = load_file(folder / "model.safetensors")
    weights.pop("score.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RewardError, match=r"lack score\.weight"):
        load_prm(folder, find_format("trl"))


def test_a_model_that_does_not_fit_its_format_is_refused(prm_folder: PrmFolder) -> None:
    with pytest.raises(RewardError, match="reads 2 number"):
        load_prm(prm_folder("math_shepherd"), find_format("qwen"))
    with pytest.raises(RewardError, match="cannot be loaded"):
        load_prm("/no/such/folder", find_format("trl"))


def test_a_model_is_loaded_once_for_all_entries_with_the_same_settings(prm_folder: PrmFolder) -> None:
    settings = (str(prm_folder("trl")), "trl", "torch", "auto", "float32", 8192)
    assert scorer_of(*settings) is scorer_of(*settings)  # type: ignore[arg-type]
