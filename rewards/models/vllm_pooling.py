"""Reward models on vLLM's pooling runner: process models, pooled per token or step, and outcome models.

vLLM does not tokenise: the ids come from the encoders that torch's models use. It pools a
`Qwen2ForProcessRewardModel` at its step tags (pooling type STEP), any other token classifier at every token,
of which the steps' places are read, and a sequence classifier at the last token.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ...sandbox.errors import RewardError, first_line
from .prm_formats import Dtype, Encoder, PrmFormat, PrmInput
from .rm_inputs import SAMPLES, RmInput
from .rm_torch import Rm
from .vllm_settings import settings_for_vllm

LARGEST_DIFFERENCE = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}
"""By how much a score may differ between vLLM and torch, relative to its size where that is above 1: the
rounding of the weights' type."""


class VllmPrm:
    """A process reward model on vLLM.

    Args:
        source: a folder, or the id of a model on the Hugging Face hub.
        form: the model's input format, whose head must be `classes`.
        dtype: the type of the model's weights.

    Raises:
        RewardError: vLLM is not installed or does not start on the model, or it cannot pool the format's
            head.
    """

    def __init__(self, source: str, form: PrmFormat, *, dtype: Dtype = "float32"):
        if form.head != "classes":
            raise RewardError(
                f"engine vllm gives the probabilities of classes, but format {form.name!r} reads"
                f" {form.head} from the model; use engine torch"
            )
        from transformers import AutoConfig, AutoTokenizer

        config = AutoConfig.from_pretrained(source)
        self.encoder = Encoder(form, AutoTokenizer.from_pretrained(source), source)
        self.context: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
        self._by_step = "ProcessRewardModel" in (config.architectures or [""])[0]
        pooling = {"pooling_type": "STEP", "step_tag_id": self.encoder.tag_id} if self._by_step else None
        self._llm = _pooling_llm(source, dtype, self.context, pooling=pooling, skip_tokenizer_init=True)

    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """Return the probability that each step is right, one list per input."""
        prompts = [{"prompt_token_ids": one.ids} for one in inputs]
        outputs = self._llm.encode(prompts, pooling_task="token_classify", use_tqdm=False)
        rows = [output.outputs.data.float() for output in outputs]
        if self._by_step:
            return [row[:, 1].tolist() for row in rows]
        return [row[one.places, 1].tolist() for row, one in zip(rows, inputs, strict=True)]


class VllmRm:
    """An outcome reward model on vLLM.

    Args:
        source: a folder, or the id of a model on the Hugging Face hub.
        on_torch: the same model on torch; its encoder is used, and both must give the same scores.
        dtype: the type of the model's weights.

    Raises:
        RewardError: vLLM is not installed or does not start on the model, it cannot pool as the model needs,
            or its scores differ from torch's.
    """

    def __init__(self, source: str, on_torch: Rm, *, dtype: Dtype = "float32"):
        if on_torch.pooling != "last":
            raise RewardError(
                f"engine vllm pools the last token, but {source} needs pooling {on_torch.pooling!r}; use"
                " engine torch"
            )
        self.encoder, self.context = on_torch.encoder, on_torch.context
        self._llm = _pooling_llm(source, dtype, self.context)
        self._check(source, on_torch, LARGEST_DIFFERENCE[dtype])

    def score(self, inputs: Sequence[RmInput]) -> list[float]:
        """Return the raw score of every input."""
        from vllm import PoolingParams  # pyright: ignore[reportMissingImports]

        prompts = [{"prompt_token_ids": one.ids} for one in inputs]
        # By default vLLM gives the sigmoid of a single label, which is 1.0 for every good completion.
        raw = PoolingParams(use_activation=False)
        outputs = self._llm.encode(prompts, raw, pooling_task="classify", use_tqdm=False)
        return [float(output.outputs.data.reshape(-1)[0]) for output in outputs]

    def _check(self, source: str, on_torch: Rm, most: float) -> None:
        inputs = [self.encoder(prompt, completion) for prompt, completion in SAMPLES]
        here, there = self.score(inputs), on_torch.score(inputs)
        furthest = max(abs(a - b) / max(1.0, abs(b)) for a, b in zip(here, there, strict=True))
        if not furthest <= most:
            raise RewardError(
                f"{source}: vLLM and torch score the same {len(inputs)} inputs differently, by up to"
                f" {furthest:.3g} (at most {most:g} is rounding), so vLLM does not run this model as it was"
                " trained; use engine torch"
            )


def _pooling_llm(
    source: str, dtype: Dtype, context: int | None, *, pooling: dict[str, Any] | None = None, **options: Any
) -> Any:
    """Start vLLM's pooling runner on a model; `options` are further arguments of `LLM`."""
    settings = settings_for_vllm(on_cpu=not torch.cuda.is_available(), memory=0.4)
    try:
        from vllm import LLM  # pyright: ignore[reportMissingImports]
        from vllm.config import PoolerConfig  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise RewardError(
            f"engine vllm needs vLLM, which cannot be imported ({error}); pip install 'markscheme[vllm]'"
        ) from error
    threads = torch.get_num_threads()
    try:
        return LLM(
            model=source,
            runner="pooling",
            pooler_config=None if pooling is None else PoolerConfig(**pooling),
            dtype=dtype,
            max_model_len=context,
            **options,
            **settings,
        )
    except (ValueError, RuntimeError, OSError, NotImplementedError, AssertionError) as error:
        raise RewardError(f"vLLM does not start on {source!r}: {first_line(error)}") from error
    finally:
        torch.set_num_threads(threads)  # on the CPU, vLLM changes the number
