"""Process reward models on vLLM's pooling runner, which returns class probabilities per token or per step.

vLLM pools a `Qwen2ForProcessRewardModel` at its step tags (pooling type STEP), and any other token classifier
at every token; of these, the steps' places are read. vLLM does not tokenise: the ids come from `Encoder`, as
for torch.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ...sandbox.errors import RewardError, first_line
from .prm_formats import Dtype, Encoder, PrmFormat, PrmInput
from .vllm_settings import settings_for_vllm


class VllmPrm:
    """A process reward model on vLLM.

    Args:
        source: a folder, or the id of a model on the Hugging Face hub.
        form: the model's input format, whose head must be `classes`.
        dtype: the type of the model's weights.
        memory: on a GPU, the share of its memory to use, 0 to 1; on the CPU, gigabytes for the KV cache.

    Raises:
        RewardError: vLLM is not installed or does not start on the model, or it cannot pool the format's
            head.
    """

    def __init__(self, source: str, form: PrmFormat, *, dtype: Dtype = "float32", memory: float = 0.4):
        if form.head != "classes":
            raise RewardError(
                f"engine vllm gives the probabilities of classes, but format {form.name!r} reads"
                f" {form.head} from the model; use engine torch"
            )
        settings = settings_for_vllm(on_cpu=not torch.cuda.is_available(), memory=memory)
        try:
            from vllm import LLM  # pyright: ignore[reportMissingImports]
            from vllm.config import PoolerConfig  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise RewardError(
                f"engine vllm needs vLLM, which cannot be imported ({error}); pip install 'markscheme[vllm]'"
            ) from error
        from transformers import AutoConfig, AutoTokenizer

        config = AutoConfig.from_pretrained(source)
        self.encoder = Encoder(form, AutoTokenizer.from_pretrained(source), source)
        self.context: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
        self._by_step = "ProcessRewardModel" in (config.architectures or [""])[0]
        pooling = None
        if self._by_step:
            pooling = PoolerConfig(pooling_type="STEP", step_tag_id=self.encoder.tag_id)
        threads = torch.get_num_threads()
        try:
            self._llm: Any = LLM(
                model=source,
                runner="pooling",
                pooler_config=pooling,
                dtype=dtype,
                max_model_len=self.context,
                skip_tokenizer_init=True,
                **settings,
            )
        except (ValueError, RuntimeError, OSError, NotImplementedError, AssertionError) as error:
            raise RewardError(f"vLLM does not start on {source!r}: {first_line(error)}") from error
        finally:
            torch.set_num_threads(threads)  # on the CPU, vLLM changes the number

    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """Return the probability that each step is right, one list per input."""
        prompts = [{"prompt_token_ids": one.ids} for one in inputs]
        outputs = self._llm.encode(prompts, pooling_task="token_classify", use_tqdm=False)
        rows = [output.outputs.data.float() for output in outputs]
        if self._by_step:
            return [row[:, 1].tolist() for row in rows]
        return [row[one.places, 1].tolist() for row, one in zip(rows, inputs, strict=True)]
