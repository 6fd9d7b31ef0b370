"""Engines with a copy of the weights: after each update they take over the new weights and are probed.

The probe compares the log-probabilities of a few sampled tokens with the trainer's, since weights that do not
arrive raise no error.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import chain
from random import Random

import torch

from ...sandbox.errors import RunError
from ..config.run_config import EngineConfig, SamplingConfig
from ..models.forward import differences_to_own
from ..models.notes import Note, ignored
from ..models.policy import EncodedPrompt, Policy
from .base import Engine


class CopyEngine(Engine):
    """An engine with a copy of the weights, which is replaced after each update and then probed.

    Args:
        config: dtype of the copy, and the largest mismatch that a probe may find.
        policy: the policy whose weights are copied.
        note: called with lines that a reader of the run should know.
    """

    where: str = "the engine"
    """The engine's name in messages."""

    def __init__(self, config: EngineConfig, policy: Policy, note: Note = ignored):
        self.config, self.policy, self.note = config, policy, note
        self.dtype = config.dtype or str(policy.dtype).removeprefix("torch.")
        both_float32 = self.dtype == "float32" and policy.dtype == torch.float32
        self.max_mismatch = config.max_mismatch or (1e-3 if both_float32 else 0.3)
        self._probes: list[EncodedPrompt] = []
        self.mismatch_at_load = 0.0
        """As `probe_mismatch`, but with the weights that the engine itself loaded when it started."""

    @abstractmethod
    def push(self, policy: Policy, version: int) -> None:
        """Replace the engine's weights, and drop everything that it cached under the old ones."""

    def is_exact(self, sampling: SamplingConfig) -> bool:
        """Return False: other kernels round differently, so the mismatch is measured and corrected."""
        return False

    def sync(self, policy: Policy, version: int) -> None:
        """Push the weights, and probe whether the engine samples from them; see `Engine.sync`."""
        self.push(policy, version)
        self.weight_version = version
        self.probe_mismatch = self.probe()
        if not self.probe_mismatch <= self.max_mismatch:  # also if it is NaN
            raise RunError(
                f"{self.where}: after it was given the weights of version {version}, the log-probabilities of"
                f" sampled tokens differ from the trainer's by {self.probe_mismatch:.3g} nats on average"
                f" (engine.max_mismatch is {self.max_mismatch:g}); {self._likely_cause()}"
            )

    def remember(self, prompts: Sequence[EncodedPrompt]) -> None:
        """Keep the longest and the shortest prompt of a step for the next probe.

        The probe repeats prompts that the old weights have seen, because only for those can a prefix cache
        hold stale keys and values.
        """
        by_length = sorted(prompts, key=lambda prompt: len(prompt.token_ids))
        self._probes = [by_length[-1], by_length[0]]

    def probe(self) -> float:
        """Sample a few tokens, and return how much their log-probabilities differ from the trainer's.

        The result is the mean absolute difference in nats.
        """
        if not self._probes:
            self._probes = self._random_probes()
        new_tokens = 8
        if self.policy.context:
            longest = max(len(prompt.token_ids) for prompt in self._probes)
            new_tokens = min(new_tokens, self.policy.context - longest)
        sampling = SamplingConfig(max_new_tokens=new_tokens)
        groups = self.groups(self._probes, 2, sampling, seed=0)
        with torch.no_grad(), self.policy.computing():
            differences = differences_to_own(self.policy.model, list(chain.from_iterable(groups)))
        return sum(differences) / len(differences)

    def _random_probes(self) -> list[EncodedPrompt]:
        """Return a long and a short prompt of random ids, for a probe before the first step."""
        vocabulary = self.policy.model.config.get_text_config().vocab_size
        rng = Random(0)
        # Long enough to fill a block of vLLM's prefix cache, if half of the context allows it.
        long = min(150, (self.policy.context or 256) // 2)
        return [EncodedPrompt([rng.randrange(vocabulary) for _ in range(length)]) for length in (long, 3)]

    def _likely_cause(self) -> str:
        """Return the likely cause of a mismatch that is too large, and what to do about it if it is known."""
        if self.mismatch_at_load > self.max_mismatch:
            return (
                f"it was {self.mismatch_at_load:.3g} nats already with the weights that the engine loaded"
                " itself, so its kernels or its precision compute this model differently; raise"
                " engine.max_mismatch to train with corrections"
            )
        if getattr(self.policy.model.config.get_text_config(), "tie_word_embeddings", False):
            return "likely cause: the tied LM head still has its old, packed weights"
        if self.dtype != "float32":
            return (
                f"likely cause: the engine computes in {self.dtype}; set engine.dtype to float32, or raise"
                " engine.max_mismatch"
            )
        return "likely cause: old weights, a stale prefix cache, or another model in the engine"

    def check_ids(self, encode: Callable[[str], Sequence[int]]) -> None:
        """Check that the engine's `encode` and the trainer's tokenizer give a few texts the same ids.

        Raises:
            RunError: they differ; the message shows the first such text.
        """
        for text in ("What is 12 + 7?\nThink first.", " a  b\n\nc", "<think>\\boxed{3}</think>", "x"):
            ours = list(self.policy.tokenizer(text, add_special_tokens=False)["input_ids"])
            theirs = list(encode(text))
            if ours != theirs:
                raise RunError(
                    f"{self.where} encodes {text!r} as {theirs[:12]}, and the trainer as {ours[:12]}:"
                    f" the tokenizers of {self.policy.name!r} differ (transformers picks one by the model's"
                    " type); give both the same files, or a model type whose tokenizer they fit"
                )
