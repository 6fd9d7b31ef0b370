"""What samples: one small interface, and the proof that an engine has the policy's weights.

An engine gets token ids and gives completions, each token with its log-probability under the
distribution that it was drawn from. The backends are `hf_engine`, `vllm_engine`, `vllm_http`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from ..tasks.problem import Completion
from .config import SamplingConfig
from .policy import EncodedPrompt, Policy


class Engine(ABC):
    """Samples completions from the policy's weights, or from a copy of them."""

    weight_version = 0
    """How many updates the weights that it samples from have seen."""

    @abstractmethod
    def generate(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Sample `n` completions of each prompt, and yield each group as soon as it is whole.

        Args:
            prompts: token ids, never text.
            n: completions a prompt (a group).
            sampling: temperature 0 takes the likeliest token, with log-probability 0.
            seed: of this call's random numbers; the same seed gives the same completions.

        Yields:
            A prompt's place, and its completions. Every place comes once, in any order.
        """

    @abstractmethod
    def is_exact(self, sampling: SamplingConfig) -> bool:
        """Whether its log-probabilities are the trainer's own, to rounding: they can serve as old ones."""

    def sync(self, policy: Policy, version: int) -> None:
        """Take over the policy's weights.

        Raises:
            RunError: they did not arrive, with the likely cause.
        """
        self.weight_version = version

    def close(self) -> None:  # noqa: B027
        """Give back what it holds."""

    def groups(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> list[list[Completion]]:
        """Sample as `generate` does, and return all groups in order."""
        made = dict(self.generate(prompts, n, sampling, seed=seed))
        return [made[place] for place in range(len(prompts))]


def completion_of(
    policy: Policy, prompt: EncodedPrompt, ids: list[int], logprobs: list[float], version: int
) -> Completion:
    """Return a completion from what was sampled; it stopped if its last token is an end token."""
    stopped = bool(ids) and ids[-1] in policy.eos_ids
    return Completion(
        text=policy.decode(ids[:-1] if stopped else ids),
        token_ids=ids,
        logprobs=logprobs,
        prompt_token_ids=prompt.token_ids,
        finish_reason="stop" if stopped else "length",
        weight_version=version,
        prefill=prompt.prefill,
    )
