"""The reward `prm`: a process reward model marks every step with the probability that it is right."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem, asked_in
from ..composition.reward_functions import reward
from .loaded import loaded
from .prm_formats import Dtype, Encoder, PrmInput, find_format
from .readable import Unreadable, readable

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


def scorer_of(model: str, form: str, engine: Engine, device: str, dtype: Dtype, batch_tokens: int) -> Scorer:
    """Return a loaded model; entries of a task with the same settings share it.

    Raises:
        RewardError: the model cannot be loaded, or does not have what the format needs.
    """

    def load() -> Scorer:
        if engine == "vllm":
            from .vllm_pooling import VllmPrm

            return VllmPrm(model, find_format(form), dtype=dtype)
        from .prm_torch import load_prm

        return load_prm(model, find_format(form), device=device, dtype=dtype, batch_tokens=batch_tokens)

    return loaded(model, ("prm", form, engine, device, dtype, batch_tokens), load)


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
    results: list[Any] = [None] * len(problems)
    inputs: dict[int, PrmInput] = {}
    for i, (problem, texts) in enumerate(zip(problems, steps, strict=True)):
        try:
            inputs[i] = readable(scorer.encoder, asked_in(problem.prompt), texts, scorer.context)
        except Unreadable as error:
            results[i] = error.score
    for i, row in zip(inputs, scorer.score(list(inputs.values())), strict=True):
        results[i] = row if len(row) == len(steps[i]) else _miscounted(len(row), len(steps[i]))
    return results


def _miscounted(scores: int, steps: int) -> RewardError:
    return RewardError(
        f"the reward model gave {scores} scores for {steps} steps, so none can be assigned; check that `form`"
        " is the model's own format"
    )
