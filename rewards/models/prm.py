"""The reward `prm`: a process reward model marks every step with the probability that it is right."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem, asked_in
from ..composition.reward_functions import reward
from ..score import Score, Status
from .prm_formats import MOST_UNREAD, Dtype, Encoder, PrmInput, find_format

Engine = Literal["torch", "vllm"]


class Scorer(Protocol):
    """A loaded process reward model, on torch or on vLLM."""

    encoder: Encoder

    @property
    def context(self) -> int | None:
        """The most tokens of one input; None if the model sets no limit."""
        ...

    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """Return the probability that each step is right, one list per input."""
        ...


@lru_cache(maxsize=4)
def scorer_of(model: str, form: str, engine: Engine, device: str, dtype: Dtype, batch_tokens: int) -> Scorer:
    """Return a loaded model; the four used last are kept, so that entries of a task can share one.

    Raises:
        RewardError: the model cannot be loaded, or does not have what the format needs.
    """
    if engine == "vllm":
        from .prm_vllm import VllmPrm

        return VllmPrm(model, find_format(form), dtype=dtype)
    from .prm_torch import load_prm

    return load_prm(model, find_format(form), device=device, dtype=dtype, batch_tokens=batch_tokens)


def _ready(
    *, model: str, form: str, engine: Engine, device: str, dtype: Dtype, batch_tokens: int, **_: Any
) -> None:
    """Load the model, and check on a sample that its tokenizer can encode the format."""
    scorer = scorer_of(model, form, engine, device, dtype, batch_tokens)
    scorer.encoder("What is 1 + 1?", ["1 + 1 = 2", "So it is 2."])


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
    batch_tokens: Annotated[int, Field(gt=0)] = 8192,
) -> list[Any]:
    """Mark each step with the probability, 0 to 1, that it is right according to a process reward model.

    In a task: `{use: prm, model: Qwen/Qwen2.5-Math-PRM-7B, form: qwen, dtype: bfloat16}`

    Args:
        problems: one problem per completion.
        completions: not used beyond their steps.
        steps: the texts of each completion's steps.
        model: a folder beside the task file or in the current folder, or the id of a Hugging Face model.
        form: the input format that the model was trained with: `math_shepherd`, `rlhflow`, `qwen`, `skywork`,
            `trl`, or `classes` (the default of `markscheme train-prm`).
        engine: `torch`, or `vllm` (its pooling runner; for the formats `qwen`, `trl` and `classes`).
        device: for torch: `auto` (CUDA if there is a GPU, else the CPU) or the name of a torch device.
        dtype: the type of the model's weights.
        batch_tokens: for torch: the most tokens of one forward pass, padding included.
    """
    scorer = scorer_of(model, form, engine, device, dtype, batch_tokens)
    inputs = [_input(scorer, problem, texts) for problem, texts in zip(problems, steps, strict=True)]
    readable = {i: encoded for i, encoded in enumerate(inputs) if isinstance(encoded, PrmInput)}
    scores = scorer.score(list(readable.values()))
    results: list[Any] = list(inputs)
    for i, row in zip(readable, scores, strict=True):
        results[i] = row if len(row) == len(steps[i]) else _miscounted(len(row), len(steps[i]))
    return results


def _input(scorer: Scorer, problem: Problem, texts: Sequence[str]) -> PrmInput | Score:
    """Return the model's input for a completion, or a Score that says why the model cannot judge it."""
    question = asked_in(problem.prompt)
    try:
        encoded = scorer.encoder(question, texts)
    except RewardError as error:
        # `_ready` has encoded another text, so it is this completion's text that cannot be encoded.
        return Score(None, Status.UNPARSABLE, reason=str(error))
    unread = scorer.encoder.unread(encoded)
    if unread > MOST_UNREAD:
        reason = (
            f"the reward model's tokenizer has no tokens for {unread:.0%} of the input; is the text in a"
            " language that the model does not know?"
        )
        return Score(None, Status.ABSTAIN, reason=reason)
    most = scorer.context
    if most is None or len(encoded.ids) <= most:
        return encoded
    # If the prompt is too long, the completion must not be punished for it.
    with_one_step = len(scorer.encoder(question, texts[:1]).ids)
    prompt_is_too_long = with_one_step > most and len(question) > len(texts[0])
    reason = f"the input has {len(encoded.ids)} tokens; the reward model reads {most}"
    return Score(None, Status.ABSTAIN if prompt_is_too_long else Status.TOO_LARGE, reason=reason)


def _miscounted(scores: int, steps: int) -> RewardError:
    return RewardError(
        f"the reward model gave {scores} scores for {steps} steps, so none can be assigned; check that `form`"
        " is the model's own format"
    )
