"""A process reward model on vLLM's pooling runner: one row of class probabilities a token or a step.

`Qwen2ForProcessRewardModel` is pooled at its separators (vLLM's STEP), any token classification at every
token, of which ours are taken. The ids are made here, as for torch: vLLM never tokenises.
"""

from collections.abc import Sequence
from typing import Any

import torch

from ...sandbox.errors import RewardError
from .prm_formats import Encoder, PrmFormat, PrmInput
from .vllm_settings import settings_for_vllm


class VllmPrm:
    """A scorer on vLLM.

    Raises:
        RewardError: vLLM is not installed, or the format reads something that it does not pool.
    """

    def __init__(self, source: str, form: PrmFormat, *, dtype: str = "float32", memory: float = 0.4):
        if form.head != "classes":
            raise RewardError(
                f"engine vllm pools probabilities of classes; format {form.name!r} reads {form.head}: use"
                " engine torch"
            )
        settings = settings_for_vllm(on_cpu=not torch.cuda.is_available(), memory=memory)
        try:
            from vllm import LLM  # pyright: ignore[reportMissingImports]
            from vllm.config import PoolerConfig  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise RewardError(f"engine vllm needs vLLM: pip install 'markscheme[vllm]' ({error})") from error
        from transformers import AutoConfig, AutoTokenizer

        config = AutoConfig.from_pretrained(source)
        self.encoder = Encoder(form, AutoTokenizer.from_pretrained(source), source)
        self.context: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
        self._by_step = "ProcessRewardModel" in (config.architectures or [""])[0]
        tag = self.encoder.tag_id
        pooling = PoolerConfig(pooling_type="STEP", step_tag_id=tag) if self._by_step else None
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
            raise RewardError(f"vLLM does not start on {source!r}: {str(error).splitlines()[0]}") from error
        finally:
            torch.set_num_threads(threads)

    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """Return the probability that each step is right, one list an input."""
        prompts = [{"prompt_token_ids": one.ids} for one in inputs]
        given = self._llm.encode(prompts, pooling_task="token_classify", use_tqdm=False)
        rows = [output.outputs.data.float() for output in given]
        if self._by_step:
            return [row[:, 1].tolist() for row in rows]
        return [row[one.places, 1].tolist() for row, one in zip(rows, inputs, strict=True)]
