"""Process reward models: each family beside a computation by hand, and every way to be wrong in silence."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from prm_models import ARCHITECTURES, save_prm
from safetensors.torch import load_file, save_file
from tokenizers_of_kinds import tokenizer_of

from markscheme.rewards import MarkScheme
from markscheme.rewards.models.batching import by_length
from markscheme.rewards.models.prm import scorer_of
from markscheme.rewards.models.prm_formats import Encoder, find_format
from markscheme.rewards.models.prm_torch import load_prm
from markscheme.sandbox import DataError, RewardError, TaskError, UnknownNameError
from markscheme.tasks import Completion, Problem
from markscheme.trainer.reward_models.labelled_steps import LabelledSteps, labelled, read_labelled
from markscheme.trainer.reward_models.prm_training import PrmTraining, split_by_prompt, step_loss, train_prm
from support import MakeTask

PROMPT, STEPS = "the sum of two numbers", ["x1 is 3.14", "the sum is two.", "so x1 of two"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: save_prm(tmp_path_factory.mktemp(name), name) for name in ARCHITECTURES}


def by_hand(name: str, folder: Path, prompt: str, steps: Sequence[str]) -> list[float]:
    """As each family's model card computes it: one completion alone, no padding, no code of ours."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    auto = transformers.AutoModelForTokenClassification if name in ("trl", "classes") else (
        transformers.AutoModelForCausalLM
    )  # fmt: skip
    model: Any = auto.from_pretrained(folder, dtype=torch.float32).eval()

    def encode(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    with torch.no_grad():
        if name == "math_shepherd":
            text = f"{prompt} " + "\n".join(f"Step {i}: {step} ки" for i, step in enumerate(steps, 1))
            ids = torch.tensor([tokenizer(text)["input_ids"]])
            tag, pair = encode("ки")[-1], [encode("+")[-1], encode("-")[-1]]
            scores = model(ids).logits[:, :, pair].softmax(-1)[:, :, 0]
            return scores[ids == tag].tolist()
        if name == "rlhflow":
            found, turns = [], []
            pair = [encode("+")[-1], encode("-")[-1]]
            for i, step in enumerate(steps):
                turns += [{"role": "user", "content": f"{prompt} {step}" if i == 0 else step}]
                turns += [{"role": "assistant", "content": "+"}]
                text = tokenizer.apply_chat_template(turns, tokenize=False)
                logits = model(torch.tensor([encode(text)])).logits[0, -3, pair]
                found.append(logits.softmax(-1)[0].item())
            return found
        if name == "qwen":
            system = "Please reason step by step, and put your final answer within \\boxed{}."
            answer = "<extra_0>".join(steps) + "<extra_0>"
            roles = [("system", system), ("user", prompt), ("assistant", answer)]
            text = tokenizer.apply_chat_template(
                [{"role": r, "content": c} for r, c in roles], tokenize=False
            )
            ids = torch.tensor([encode(text)])
            hidden = model.model(ids).last_hidden_state
            w = load_file(folder / "model.safetensors")
            inner = (hidden @ w["score.0.weight"].T + w["score.0.bias"]).relu()
            logits = inner @ w["score.2.weight"].T + w["score.2.bias"]
            return logits.softmax(-1)[..., 1][ids == encode("<extra_0>")[0]].tolist()
        if name == "skywork":
            ids, places = encode(prompt + "\n"), []
            for step in steps:
                ids += [*encode(step), *encode("\n")]
                places.append(len(ids) - 1)
            w = load_file(folder / "model.safetensors")
            values = model.model(torch.tensor([ids])).last_hidden_state @ w["v_head.summary.weight"].T
            return (values + w["v_head.summary.bias"])[0, places, 0].sigmoid().tolist()
        if name == "trl":
            ids, places = encode(prompt), []
            for step in steps:
                ids += [*encode(step), *encode("\n")]
                places.append(len(ids) - 1)
            return model(torch.tensor([ids])).logits[0, places].softmax(-1)[:, 1].tolist()
        text, places, ids = prompt + "\n", [], []
        for step in steps:
            text += step + "\n"
            ids = tokenizer(text)["input_ids"]
            places.append(len(ids) - 1)  # WordPiece has no token for a line break: the step's own last one
        return model(torch.tensor([ids])).logits[0, places].softmax(-1)[:, 1].tolist()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_family_gives_what_its_card_computes(name: str, folders: dict[str, Path]) -> None:
    model = load_prm(folders[name], find_format(name))
    prompts = [PROMPT, "of", PROMPT + " is x1"]
    answers = [STEPS, STEPS[:1], [*STEPS, *STEPS, "the numbers"]]
    inputs = [model.encoder(prompt, steps) for prompt, steps in zip(prompts, answers, strict=True)]
    scores = model.score(inputs)  # batched, padded
    for prompt, steps, row in zip(prompts, answers, scores, strict=True):
        assert row == pytest.approx(by_hand(name, folders[name], prompt, steps), abs=1e-5)
    assert len({round(score, 4) for row in scores for score in row}) > 5  # they say something


def test_own_numbers_of_steps_are_not_doubled(folders: dict[str, Path]) -> None:
    model = load_prm(folders["math_shepherd"], find_format("math_shepherd"))
    numbered = [f"Step {i}: {step}" for i, step in enumerate(STEPS, 1)]
    assert model.encoder(PROMPT, numbered) == model.encoder(PROMPT, STEPS)
    inside = model.encoder(PROMPT, ["as in Step 2: two"])
    assert "as in Step 2: two" in model.tokenizer.decode(inside.ids)


def test_batches_are_by_length_and_change_nothing(folders: dict[str, Path]) -> None:
    model = load_prm(folders["trl"], find_format("trl"))
    inputs = [model.encoder(PROMPT, (STEPS * 9)[:n]) for n in (1, 25, 2, 13, 1, 7, 20)]
    whole = model.score(inputs)
    lengths = [len(one.ids) for one in inputs]
    found = list(by_length(lengths, 200))
    assert sorted(i for batch in found for i in batch) == list(range(7))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 200 or len(batch) == 1 for batch in found)
    model.batch_tokens = 60
    for row, alone in zip(whole, model.score(inputs), strict=True):
        assert row == pytest.approx(alone, abs=1e-6)


def test_a_probability_of_zero_shifts_nothing(tmp_path: Path, folders: dict[str, Path]) -> None:
    """Qwen's published helper drops zeros and takes what is left in pairs: a step is gone, the rest move."""
    folder = save_prm(tmp_path / "qwen", "qwen")
    weights = load_file(folder / "model.safetensors")
    weights["score.2.weight"] *= 1e4
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    model = load_prm(folder, find_format("qwen"))
    inputs = model.encoder(PROMPT, STEPS * 4)
    scores = model.score([inputs])[0]
    assert len(scores) == len(STEPS) * 4
    assert 0.0 in scores or 1.0 in scores
    assert scores == pytest.approx(by_hand("qwen", folder, PROMPT, STEPS * 4), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "tag"),
    [("qwen", "<extra_0>"), ("qwen", "<|im_end|>"), ("math_shepherd", "ки"), ("rlhflow", "<eos>")],
)
def test_a_step_that_holds_the_mark_itself_is_refused(name: str, tag: str, folders: dict[str, Path]) -> None:
    """A policy that writes the separator would shift the marks of all steps behind it."""
    model = load_prm(folders[name], find_format(name))
    with pytest.raises(RewardError, match="step 2 contains"):
        model.encoder(PROMPT, ["x1", f"two {tag} of", "sum"])


def test_a_tokenizer_without_the_separator_is_an_error_at_once(folders: dict[str, Path]) -> None:
    characters = tokenizer_of("characters")  # has no token for ки, none for <extra_0> if it is taken away
    with pytest.raises(RewardError, match="no token for 'ки'"):
        Encoder(find_format("math_shepherd"), characters)
    plain = dataclasses.replace(find_format("qwen"), tag="<extra_1>")
    with pytest.raises(RewardError, match="no token for '<extra_1>'"):
        Encoder(plain, characters)
    with pytest.raises(RewardError, match="no token for '<extra_1>'"):  # would be several, `>` the last
        Encoder(plain, tokenizer_of("byte_level"))
    with pytest.raises(RewardError, match="chat template"):
        Encoder(find_format("qwen"), tokenizer_of("byte_level_gpt2"))(PROMPT, STEPS)
    with pytest.raises(UnknownNameError, match="did you mean 'qwen'"):
        find_format("qwn")
    with pytest.raises(RewardError, match="reads 2 number"):
        load_prm(folders["math_shepherd"], find_format("qwen"))
    with pytest.raises(RewardError, match="cannot be loaded"):
        load_prm("/no/such/folder", find_format("trl"))


def test_a_template_that_writes_other_answers_is_refused(folders: dict[str, Path]) -> None:
    """The places are looked at: each must hold the token that the format scores."""
    model = load_prm(folders["rlhflow"], find_format("rlhflow"))
    model.encoder.answer_ids = (model.encoder.answer_ids[1], model.encoder.answer_ids[0])
    with pytest.raises(RewardError, match="3 steps, but only 0 of their marks"):
        model.encoder(PROMPT, STEPS)


def test_a_template_that_changes_or_refuses_what_it_is_given_is_told(folders: dict[str, Path]) -> None:
    model = load_prm(folders["qwen"], find_format("qwen"))
    model.tokenizer.chat_template = "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}"
    with pytest.raises(RewardError, match="does not write"):
        model.encoder(PROMPT, STEPS)
    model.tokenizer.chat_template = "{{ raise_exception('no system text') }}"
    with pytest.raises(RewardError, match="refuses the messages: no system text"):
        model.encoder(PROMPT, STEPS)


def test_what_is_trained_is_what_is_scored(folders: dict[str, Path]) -> None:
    """TRL's documented inference joins the prompt otherwise than its training does. Here one encoder serves."""
    model = load_prm(folders["trl"], find_format("trl"))
    ids = model.encoder(PROMPT, STEPS)
    expected = [*model.tokenizer(PROMPT, add_special_tokens=False)["input_ids"]]
    for step in STEPS:
        expected += model.tokenizer(step, add_special_tokens=False)["input_ids"]
        expected += model.tokenizer("\n", add_special_tokens=False)["input_ids"]
    assert ids.ids == expected
    assert len(ids.places) == len(STEPS)


TASK = """
rewards: {{correct: {{use: answer}}, {entry}}}
process: {{use: prm, model: {model}, form: {form}, split: lines}}
"""


def scheme_of(make_task: MakeTask, folder: Path, form: str, entry: str = "") -> MarkScheme:
    return MarkScheme(make_task(TASK.format(model=folder, form=form, entry=entry)))


def test_a_task_s_process_is_marked_by_a_model(
    make_task: MakeTask, folders: dict[str, Path], problem: Problem
) -> None:
    scheme = scheme_of(
        make_task, folders["trl"], "trl",
        f"worst: {{use: prm, model: {folders['trl']}, form: trl, reduce: min}},"
        f"all: {{use: prm, model: {folders['trl']}, form: trl, reduce: product}},"
        f"last: {{use: prm, model: {folders['trl']}, form: trl, reduce: last}},"
        f"mean: {{use: prm, model: {folders['trl']}, form: trl, reduce: mean}}",
    )  # fmt: skip
    score = scheme.score([problem], [Completion("\n".join(STEPS))])[0]
    assert score.steps is not None
    marks = [mark.value for mark in score.steps]
    wanted = by_hand("trl", folders["trl"], str(problem.prompt), STEPS)
    assert marks == pytest.approx(wanted, abs=1e-5)
    a, b, c = wanted
    for name, value in {"worst": min(wanted), "all": a * b * c, "last": c, "mean": (a + b + c) / 3}.items():
        assert score.parts[name].value == pytest.approx(value, abs=1e-5)
    assert [mark.step.part for mark in score.steps] == ["answer"] * 3


def test_every_way_a_model_cannot_judge_has_its_status(
    make_task: MakeTask, tmp_path: Path, problem: Problem
) -> None:
    folder = save_prm(tmp_path / "short", "qwen", max_position_embeddings=300)
    scheme = scheme_of(make_task, folder, "qwen")
    texts = ["", "x1 is two", "the sum of " * 99 + "\n" * 9 + "x1", "of <extra_0> two", "is\n" * 300]
    scores = scheme.score([problem] * 5, [Completion(text) for text in texts])
    parts = [score.parts["process"] for score in scores]
    assert [str(part.status) for part in parts] == ["no_answer", "ok", "too_large", "unparsable", "too_large"]
    assert "no steps" in parts[0].reason
    assert "the reward model reads 300" in parts[2].reason
    assert "300 steps" in parts[4].reason
    for part, score in zip(parts, scores, strict=True):
        if part.status != "ok":  # the completion's own fault: the lowest mark, on all of it
            assert score.steps is not None
            assert [(mark.value, mark.step.start) for mark in score.steps] == [(0.0, 0)]
    long = Problem(prompt="sum " * 900, reference="4")
    assert str(scheme.score([long], [Completion("x1")])[0].parts["process"].status) == "abstain"


def test_a_tokenizer_that_cannot_read_the_text_is_told(
    make_task: MakeTask, tmp_path: Path, problem: Problem
) -> None:
    """Ids of `<unk>` are scored as well as any others."""
    from markscheme.trainer.models.tiny import build_tokenizer

    folder = save_prm(tmp_path / "digits", "math_shepherd")
    pieces = dict.fromkeys("Step:0123456789+-=?What is ки\n")
    build_tokenizer(tuple(pieces)).save_pretrained(folder)
    scheme = scheme_of(make_task, folder, "math_shepherd")
    parts = [
        s.parts["process"]
        for s in scheme.score([problem] * 2, [Completion("2+2=4"), Completion("ZEBRAS JUMP OVER FOG")])
    ]
    assert [str(part.status) for part in parts] == ["ok", "abstain"]
    assert "has no tokens for" in parts[1].reason
    rows = [LabelledSteps("2+2", ("ZEBRAS JUMP OVER FOG",), (1.0,))] * 3
    with pytest.raises(DataError, match="no tokens for much of the text of 3 of 3 rows"):
        train_prm(rows, folder, tmp_path / "out", PrmTraining(form="math_shepherd", held_out=0), device="cpu")


def test_a_missing_model_is_an_error_when_the_scheme_is_built(make_task: MakeTask, tmp_path: Path) -> None:
    with pytest.raises((RewardError, TaskError), match="cannot be loaded"):
        scheme_of(make_task, tmp_path / "nothing", "trl")
    with pytest.raises((RewardError, TaskError), match="there is no such folder"):
        scheme_of(make_task, Path("no-such-model"), "trl")
    with pytest.raises(TaskError, match="did you mean 'skywork'"):
        scheme_of(make_task, tmp_path / "nothing", "skywrk")


def test_a_head_whose_weights_are_missing_is_refused(tmp_path: Path) -> None:
    """transformers would make them up, and every mark would be chance."""
    folder = save_prm(tmp_path / "trl", "trl")
    weights = load_file(folder / "model.safetensors")
    weights.pop("score.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(RewardError, match=r"lack score\.weight"):
        load_prm(folder, find_format("trl"))


def test_a_model_beside_the_task_is_found(make_task: MakeTask, tmp_path: Path, problem: Problem) -> None:
    save_prm(tmp_path / "judge", "trl")
    scheme = scheme_of(make_task, Path("judge"), "trl")
    assert scheme.score([problem], [Completion("x1\ntwo")])[0].parts["process"].value is not None


def test_one_model_is_loaded_once(folders: dict[str, Path]) -> None:
    same = (str(folders["trl"]), "trl", "torch", "auto", "float32", 8192)
    assert scorer_of(*same) is scorer_of(*same)  # type: ignore[arg-type]


# Rows to train on.

PRM800K = {
    "question": {"problem": "2+2?"},
    "label": {
        "steps": [
            {
                "completions": [{"text": "a", "rating": 1}, {"text": "z", "rating": -1}],
                "chosen_completion": 0,
            },
            {"completions": [{"text": "b", "rating": 0}], "chosen_completion": 0},
            {"completions": [], "human_completion": {"text": "c"}, "chosen_completion": None},
            {"completions": [{"text": "d", "rating": -1}], "chosen_completion": None},
        ]
    },
}
SHEPHERD = {
    "input": "How many? Step 1: a = 1 - ки\nStep 2: so it is 2 ки Step 3: more ки",
    "label": "How many? Step 1: a = 1 - +\nStep 2: so it is 2 - Step 3: more -",
}
ROWS: list[tuple[dict[str, Any], LabelledSteps]] = [
    (
        {"prompt": "p", "completions": ["a", "b"], "labels": [True, False]},
        LabelledSteps("p", ("a", "b"), (1, 0)),
    ),
    # A cast to bool once made -100 true for most steps.
    (
        {"prompt": "p", "completions": ["a", "b"], "labels": [-100, 1]},
        LabelledSteps("p", ("a", "b"), (None, 1)),
    ),
    (
        {"prompt": "p", "completions": ["a", "b"], "labels": [True, True], "shares": [0.25, 1.0]},
        LabelledSteps("p", ("a", "b"), (0.25, 1)),
    ),
    (PRM800K, LabelledSteps("2+2?", ("a", "b", "c", "d"), (1, 1, 1, 0))),
    (
        SHEPHERD,
        LabelledSteps("How many?", ("Step 1: a = 1 -", "Step 2: so it is 2", "Step 3: more"), (1, 0, 0)),
    ),
]


@pytest.mark.parametrize(("row", "wanted"), ROWS)
def test_rows_of_every_kind(row: dict[str, Any], wanted: LabelledSteps) -> None:
    assert labelled(row) == wanted


def test_neutral_ratings_count_as_is_said() -> None:
    assert labelled(PRM800K, neutral="wrong").labels == (1, 0, 1, 0)
    assert labelled(PRM800K, neutral="skip").labels == (1, None, 1, 0)


def test_rows_that_do_not_fit_are_told_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        {"prompt": "p", "completions": ["a"], "labels": [True, False]},
        {"prompt": "p", "completions": ["a"], "labels": ["yes"]},
        {"prompt": "p", "completions": [], "labels": []},
        {"prompt": "p", "completions": [" "], "labels": [True]},
        {"text": "x"},
        {
            "question": {"problem": "p"},
            "label": {"steps": [{"completions": [{"rating": 1}], "chosen_completion": 3}]},
        },
        {"input": "q Step 1: a ки", "label": "q Step 1: b +"},
        {"input": "q a ки", "label": "q a +"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError) as caught:
        read_labelled(path)
    for said in (
        "8 row(s)",
        "1 steps and 2 labels",
        "'yes'",
        "no steps",
        "not empty",
        "the row has: text",
        "IndexError",
        "`label` must be `input` with + or - in the place of each ки; it is not so at 'tep 1: b +'",
        "has none",
    ):
        assert said in str(caught.value)
    with pytest.raises(DataError, match="no such file"):
        read_labelled(tmp_path / "nothing.jsonl")


# Training.


def learnable(count: int) -> list[LabelledSteps]:
    """Steps of which those with `two` are wrong: a model of a few thousand weights can see it."""
    rows = []
    for i in range(count):
        steps = tuple(("the sum is " + ("two" if (i >> j) & 1 else "numbers")) for j in range(3))
        rows.append(LabelledSteps(f"x1 of {i}", steps, tuple(float("two" not in step) for step in steps)))
    return rows


@pytest.mark.parametrize("form", ["classes", "trl", "math_shepherd"])
def test_training_learns_what_the_labels_say(form: str, tmp_path: Path, folders: dict[str, Path]) -> None:
    source = folders["math_shepherd"] if form == "math_shepherd" else folders["trl"]
    settings = PrmTraining(form=form, epochs=12, batch_rows=16, lr=3e-3, held_out=0.2)
    report = train_prm(learnable(120), source, tmp_path / "out", settings, device="cpu")
    assert report.too_long == 0
    assert report.held_out.balanced_accuracy is not None
    assert report.held_out.balanced_accuracy > 0.9
    assert report.loss < 0.3
    # What was saved scores as what was measured.
    again = load_prm(tmp_path / "out", find_format(form))
    _, held = split_by_prompt(learnable(120), 0.2)
    right = [
        (score >= 0.5) == bool(label)
        for row in held
        for score, label in zip(
            again.score([again.encoder(row.prompt, row.steps)])[0], row.labels, strict=True
        )
    ]
    assert sum(right) / len(right) > 0.9
    assert json.loads((tmp_path / "out" / "prm.json").read_text())["form"] == form


def test_prompts_are_held_out_whole() -> None:
    rows = learnable(50) * 3
    train, held = split_by_prompt(rows, 0.3)
    assert held
    assert not {row.prompt for row in train} & {row.prompt for row in held}


def test_a_training_without_labels_says_so(tmp_path: Path, folders: dict[str, Path]) -> None:
    """A separator that was tokenised otherwise once left every label at -100, and nothing was learned."""
    rows = [LabelledSteps("p", ("x1",), (None,))] * 5
    with pytest.raises(DataError, match="nothing to learn from: no step of 5 rows has a label"):
        train_prm(rows, folders["trl"], tmp_path / "out", PrmTraining(held_out=0), device="cpu")
    long = [LabelledSteps("p", ("the sum " * 600,), (1.0,))] * 2
    with pytest.raises(DataError, match="2 rows are longer"):
        train_prm(long, folders["trl"], tmp_path / "out", PrmTraining(held_out=0), device="cpu")
    assert not (tmp_path / "out").exists()
    with pytest.raises(RewardError, match="is for scoring only"):
        train_prm(
            learnable(3), folders["skywork"], tmp_path / "out", PrmTraining(form="skywork"), device="cpu"
        )


def test_rows_too_long_are_counted_and_not_cut(tmp_path: Path, folders: dict[str, Path]) -> None:
    rows = [*learnable(20), LabelledSteps("p", ("the sum " * 600,), (1.0,))]
    settings = PrmTraining(form="trl", epochs=1, held_out=0.0)
    report = train_prm(rows, folders["trl"], tmp_path / "out", settings, device="cpu")
    assert (report.too_long, report.trained_steps) == (1, 60)


def test_the_loss_by_hand() -> None:
    pairs = torch.tensor([[0.0, 2.0], [1.0, 1.0], [3.0, 0.0], [5.0, 5.0]])
    loss = step_loss(pairs, [[1.0, 0.25], [0.0, None]])
    wanted = (
        torch.tensor(2.0).neg().exp().log1p() + torch.tensor(2.0).log() + torch.tensor(-3.0).exp().log1p()
    )
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-6)
    assert step_loss(pairs[:1], [[None]]).item() == 0.0
