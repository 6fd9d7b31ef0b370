"""Process reward models in a task: marks of steps, their reductions, and every way in which a model cannot judge."""

from pathlib import Path

import pytest

from markscheme.rewards import MarkScheme
from markscheme.sandbox import RewardError, TaskError
from markscheme.tasks import Completion, Problem
from markscheme.trainer.models.built_in.tiny import build_tokenizer
from prm_by_hand import scores_by_hand
from prm_models import STEPS, save_prm
from support import TWO_PLUS_TWO, MakeTask, PrmFolder

TASK = """
rewards: {{correct: {{use: answer}}, {entries}}}
process: {{use: prm, model: {model}, form: {form}, split: lines}}
"""


def scheme_with_prm(make_task: MakeTask, model: Path, form: str, entries: str = "") -> MarkScheme:
    return MarkScheme(make_task(TASK.format(model=model, form=form, entries=entries)))


def test_a_model_marks_every_step_and_its_marks_can_be_reduced(
    make_task: MakeTask, prm_folder: PrmFolder
) -> None:
    folder = prm_folder("trl")
    reductions = {"worst": "min", "all": "product", "last": "last", "mean": "mean"}
    entries = ", ".join(
        f"{name}: {{use: prm, model: {folder}, form: trl, reduce: {reduction}}}"
        for name, reduction in reductions.items()
    )
    scheme = scheme_with_prm(make_task, folder, "trl", entries)
    (score,) = scheme.score([TWO_PLUS_TWO], [Completion("\n".join(STEPS))])
    assert score.steps is not None
    expected = scores_by_hand("trl", folder, str(TWO_PLUS_TWO.prompt), STEPS)
    assert [mark.value for mark in score.steps] == pytest.approx(expected, abs=1e-5)
    assert [mark.step.part for mark in score.steps] == ["answer"] * 3
    a, b, c = expected
    for name, value in {"worst": min(a, b, c), "all": a * b * c, "last": c, "mean": (a + b + c) / 3}.items():
        assert score.parts[name].value == pytest.approx(value, abs=1e-5)


def test_every_way_a_model_cannot_judge_has_its_status(make_task: MakeTask, tmp_path: Path) -> None:
    folder = save_prm(tmp_path / "short", "qwen", max_position_embeddings=300)
    scheme = scheme_with_prm(make_task, folder, "qwen")
    texts = {
        "": "no_answer",
        "x1 is two": "ok",
        "the sum of " * 99 + "\n" * 9 + "x1": "too_large",
        "of <extra_0> two": "unparsable",
        "is\n" * 300: "too_large",
    }
    scores = scheme.score([TWO_PLUS_TWO] * len(texts), [Completion(text) for text in texts])
    parts = [score.parts["process"] for score in scores]
    assert [str(part.status) for part in parts] == list(texts.values())
    assert "no steps" in parts[0].reason
    assert "the reward model reads 300" in parts[2].reason
    assert "300 steps" in parts[4].reason
    for part, score in zip(parts, scores, strict=True):
        if part.status != "ok":  # the completion's own fault: the lowest mark, for all of it
            assert score.steps is not None
            assert [(mark.value, mark.step.start) for mark in score.steps] == [(0.0, 0)]
    long_prompt = Problem(prompt="sum " * 900, reference="4")  # not the completion's fault
    (score,) = scheme.score([long_prompt], [Completion("x1")])
    assert str(score.parts["process"].status) == "abstain"


def test_a_text_that_the_tokenizer_has_no_tokens_for_is_not_judged(
    make_task: MakeTask, tmp_path: Path
) -> None:
    """A model would score the ids of `<unk>` like any others."""
    folder = save_prm(tmp_path / "digits", "math_shepherd")
    build_tokenizer(tuple(dict.fromkeys("Step:0123456789+-=?What is ки\n"))).save_pretrained(folder)
    scheme = scheme_with_prm(make_task, folder, "math_shepherd")
    completions = [Completion("2+2=4"), Completion("ZEBRAS JUMP OVER FOG")]
    readable, unreadable = scheme.score([TWO_PLUS_TWO] * 2, completions)
    assert readable.parts["process"].status == "ok"
    assert unreadable.parts["process"].status == "abstain"
    assert "has no tokens for" in unreadable.parts["process"].reason


def test_a_missing_model_is_an_error_when_the_scheme_is_built(make_task: MakeTask, tmp_path: Path) -> None:
    with pytest.raises((RewardError, TaskError), match="cannot be loaded"):
        scheme_with_prm(make_task, tmp_path / "nothing", "trl")
    with pytest.raises((RewardError, TaskError), match="there is no such folder"):
        scheme_with_prm(make_task, Path("no-such-model"), "trl")
    with pytest.raises(TaskError, match="did you mean 'skywork'"):
        scheme_with_prm(make_task, tmp_path / "nothing", "skywrk")


def test_a_model_may_be_a_folder_beside_the_task(make_task: MakeTask, tmp_path: Path) -> None:
    save_prm(tmp_path / "judge", "trl")
    scheme = scheme_with_prm(make_task, Path("judge"), "trl")
    (score,) = scheme.score([TWO_PLUS_TWO], [Completion("x1\ntwo")])
    assert score.parts["process"].value is not None
