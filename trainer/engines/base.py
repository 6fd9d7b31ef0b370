"""The interface of engines, which sample completions.

An engine gets prompts as token ids and returns completions with the log-probability of every token under the
distribution that it was drawn from. `HfEngine` samples from the policy's own weights; `VllmEngine` and
`VllmServers` have copies of them (`copy_engine.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from random import Random

from ...tasks.problem import Completion
from ..config.run_config import SamplingConfig
from ..models.policy import EncodedPrompt, Policy


class Engine(ABC):
    """Samples completions from the policy's weights, or from a copy of them."""

    weight_version = 0
    """How many updates the engine's weights have seen."""
    probe_mismatch: float | None = None
    """Result of the last `CopyEngine.probe`; None = the engine is not probed, or was not yet."""

    @abstractmethod
    def generate(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Sample `n` completions of each prompt, and yield each prompt's group as soon as it is complete.

        Args:
            prompts: as token ids.
            n: completions per prompt.
            sampling: with temperature 0 the likeliest token is taken, and its log-probability is 0.
            seed: for this call's random numbers; the same seed gives the same completions.

        Yields:
            The index of a prompt, and its completions; each prompt once, in any order.

        Raises:
            RunError: a completion could not be sampled, or not from the weights of `weight_version`.
        """

    @abstractmethod
    def is_exact(self, sampling: SamplingConfig) -> bool:
        """Return whether the log-probabilities of `generate` equal the trainer's up to rounding.

        If so, they are the old log-probabilities of the update, which need not be computed.
        """

    def sync(self, policy: Policy, version: int) -> None:
        """Take over the policy's weights, which have seen `version` updates.

        Raises:
            RunError: the weights did not arrive; the message names the likely cause.
        """
        self.weight_version = version

    def close(self) -> None:  # noqa: B027
        """Free memory, processes and files that the engine holds."""

    def groups(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> list[list[Completion]]:
        """Sample like `generate`, and return all groups in the order of the prompts."""
        by_index = dict(self.generate(prompts, n, sampling, seed=seed))
        return [by_index[i] for i in range(len(prompts))]


def prompt_seed(seed: int, index: int) -> int:
    """Return the seed of one prompt's samples; it depends neither on the server nor on the request order."""
    return Random(f"{seed}/{index}").getrandbits(62)


def completion_of(
    policy: Policy, prompt: EncodedPrompt, ids: list[int], logprobs: list[float], version: int
) -> Completion:
    """Return sampled ids as a completion; its finish_reason is `stop` if the last id is an end token."""
    stopped = bool(ids) and ids[-1] in policy.eos_ids
    return Completion(
        text=policy.decode(ids),
        token_ids=ids,
        logprobs=logprobs,
        prompt_token_ids=prompt.token_ids,
        finish_reason="stop" if stopped else "length",
        weight_version=version,
        prefill=prompt.prefill,
    )
