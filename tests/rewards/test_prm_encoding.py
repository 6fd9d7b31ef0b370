"""Inputs of process reward models: scores are read at the right tokens, and every doubt about that is an error."""

import dataclasses

import pytest

from markscheme.rewards.models.prm_formats import Encoder, find_format
from markscheme.rewards.models.prm_torch import load_prm
from markscheme.sandbox import RewardError, UnknownNameError
from prm_models import PROMPT, STEPS
from support import PrmFolder
from tokenizers_of_kinds import tokenizer_of


def test_steps_that_are_numbered_already_are_not_numbered_again(prm_folder: PrmFolder) -> None:
    model = load_prm(prm_folder("math_shepherd"), find_format("math_shepherd"))
    numbered = [f"Step {number}: {step}" for number, step in enumerate(STEPS, 1)]
    assert model.encoder(PROMPT, numbered) == model.encoder(PROMPT, STEPS)
    mentioned = model.encoder(PROMPT, ["as in Step 2: two"])
    assert "as in Step 2: two" in model.tokenizer.decode(mentioned.ids)


@pytest.mark.parametrize(
    ("family", "mark"),
    [("qwen", "<extra_0>"), ("qwen", "<|im_end|>"), ("math_shepherd", "ки"), ("rlhflow", "<eos>")],
)
def test_a_step_that_contains_a_mark_of_the_format_is_refused(
    family: str, mark: str, prm_folder: PrmFolder
) -> None:
    """A policy that wrote the separator would otherwise shift the scores of all later steps."""
    model = load_prm(prm_folder(family), find_format(family))
    with pytest.raises(RewardError, match="step 2 contains"):
        model.encoder(PROMPT, ["x1", f"two {mark} of", "sum"])


def test_a_tokenizer_without_the_marks_of_the_format_is_refused() -> None:
    characters = tokenizer_of("characters")
    with pytest.raises(RewardError, match="no token for 'ки'"):
        Encoder(find_format("math_shepherd"), characters)
    # Every tokenizer here has <extra_0>, and none <extra_1>.
    other_mark = dataclasses.replace(find_format("qwen"), tag="<extra_1>")
    with pytest.raises(RewardError, match="no token for '<extra_1>'"):
        Encoder(other_mark, characters)
    with pytest.raises(RewardError, match="no token for '<extra_1>'"):  # would be several, the last one `>`
        Encoder(other_mark, tokenizer_of("byte_level"))


def test_a_format_with_messages_needs_a_chat_template() -> None:
    with pytest.raises(RewardError, match="chat template"):
        Encoder(find_format("qwen"), tokenizer_of("byte_level_gpt2"))(PROMPT, STEPS)


def test_an_unknown_format_is_an_error_that_suggests_a_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'qwen'"):
        find_format("qwn")


def test_places_that_do_not_hold_the_expected_token_are_an_error(prm_folder: PrmFolder) -> None:
    """As if the chat template wrote other answers than the format scores."""
    model = load_prm(prm_folder("rlhflow"), find_format("rlhflow"))
    bad, good = model.encoder.answer_ids
    model.encoder.answer_ids = (good, bad)
    with pytest.raises(RewardError, match="3 steps, but only 0 of their marks"):
        model.encoder(PROMPT, STEPS)


def test_a_chat_template_that_changes_or_refuses_the_messages_is_an_error(prm_folder: PrmFolder) -> None:
    model = load_prm(prm_folder("qwen"), find_format("qwen"))
    model.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}"
    with pytest.raises(RewardError, match="does not write"):
        model.encoder(PROMPT, STEPS)
    model.tokenizer.chat_template = "{{ raise_exception('no system text') }}"
    with pytest.raises(RewardError, match="refuses the messages: no system text"):
        model.encoder(PROMPT, STEPS)


def test_scoring_joins_prompt_and_steps_as_trl_s_training_does(prm_folder: PrmFolder) -> None:
    """TRL's documented inference joins them otherwise than its training."""
    model = load_prm(prm_folder("trl"), find_format("trl"))
    encoded = model.encoder(PROMPT, STEPS)

    def ids_of(text: str) -> list[int]:
        return model.tokenizer(text, add_special_tokens=False)["input_ids"]

    expected = [*ids_of(PROMPT)]
    for step in STEPS:
        expected += ids_of(step) + ids_of("\n")
    assert encoded.ids == expected
    assert len(encoded.places) == len(STEPS)
