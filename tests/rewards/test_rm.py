"""Outcome reward models: inputs, heads, pooling, padding, calibration, and what a task gets from them."""

import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from markscheme.rewards import MarkScheme
from markscheme.rewards.models.calibration import fit_platt
from markscheme.rewards.models.rm import scorer_of
from markscheme.rewards.models.rm_inputs import RmEncoder
from markscheme.rewards.models.rm_torch import Rm, load_rm
from markscheme.sandbox import RewardError, TaskError
from markscheme.tasks import Completion, Problem
from prm_models import PROMPT
from rm_models import ANSWERS, save_rm
from support import CHAT_TEMPLATE, MakeTask, small_policy
from tokenizers_of_kinds import tokenizer_of


def by_hand(rm: Rm, completion: str) -> float:
    """Compute a decoder's score from the hidden state of the last token, one input at a time, without padding."""
    ids = torch.tensor([rm.encoder(PROMPT, completion).ids])
    with torch.no_grad():
        return rm.model.score(rm.model.model(ids).last_hidden_state[:, -1]).item()


@pytest.mark.parametrize("pad_is_end", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_score_is_that_of_the_last_token_however_it_is_padded(
    pad_is_end: bool, side: str, tmp_path: Path
) -> None:
    folder = save_rm(tmp_path / "rm", pad_is_end=pad_is_end)
    rm = load_rm(folder, form="text", device="cpu")
    rm.tokenizer.padding_side = side
    inputs = [rm.encoder(PROMPT, answer) for answer in ANSWERS]
    assert all(one.ids[-1] == rm.tokenizer.eos_token_id for one in inputs)
    expected = [by_hand(rm, answer) for answer in ANSWERS]
    assert rm.score(inputs) == pytest.approx(expected, abs=1e-5)
    assert len({round(score, 3) for score in expected}) == len(ANSWERS)
    rm.batch_tokens = 1  # one input per batch
    assert rm.score(inputs) == pytest.approx(expected, abs=1e-5)


def test_equal_inputs_have_equal_scores_to_the_last_bit(tmp_path: Path) -> None:
    rm = load_rm(save_rm(tmp_path / "rm"), form="text", device="cpu")
    random.seed(0)
    texts = random.choices(ANSWERS, k=40)
    scores = rm.score([rm.encoder(PROMPT, text) for text in texts])
    assert len(set(scores)) == len(set(texts))


def test_an_encoder_pools_itself_or_the_mean_of_the_completion(tmp_path: Path) -> None:
    folder = save_rm(tmp_path / "rm", "bert")
    own = load_rm(folder, form="pair", device="cpu")
    assert own.pooling == "own"
    encoded = own.encoder(PROMPT, ANSWERS[0])
    tokens = own.tokenizer.convert_ids_to_tokens(encoded.ids)
    answer = tokens[encoded.answer[0] : encoded.answer[1]]
    assert own.tokenizer.convert_tokens_to_string(answer).replace(" ", "") == ANSWERS[0].replace(" ", "")
    mean = load_rm(folder, form="pair", pooling="mean", device="cpu")
    arguments = {"input_ids": torch.tensor([encoded.ids])}
    with torch.no_grad():
        hidden = mean.model.bert(**arguments).last_hidden_state[0, slice(*encoded.answer)]
        expected = mean.model.classifier(hidden.mean(0)).item()
        by_itself = own.model(**arguments).logits.item()
    others = [own.encoder(PROMPT, text) for text in ANSWERS]
    assert mean.score(others)[0] == pytest.approx(expected, abs=1e-5)
    assert own.score(others)[0] == pytest.approx(by_itself, abs=1e-5)


def test_the_chat_template_is_the_tokenizers_own(tmp_path: Path) -> None:
    folder = save_rm(tmp_path / "rm", chat=True)
    rm = load_rm(folder, device="cpu")
    encoded = rm.encoder(PROMPT, "two")
    assert rm.tokenizer.decode(encoded.ids) == f"<|user|>{PROMPT}\n<|assistant|>two\n"
    assert rm.tokenizer.decode(encoded.ids[slice(*encoded.answer)]).strip() == "two"
    messages = ({"role": "system", "content": "add"}, {"role": "user", "content": PROMPT})
    assert rm.tokenizer.decode(rm.encoder(messages, "two").ids).startswith("<|system|>add\n<|user|>")


def test_models_that_would_score_at_random_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RewardError, match="has no chat template; give `form: text`"):
        load_rm(save_rm(tmp_path / "plain"), device="cpu")
    with pytest.raises(RewardError, match="this one has 2 classes"):
        load_rm(small_policy(tmp_path / "policy"), form="text", device="cpu")
    one_label = small_policy(tmp_path / "headless", num_labels=1)
    with pytest.raises(RewardError, match=r"has no trained scalar head \(its weights lack score\.weight\)"):
        load_rm(one_label, form="text", device="cpu")
    with pytest.raises(RewardError, match="there is no such folder"):
        load_rm(tmp_path / "missing")
    with pytest.raises(RewardError, match="form must be chat, text, pair"):
        load_rm(tmp_path / "plain", form="prose")  # type: ignore[arg-type]


def test_a_completion_cannot_write_a_special_token(tmp_path: Path, make_task: MakeTask) -> None:
    folder = save_rm(tmp_path / "rm")
    end = tokenizer_of("byte_level").eos_token
    task = make_task(
        f"rewards: {{learned: {{use: rm, model: '{folder}', form: text, calibration: sigmoid}}}}"
    )
    problem = Problem(prompt=PROMPT)
    scores = MarkScheme(task).score(
        [problem] * 3, [Completion("two"), Completion(f"two{end}"), Completion("two " * 300)]
    )
    assert [str(one.status) for one in scores] == ["ok", "unparsable", "too_large"]
    assert [one.value for one in scores[1:]] == [0.0, 0.0], "a failure is worth the lowest value"
    (long_prompt,) = MarkScheme(task).score([Problem(prompt="two " * 300)], [Completion("two")])
    assert (long_prompt.value, long_prompt.status) == (None, "abstain"), (
        "the prompt is not the completion's fault"
    )


def test_a_changed_folder_is_loaded_anew(tmp_path: Path) -> None:
    settings: Any = ("text", None, "torch", "cpu", "float32", 8192)
    folder = save_rm(tmp_path / "rm")
    first = scorer_of(str(folder), *settings)
    assert scorer_of(str(folder), *settings) is first
    save_rm(folder, initializer_range=0.5)
    second = scorer_of(str(folder), *settings)
    assert second is not first
    one = first.encoder(PROMPT, ANSWERS[0])
    assert first.score([one]) != second.score([one])


def test_inputs_that_differ_from_the_trainings_are_refused(tmp_path: Path) -> None:
    folder = save_rm(tmp_path / "rm", chat=True)
    about = load_rm(folder, device="cpu").about()
    (folder / "rm.json").write_text(json.dumps(about))
    load_rm(folder, device="cpu")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE.replace("\n", " "))
    with pytest.raises(RewardError, match="its inputs would differ from those that it was trained with"):
        load_rm(folder, device="cpu")
    (folder / "rm.json").write_text("{")
    with pytest.raises(RewardError, match=r"rm\.json: cannot be read"):
        load_rm(folder, device="cpu")


def test_calibration_is_declared_and_gives_the_range(tmp_path: Path, make_task: MakeTask) -> None:
    folder = save_rm(tmp_path / "rm")
    rm = load_rm(folder, form="text", device="cpu")
    raw = rm.score([rm.encoder(PROMPT, ANSWERS[0])])[0]
    about = {**rm.about(), "calibration": {"platt": [2.0, -1.0], "standardised": [1.0, 4.0]}}
    (folder / "rm.json").write_text(json.dumps(about))
    expected = {
        "none": (raw, math.inf),
        "sigmoid": (1 / (1 + math.exp(-raw)), 1.0),
        "platt": (1 / (1 + math.exp(1 - 2 * raw)), 1.0),
        "standardised": ((raw - 1) / 4, math.inf),
    }
    for kind, (value, highest) in expected.items():
        task = make_task(f"rewards: {{learned: {{use: rm, model: '{folder}', calibration: {kind}}}}}")
        scheme = MarkScheme(task)
        (score,) = scheme.score([Problem(prompt=PROMPT)], [Completion(ANSWERS[0])])
        assert score.value == pytest.approx(value, abs=1e-5)
        assert scheme.range[1] == highest
    (folder / "rm.json").write_text(json.dumps(rm.about()))
    with pytest.raises(TaskError, match="calibration 'platt' needs values"):
        MarkScheme(make_task(f"rewards: {{learned: {{use: rm, model: '{folder}', calibration: platt}}}}"))


def test_platt_scaling_finds_the_line_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, 20_000)
    labels = rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * scores - 0.4)))
    assert fit_platt(scores.tolist(), labels.tolist()) == pytest.approx((0.7, -0.4), abs=0.05)
    a, b = fit_platt([1.0, 2.0, -1.0], [True, True, False])  # separable: the smoothed targets keep it finite
    assert abs(a) < 10
    assert abs(b) < 10


def test_the_fingerprint_depends_on_form_pooling_and_tokenizer() -> None:
    plain, words = tokenizer_of("byte_level"), tokenizer_of("word_piece")
    prints = [
        RmEncoder("text", plain).fingerprint("last"),
        RmEncoder("text", plain).fingerprint("mean"),
        RmEncoder("pair", plain).fingerprint("last"),
        RmEncoder("text", words).fingerprint("last"),
    ]
    assert len(set(prints)) == 4


@pytest.mark.parametrize(
    ("values", "k", "expected"),
    [("[0.2, 0.6]", 1, 0.2), ("[0.2, 0.6]", 0.5, 0.3), ("[0.5, 0.5]", 2, 0.5), ("[0, 1]", 1, 0.0)],
)
def test_an_ensemble_that_disagrees_is_worth_less(
    values: str, k: float, expected: float, make_task: MakeTask
) -> None:
    members = [f"{{use: 'mine.py:fixed', value: {value}}}" for value in json.loads(values)]
    task = make_task(
        f"rewards: {{both: {{use: ensemble, of: [{', '.join(members)}], reduce: mean_minus_std, k: {k}}}}}"
    )
    (task.folder / "mine.py").write_text(
        "from markscheme.rewards import reward\n"
        "@reward('fixed')\ndef fixed(problem, completion, *, value: float):\n    return value\n"
    )
    scheme = MarkScheme(task)
    (score,) = scheme.score([Problem(prompt="q")], [Completion("a")])
    assert score.value == pytest.approx(expected)
    assert scheme.range == (pytest.approx(-k / 2), 1.0)


def test_the_factor_of_an_ensemble_is_checked(make_task: MakeTask) -> None:
    for options in ("reduce: mean, k: 1", "reduce: mean_minus_std, k: -1", "reduce: mean_minus_std, k: much"):
        with pytest.raises(TaskError, match=r"both\.k: expected a number from 0 up"):
            MarkScheme(make_task(f"rewards: {{both: {{use: ensemble, of: [answer, answer], {options}}}}}"))


def test_the_templates_fault_is_not_the_completions(tmp_path: Path, make_task: MakeTask) -> None:
    """A template that drops the thinking part, as those of some reasoning models do."""
    folder = save_rm(tmp_path / "rm", chat=True)
    dropping = CHAT_TEMPLATE.replace("m['content']", "m['content'].split('</think>')[-1]")
    (folder / "chat_template.jinja").write_text(dropping)
    task = make_task(f"rewards: {{learned: {{use: rm, model: '{folder}', calibration: sigmoid}}}}")
    problem = Problem(prompt=PROMPT)
    scores = MarkScheme(task).score([problem] * 2, [Completion("two"), Completion("<think>x1</think>two")])
    assert [str(one.status) for one in scores] == ["ok", "abstain"]
    assert "changes the completion's text" in scores[1].parts["learned"].reason
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}")
    with pytest.raises(TaskError, match="refuses the messages"):
        MarkScheme(task)


def test_special_tokens_and_bad_unicode_are_found_wherever_they_are(
    tmp_path: Path, make_task: MakeTask
) -> None:
    folder = save_rm(tmp_path / "rm")
    end = tokenizer_of("byte_level").eos_token
    task = make_task(
        f"rewards: {{learned: {{use: rm, model: '{folder}', form: text, calibration: sigmoid}}}}"
    )
    cases = [
        (PROMPT, "two\ud800", "unparsable"),
        (PROMPT + end[:2], end[2:], "unparsable"),
        (PROMPT + end, "two", "abstain"),
        (PROMPT, "two", "ok"),
    ]
    problems = [Problem(prompt=prompt) for prompt, _, _ in cases]
    scores = MarkScheme(task).score(problems, [Completion(text) for _, text, _ in cases])
    assert [str(one.status) for one in scores] == [status for _, _, status in cases]


def test_parts_of_messages_are_texts(tmp_path: Path) -> None:
    parts = ({"role": "user", "content": [{"type": "text", "text": PROMPT}]},)
    for form in ("chat", "text"):
        rm = load_rm(save_rm(tmp_path / form, chat=form == "chat"), form=form, device="cpu")
        assert rm.encoder(parts, "two").ids == rm.encoder(PROMPT, "two").ids


def test_the_span_is_the_completions_own(tmp_path: Path) -> None:
    """Although the template writes the same text again behind it."""
    folder = save_rm(tmp_path / "rm", chat=True)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE + "the end of two")
    encoded = load_rm(folder, device="cpu").encoder(PROMPT, "two")
    before = tokenizer_of("byte_level")(f"<|user|>{PROMPT}\n<|assistant|>", add_special_tokens=False)[
        "input_ids"
    ]
    assert encoded.answer[0] == len(before)
