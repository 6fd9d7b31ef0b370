"""Preference pairs and training on them: the loss, the formats of rows, pairs of scores, and the commands."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learned_runs import letter_pairs
from markscheme.rewards.models.rm_torch import load_rm
from markscheme.rewards.rows.preferences import Preference, preferences_of, read_preferences
from markscheme.rewards.rows.read_scores import rows_of_mappings
from markscheme.rewards.score import Status
from markscheme.sandbox import DataError, RewardError
from markscheme.trainer import bradley_terry_loss
from markscheme.trainer.commands.cli import main
from markscheme.trainer.reward_models.pairs import PairOptions, length_balanced, pairs_of_rows
from markscheme.trainer.reward_models.quality import measure
from markscheme.trainer.reward_models.rm_examples import encode
from markscheme.trainer.reward_models.rm_training import RmTraining, train_rm
from support import CHAT_TEMPLATE, rows_in, small_policy

T = torch.tensor
F64 = torch.float64


@pytest.mark.parametrize(
    ("options", "expected", "source"),
    [
        ({}, 0.31326, "TRL's RewardTrainer: -logsigmoid(2 - 1)"),
        ({"margin_B": T([0.5])}, 0.47408, "TRL: -logsigmoid(1 - 0.5)"),
        ({"centring": 0.01}, 0.40326, "TRL: 0.31326 + 0.01 (2 + 1)^2"),
        ({"label_smoothing": 0.1}, 0.41326, "0.9 * 0.31326 + 0.1 * 1.31326"),
    ],
)
def test_the_loss_has_the_published_values(options: dict[str, Any], expected: float, source: str) -> None:
    loss, stats = bradley_terry_loss(T([2.0]), T([1.0]), **options)
    assert loss.item() == pytest.approx(expected, abs=1e-5), source
    assert stats["level"].item() == 1.5


@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), min_size=1, max_size=8), st.floats(-5, 5))
def test_the_loss_depends_on_differences_only_and_falls_with_them(
    pairs: list[tuple[float, float]], shift: float
) -> None:
    chosen, rejected = T([a for a, _ in pairs], dtype=F64), T([b for _, b in pairs], dtype=F64)
    loss, stats = bradley_terry_loss(chosen, rejected)
    assert loss.item() == pytest.approx(
        bradley_terry_loss(chosen + shift, rejected + shift)[0].item(), abs=1e-9
    )
    assert loss.item() >= bradley_terry_loss(chosen + 1, rejected)[0].item() - 1e-12
    assert stats["accuracy"].item() == pytest.approx(sum(a > b for a, b in pairs) / len(pairs))


def test_the_gradient_is_that_of_a_logistic_regression() -> None:
    chosen = T([0.3, -1.0], requires_grad=True)
    loss, _ = bradley_terry_loss(chosen, T([0.0, 0.0]))
    loss.backward()
    assert chosen.grad is not None
    assert chosen.grad.tolist() == pytest.approx([-1 / (1 + math.exp(x)) / 2 for x in (0.3, -1.0)], abs=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        {"chosen_B": T([]), "rejected_B": T([])},
        {"chosen_B": T([1.0]), "rejected_B": T([1.0, 2.0])},
        {"chosen_B": T([1.0]), "rejected_B": T([1.0]), "margin_B": T([1.0, 1.0])},
        {"chosen_B": T([1.0]), "rejected_B": T([1.0]), "centring": -1},
        {"chosen_B": T([1.0]), "rejected_B": T([1.0]), "label_smoothing": 0.5},
    ],
)
def test_wrong_arguments_of_the_loss_are_errors(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="given"):
        bradley_terry_loss(**arguments)


USER = [{"role": "user", "content": "hi"}]
GOOD, BAD = [{"role": "assistant", "content": "good"}], [{"role": "assistant", "content": "bad"}]
HH = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: more"


@pytest.mark.parametrize(
    ("row", "prompt", "count"),
    [
        ({"prompt": "hi", "chosen": "good", "rejected": "bad"}, "hi", 1),
        ({"prompt": USER, "chosen": GOOD, "rejected": BAD}, "hi", 1),
        ({"prompt": USER, "chosen": "good", "rejected": "bad"}, "hi", 1),
        ({"prompt": "hi", "chosen": USER + GOOD, "rejected": USER + BAD}, "hi", 1),
        ({"chosen": USER + GOOD, "rejected": USER + BAD}, "hi", 1),
        ({"prompt": "hi", "chosen": ["good"], "rejected": ["bad", "worse", "no"], "subset": "Ties"}, "hi", 3),
        ({"chosen": f"{HH}\n\nAssistant: good", "rejected": f"{HH}\n\nAssistant: bad"}, "more", 1),
        ({"prompt": "hi", "ranked": ["good", "fair", "poor", "bad"]}, "hi", 6),
    ],
)
def test_rows_of_all_formats_are_pairs(row: dict[str, Any], prompt: str, count: int) -> None:
    """TRL (text, messages, implicit prompt), UltraFeedback, RewardBench 1 and 2, HH, and rankings of four."""
    pairs = list(preferences_of(row))
    assert len(pairs) == count
    assert pairs[0].chosen == "good"
    assert pairs[-1].rejected in ("bad", "no")
    last = pairs[0].prompt if isinstance(pairs[0].prompt, str) else pairs[0].prompt[-1]["content"]
    assert last == prompt
    again = list(preferences_of(json.loads(json.dumps(pairs[0].row()))))
    assert again == pairs[:1], "what is written is read again as it was"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "hi", "chosen": "good"}, "no `rejected`"),
        ({"prompt": "hi", "rejected": "bad", "chosen": ""}, "no `chosen`"),
        ({"chosen_ids": [1], "rejected_ids": [2]}, "tokenised pairs cannot be read"),
        ({"prompt": "hi", "chosen": "same", "rejected": "same"}, "are equal"),
        ({"chosen": "good", "rejected": "bad"}, "not transcripts"),
        ({"chosen": USER + GOOD, "rejected": [*USER, *GOOD, *BAD]}, "equal but for their last message"),
        ({"prompt": "hi", "ranked": ["one"]}, "two or more"),
        ({"prompt": "hi", "chosen": "a", "rejected": "b", "margin": "much"}, "margin"),
    ],
)
def test_one_sided_and_unusable_rows_are_errors(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(preferences_of(row))
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        json.dumps({"prompt": "hi", "chosen": "a", "rejected": "b"}) + "\n" + json.dumps(row) + "\n"
    )
    with pytest.raises(DataError, match=r"1 row\(s\) cannot be read as preferences:\n.*pairs\.jsonl:2"):
        read_preferences(path)


def score_row(
    text: str, right: bool | None, *, status: str = "ok", value: float = 0.0, problem: str = "p"
) -> dict[str, Any]:
    """Return a row as `markscheme score` writes it."""
    verdict = {"correct": right, "reason": "equal"}
    part = {"value": value, "weight": 1.0, "status": status, "verdict": verdict}
    return {
        "schema": 2, "task": "t", "task_hash": "h", "problem": problem, "prompt": f"q {problem}", "completion": text,
        "value": value, "status": status, "right": right, "parts": {"correct": part},
    }  # fmt: skip


def pairs_from(rows: list[dict[str, Any]], **options: Any) -> list[Preference]:
    settings = PairOptions(**{"per_problem": None, "held_out": 0.0, **options})
    return [pair for group in pairs_of_rows(rows_of_mappings(rows), settings) for pair in group]


def test_pairs_are_right_over_wrong_of_one_group_and_never_of_what_is_not_known() -> None:
    rows = [
        score_row("r1", True), score_row("r2", True), score_row("w1", False), score_row("w1", False),
        score_row("undecided", None),
        *(score_row(str(status), False, status=status) for status in Status if status != Status.OK),
        score_row("both", True), score_row("both", False), score_row("", False),
        score_row("other", True, problem="p2"), score_row("another", True, problem="p2"),
    ]  # fmt: skip
    assert {(pair.chosen, pair.rejected) for pair in pairs_from(rows)} == {("r1", "w1"), ("r2", "w1")}
    unanswered = {pair.rejected for pair in pairs_from(rows, unanswered=True)}
    assert unanswered == {"w1", "no_answer"}


def test_a_ranking_of_four_has_six_pairs_with_their_margins() -> None:
    rows = [score_row(f"v{i}", i > 1, value=i / 4) for i in range(4)]
    pairs = pairs_from(rows, by="value", margin=2.0)
    assert len(pairs) == 6
    assert {(pair.chosen, pair.rejected): pair.margin for pair in pairs}["v3", "v1"] == 1.0
    assert all(pair.chosen > pair.rejected for pair in pairs)


def test_pairs_of_a_problem_are_capped_and_ties_stand_in_both_orders() -> None:
    rows = [score_row(f"{right}{i}", right) for i in range(8) for right in (True, False)]
    pairs = pairs_from(rows, per_problem=5)
    assert len(pairs) == 5
    assert pairs == pairs_from(rows, per_problem=5), "the choice depends on the seed only"
    with_ties = pairs_from(rows, per_problem=1, ties=3)
    tied = {(pair.chosen, pair.rejected) for pair in with_ties[1:]}
    assert len(tied) == 6
    assert tied == {(b, a) for a, b in tied}


def test_lengths_are_balanced() -> None:
    rows = [score_row("long right" * n, True) for n in range(1, 9)] + [
        score_row("w", False),
        score_row("w" * 200, False),
    ]
    pairs = length_balanced(pairs_from(rows), 0)
    longer = [len(pair.chosen) > len(pair.rejected) for pair in pairs]
    assert sum(longer) == len(longer) - sum(longer) > 0


def trained(tmp_path: Path, pairs: list[Preference], **settings: Any) -> Any:
    defaults = {"epochs": 6, "batch_prompts": 8, "lr": 3e-3, "held_out": 0.2}
    policy = small_policy(tmp_path / "policy", chat=settings.get("form") == "chat")
    return train_rm(pairs, policy, tmp_path / "rm", RmTraining(**{**defaults, **settings}), device="cpu")


@pytest.mark.parametrize("form", ["text", "chat"])
def test_training_learns_pairs_and_saves_what_was_measured(form: Any, tmp_path: Path) -> None:
    """A head is added to the policy, which has none."""
    report = trained(tmp_path, letter_pairs(400), form=form)
    assert report.held_out.accuracy is not None
    assert report.held_out.accuracy > 0.9
    assert report.held_out.pairs + report.pairs == 400
    rm = load_rm(tmp_path / "rm", device="cpu")
    assert rm.encoder.form == form
    again = measure(rm, [pair.model_copy(update={"problem": ""}) for pair in letter_pairs(200, seed=5)])
    assert again.accuracy is not None
    assert again.accuracy > 0.9
    about = json.loads((tmp_path / "rm/rm.json").read_text())
    assert about["held_out"]["accuracy"] == report.held_out.accuracy
    assert about["calibration"]["completions"] > 0


def test_the_k_wise_loss_averages_the_pairs_of_a_prompt_before_the_prompts(tmp_path: Path) -> None:
    """Twenty copies of one prompt's pair weigh as much as the one pair of another prompt."""
    pair, other = letter_pairs(2)
    from markscheme.trainer.reward_models.rm_training import backward

    rm = load_rm(small_policy(tmp_path / "policy"), form="text", device="cpu", new_head=True)
    torch.manual_seed(0)
    torch.nn.init.normal_(rm.model.score.weight)
    settings = RmTraining(centring=0.0)
    once = backward(rm, encode(rm, [pair, other]).items, settings)
    many = backward(rm, encode(rm, [*[pair] * 20, other]).items, settings)
    assert once == pytest.approx(many, abs=1e-6)
    gradient = [p.grad.clone() for p in rm.model.parameters() if p.grad is not None]
    rm.model.zero_grad()
    split = backward(rm, encode(rm, [pair, other]).items, RmTraining(centring=0.0, batch_tokens=1))
    assert split == pytest.approx(once, abs=1e-6)
    halves = [p.grad for p in rm.model.parameters() if p.grad is not None]
    for whole, part in zip(gradient, halves, strict=True):
        assert torch.allclose(whole, 2 * part, atol=1e-5), "passes of any size add up to the same gradient"


def test_a_prompt_with_many_completions_is_split_but_measured_as_one(tmp_path: Path) -> None:
    pairs = [pair.model_copy(update={"prompt": "1+1=", "problem": "1"}) for pair in letter_pairs(20)]
    rm = load_rm(small_policy(tmp_path / "policy"), form="text", device="cpu", new_head=True)
    (together,) = encode(rm, pairs).items
    rm.batch_tokens = together.tokens // 4
    parts = encode(rm, pairs).items
    assert len(parts) > 3
    assert all(part.tokens <= rm.batch_tokens for part in parts)
    assert sum(len(part.better) for part in parts) == len(pairs)
    quality = measure(rm, pairs)
    assert (quality.prompts, quality.pairs) == (1, 20)


def test_what_cannot_be_learned_from_is_counted_or_refused(tmp_path: Path) -> None:
    long = Preference(prompt="1+1=", chosen="k" * 400, rejected="a")
    special = Preference(prompt="1+2=", chosen="k<eos>", rejected="a")
    report = trained(tmp_path, [*letter_pairs(40), long, special], epochs=1, held_out=0.0)
    assert (report.too_long, report.unreadable, report.pairs) == (1, 1, 40)
    assert report.held_out.accuracy is None
    with pytest.raises(DataError, match="1 are longer than the model's 256 tokens and 1 cannot be read"):
        trained(tmp_path, [long, special], held_out=0.0)
    with pytest.raises(
        RewardError, match="cannot freeze 3 layers of LlamaForSequenceClassification, which has 2"
    ):
        trained(tmp_path, letter_pairs(40), freeze_layers=3)


def test_frozen_layers_stay_as_they_are(tmp_path: Path) -> None:
    trained(tmp_path, letter_pairs(40), epochs=1, freeze_layers=1)
    before = load_rm(tmp_path / "policy", form="text", device="cpu", new_head=True).model.model
    after = load_rm(tmp_path / "rm", device="cpu").model.model
    assert torch.equal(before.embed_tokens.weight, after.embed_tokens.weight)
    layers = [dict(model.layers[i].named_parameters()) for model in (before, after) for i in (0, 1)]
    assert all(torch.equal(layers[0][name], layers[2][name]) for name in layers[0])
    assert not all(torch.equal(layers[1][name], layers[3][name]) for name in layers[1])


def test_the_commands_make_pairs_and_a_model_of_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_policy(tmp_path / "policy")
    rows = []
    for i in range(60):
        for text, right in ((f"k{i}", True), (f"a{i}", False), (f"b{i}c", False)):
            rows.append(score_row(text, right, problem=f"p{i}"))
    scores = tmp_path / "scores.jsonl"
    scores.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = tmp_path / "pairs.jsonl"
    assert main(["pairs", str(scores), "-o", str(pairs), "--held-out", "0.2", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["pairs"] == 120 == len(rows_in(pairs))
    assert figures["held"] == sum(row["split"] == "held" for row in rows_in(pairs)) > 0
    arguments = [
        "--model",
        str(tmp_path / "policy"),
        "-o",
        str(tmp_path / "rm"),
        "--device",
        "cpu",
        "--lr",
        "3e-3",
    ]
    assert main(["train-rm", str(pairs), *arguments, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["held_out"]["pairs"] == sum(row["split"] == "held" for row in rows_in(pairs))
    one_sided = tmp_path / "one.jsonl"
    one_sided.write_text("".join(json.dumps(row) + "\n" for row in rows if row["right"]))
    assert main(["pairs", str(one_sided), "-o", str(tmp_path / "none.jsonl")]) == 2
    assert "no group has both a right and a wrong completion" in capsys.readouterr().err
    assert not (tmp_path / "none.jsonl").exists()
    assert main(["train-rm", str(tmp_path / "none.jsonl"), *arguments]) == 2
    assert "`markscheme pairs` writes one" in capsys.readouterr().err


def test_the_template_of_a_chat_is_used_for_training_too(tmp_path: Path) -> None:
    assert "<|assistant|>" in CHAT_TEMPLATE
    trained(tmp_path, letter_pairs(40), epochs=1)
    assert load_rm(tmp_path / "rm", device="cpu").encoder.form == "text"


def test_an_encoder_with_a_head_of_two_layers_learns(tmp_path: Path) -> None:
    """Zeros in both layers would let no gradient through."""
    from rm_models import save_rm

    folder = save_rm(tmp_path / "roberta", "roberta", max_position_embeddings=66)
    model = load_rm(folder, form="pair", device="cpu").model
    model.roberta.save_pretrained(folder)
    pairs = [
        Preference(prompt=f"x1 is {i}", chosen="the sum is two", rejected="the sum is numbers")
        for i in range(40)
    ]
    report = train_rm(
        pairs, folder, tmp_path / "rm", RmTraining(epochs=6, lr=3e-3, held_out=0.2), device="cpu"
    )
    assert report.loss < 0.3
    rm = load_rm(tmp_path / "rm", device="cpu")
    assert rm.context == 66 - rm.model.config.pad_token_id - 1, (
        "positions are counted from behind the padding id"
    )


def test_what_a_template_wrote_belongs_to_the_completion() -> None:
    rows = [
        {**score_row("two", True), "prefill": "<think>\n"},
        {**score_row("so", False), "prefill": "<think>\n"},
    ]
    (pair,) = pairs_from(rows)
    assert (pair.chosen, pair.rejected) == ("<think>\ntwo", "<think>\nso")


def test_prompts_with_the_same_id_are_kept_apart() -> None:
    rows = [score_row("r", True, problem="1"), {**score_row("w", False, problem="1"), "prompt": "another"}]
    assert pairs_from(rows) == []
    one, other = (Preference(prompt=prompt, chosen="a", rejected="b", problem="1") for prompt in ("x", "y"))
    assert one.key != other.key


def test_rows_of_a_problem_need_not_stand_together() -> None:
    rows = [score_row(f"{kind}{i}", kind == "r", problem=f"p{i}") for kind in "rw" for i in range(4)]
    assert len(pairs_from(rows)) == 4


def test_ties_are_learned_from_but_not_measured_on(tmp_path: Path) -> None:
    rm = load_rm(small_policy(tmp_path / "policy"), form="text", device="cpu", new_head=True)
    torch.nn.init.normal_(rm.model.score.weight)
    pair = letter_pairs(1)[0]
    orders = (("a", "b"), ("b", "a"))
    tied = [Preference(prompt=pair.prompt, chosen=a, rejected=b, tie=True) for a, b in orders]
    alone, both = measure(rm, [pair]), measure(rm, [pair.model_copy(update={"problem": ""}), *tied])
    assert (both.pairs, both.accuracy, both.auroc) == (alone.pairs, alone.accuracy, alone.auroc)
    assert [len(ranked.better) for ranked in encode(rm, tied).items] == [2]


def test_messages_before_the_answers_are_kept_and_a_prompt_is_needed() -> None:
    turns = [{"role": "assistant", "content": "A1"}, {"role": "user", "content": "Q2"}]
    row = {"prompt": USER, "chosen": turns + GOOD, "rejected": turns + BAD}
    (pair,) = preferences_of(row)
    assert [message["content"] for message in pair.prompt if isinstance(message, dict)] == ["hi", "A1", "Q2"]
    for bad in ({"chosen": ["x"], "rejected": ["y"]}, {"chosen": GOOD, "rejected": BAD}):
        with pytest.raises(DataError, match="the row has no prompt"):
            list(preferences_of(bad))
    with pytest.raises(DataError, match="schema 99"):
        list(preferences_of({"schema": 99, "prompt": "q", "chosen": "a", "rejected": "b"}))
    (foreign,) = preferences_of(
        {"prompt": "q", "chosen": "a", "rejected": "b", "split": "test", "tokens": 100, "policy": "x"}
    )
    assert foreign.split is None


def test_a_model_is_not_trained_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "rm").write_text("mine")
    with pytest.raises(RewardError, match="is a file"):
        trained(tmp_path, letter_pairs(20))
    assert (tmp_path / "rm").read_text() == "mine"
