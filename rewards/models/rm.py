"""The reward `rm`: an outcome reward model scores the completion as a whole."""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

from pydantic import Field

from ...tasks.problem import Completion, Problem
from ..composition.reward_functions import reward
from .calibration import BOUNDS, Calibration, calibrated, check_calibration
from .loaded import loaded
from .prm import Engine
from .prm_formats import Dtype
from .readable import Unreadable, readable
from .rm_inputs import SAMPLES, Form, Pooling, RmEncoder, RmInput


class Scorer(Protocol):
    """A loaded outcome reward model, on torch or on vLLM."""

    encoder: RmEncoder

    @property
    def context(self) -> int | None:
        """The most tokens of one input; None if the model sets no limit."""
        ...

    def score(self, inputs: Sequence[RmInput]) -> list[float]:
        """Return the raw score of every input."""
        ...


def scorer_of(
    model: str,
    form: Form | None,
    pooling: Pooling | None,
    engine: Engine,
    device: str,
    dtype: Dtype,
    batch_tokens: int,
) -> Scorer:
    """Return a loaded model; entries of a task with the same settings share it.

    Raises:
        RewardError: the model cannot be loaded, has no scalar head, or scores differently on vLLM.
    """

    def load() -> Scorer:
        from .rm_torch import load_rm

        on_torch = load_rm(
            model, form=form, pooling=pooling, device=device, dtype=dtype, batch_tokens=batch_tokens
        )
        if engine == "torch":
            return on_torch
        from .vllm_pooling import VllmRm

        return VllmRm(model, on_torch, dtype=dtype)

    return loaded(model, ("rm", form, pooling, engine, device, dtype, batch_tokens), load)


def _ready(*, model: str, calibration: Calibration, **settings: Any) -> None:
    from .rm_torch import read_about

    encoder = scorer_of(model, **settings).encoder
    for prompt, completion in SAMPLES:  # a template that cannot be used is an error now
        encoder(prompt, completion)
    check_calibration(calibration, read_about(model), model)


def _range(*, calibration: str = "none", **_: Any) -> tuple[float, float]:
    return BOUNDS.get(calibration, BOUNDS["none"])


@reward("rm", range=_range, batch=True, ready=_ready)
def rm(
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    *,
    model: str,
    form: Form | None = None,
    pooling: Pooling | None = None,
    calibration: Calibration = "none",
    engine: Engine = "torch",
    device: str = "auto",
    dtype: Dtype = "float32",
    batch_tokens: Annotated[int, Field(gt=0)] = 8192,
) -> list[Any]:
    """Score the completion by an outcome reward model: a sequence classifier with one label.

    The raw score of a Bradley-Terry model has no level and no unit, and it never ties. Give it a `clip`, or a
    `calibration` to 0..1, so that a failure has a lowest value that it is worth. Equal completions get equal
    scores.

    In a task: `{use: rm, model: Skywork/Skywork-Reward-V2-Qwen3-0.6B, calibration: sigmoid, weight: 0.5}`

    Args:
        problems: one problem per completion.
        completions: the completions to score.
        model: a folder beside the task file or in the current folder, or the id of a Hugging Face model.
        form: how inputs are laid out: `chat` (the tokenizer's chat template), `text` (prompt and completion
            as one text) or `pair` (two segments). Default: as the model was trained by `markscheme train-rm`,
            or else `chat`.
        pooling: which hidden state is scored: that of the `last` token, the `mean` over the completion, or
            what the model itself pools (`own`). Default: as trained, or else what is usual for the model.
        calibration: `none` (the raw score), `sigmoid`, `platt` (sigmoid of a fitted line), or `standardised`
            (mean 0, standard deviation 1); `train-rm` fits the last two on held-out pairs.
        engine: `torch`, or `vllm` (its pooling runner), which is refused if its scores of eight inputs
            differ from those of torch.
        device: for torch: `auto` (CUDA if there is a GPU, else the CPU) or the name of a torch device.
        dtype: the type of the model's weights.
        batch_tokens: for torch: the most tokens of one forward pass, padding included.
    """
    from .rm_torch import read_about

    scorer = scorer_of(model, form, pooling, engine, device, dtype, batch_tokens)
    results: list[Any] = [None] * len(problems)
    inputs: dict[int, RmInput] = {}
    for i, (problem, completion) in enumerate(zip(problems, completions, strict=True)):
        try:
            inputs[i] = readable(
                scorer.encoder, problem.prompt, completion.prefill + completion.text, scorer.context
            )
        except Unreadable as error:
            results[i] = error.score
    scores = calibrated(scorer.score(list(inputs.values())), calibration, read_about(model))
    for i, score in zip(inputs, scores, strict=True):
        results[i] = score
    return results
