"""The reward `prm`: a process reward model marks every step with the probability that it is right."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem
from ..composition.registry import reward
from ..score import Score, Status
from .prm_formats import MOST_UNREAD, Encoder, PrmInput, find_format, question_of

Engine = Literal["torch", "vllm"]
Dtype = Literal["float32", "bfloat16", "float16"]


class Scorer(Protocol):
    """What scores inputs: the model in torch, or vLLM."""

    encoder: Encoder

    @property
    def context(self) -> int | None:
        """The most tokens that it reads."""
        ...

    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """Return the probability of each step, one list an input."""
        ...


@lru_cache(maxsize=4)
def scorer_of(model: str, form: str, engine: Engine, device: str, dtype: Dtype, batch_tokens: int) -> Scorer:
    """Load a process reward model once.

    Raises:
        RewardError: it cannot serve the format.
    """
    if engine == "vllm":
        from .prm_vllm import VllmPrm

        return VllmPrm(model, find_format(form), dtype=dtype)
    from .prm_torch import load_prm

    return load_prm(model, find_format(form), device=device, dtype=dtype, batch_tokens=batch_tokens)


def _ready(
    *, model: str, form: str, engine: Engine, device: str, dtype: Dtype, batch_tokens: int, **_: Any
) -> None:
    scorer = scorer_of(model, form, engine, device, dtype, batch_tokens)
    scorer.encoder("What is 1 + 1?", ["1 + 1 = 2", "So it is 2."])  # whether it can encode anything at all


@reward("prm", batch=True, steps=True, ready=_ready)
def prm(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    steps: Sequence[Sequence[str]],
    *,
    model: str,
    form: str = "classes",
    engine: Engine = "torch",
    device: str = "auto",
    dtype: Dtype = "float32",
    batch_tokens: int = 8192,
) -> list[Any]:
    """Mark each step by a process reward model: the probability, 0 to 1, that it is right.

    Args:
        problems: what was asked.
        completions: what was answered.
        steps: texts of the steps.
        model: a folder or hub id.
        form: what the model expects: `math_shepherd`, `rlhflow`, `qwen`, `skywork`, `trl`, `classes`.
        engine: `torch`, or `vllm` (its pooling runner; formats `qwen`, `trl` and `classes`).
        device: `auto` (cuda, else cpu) or a torch device.
        dtype: of the weights.
        batch_tokens: of one forward pass, padding included.
    """
    scorer = scorer_of(model, form, engine, device, dtype, batch_tokens)
    inputs = [_input(scorer, p, texts) for p, texts in zip(problems, steps, strict=True)]
    able = [i for i, made in enumerate(inputs) if isinstance(made, PrmInput)]
    scores = scorer.score([made for made in inputs if isinstance(made, PrmInput)])
    results: list[Any] = list(inputs)
    for i, row in zip(able, scores, strict=True):
        results[i] = row if len(row) == len(steps[i]) else _shifted(len(row), len(steps[i]))
    return results


def _input(scorer: Scorer, problem: Problem, texts: Sequence[str]) -> PrmInput | Score:
    """Return what the model reads, or why it cannot judge this completion."""
    question = question_of(problem)
    try:
        made = scorer.encoder(question, texts)
    except RewardError as error:  # the completion's doing: other texts can be encoded, `_ready` saw to that
        return Score(None, Status.UNPARSABLE, reason=str(error))
    if (share := scorer.encoder.unread(made)) > MOST_UNREAD:
        reason = (
            f"the reward model's tokenizer has no tokens for {share:.0%} of it; is it of another language?"
        )
        return Score(None, Status.ABSTAIN, reason=reason)
    most = scorer.context
    if most is None or len(made.ids) <= most:
        return made
    alone = len(scorer.encoder(question, texts[:1]).ids) > most and len(question) > len(texts[0])
    reason = f"{len(made.ids)} tokens; the reward model reads {most}"
    return Score(None, Status.ABSTAIN if alone else Status.TOO_LARGE, reason=reason)


def _shifted(found: int, wanted: int) -> RewardError:
    return RewardError(f"the reward model scored {found} steps of {wanted}; nothing is shifted to fit")
