"""What samples: one small interface, and the proof that an engine has the policy's weights.

An engine gets token ids and gives completions, each token with its log-probability under the
distribution that it was drawn from. `hf_engine` samples from the policy itself; `vllm_engine` and
`vllm_http` from copies, which are probed after each update.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from random import Random

import torch

from ...sandbox.errors import RunError
from ...tasks.problem import Completion
from ..config.run_config import EngineConfig, SamplingConfig
from ..models.forward import own_logprobs
from ..models.notes import Note, ignored
from ..models.policy import EncodedPrompt, Policy


class Engine(ABC):
    """Samples completions from the policy's weights, or from a copy of them."""

    weight_version = 0
    """How many updates the weights that it samples from have seen."""
    apart: float | None = None
    """Nats by which the last probe's tokens differed on average; None = nothing to probe."""

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

        Raises:
            RunError: some could not be sampled, or not from the weights of `weight_version`.
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


class CopyEngine(Engine):
    """An engine with weights of its own: pushed after each update, then probed.

    Args:
        config: dtype, threshold of the probe.
        policy: what it is to sample from.
        note: is told what a reader of the run should know.
    """

    where: str = "the engine"
    """For messages."""

    def __init__(self, config: EngineConfig, policy: Policy, note: Note = ignored):
        self.config, self.policy, self.note = config, policy, note
        self.dtype = config.dtype or str(policy.dtype).removeprefix("torch.")
        full = self.dtype == "float32" and policy.dtype == torch.float32
        self.max_mismatch = config.max_mismatch or (1e-3 if full else 0.3)
        self._probes: list[EncodedPrompt] = []
        self.apart_at_load = 0.0
        """As `apart`, with the weights that it loaded itself."""

    @abstractmethod
    def push(self, policy: Policy, version: int) -> None:
        """Bring the weights into the engine, and forget what it computed from the old ones."""

    def is_exact(self, sampling: SamplingConfig) -> bool:
        """Never: other kernels round otherwise, and what is left is measured and corrected."""
        return False

    def sync(self, policy: Policy, version: int) -> None:
        """Push the weights, then see whether they are what is sampled from."""
        self.push(policy, version)
        self.weight_version = version
        self.apart = self.probe()
        if not self.apart <= self.max_mismatch:  # NaN too
            raise RunError(
                f"{self.where}: after the weights of version {version} were put there, the log-probabilities"
                f" of sampled tokens are apart from the trainer's by {self.apart:.3g} nats on average"
                f" (engine.max_mismatch is {self.max_mismatch:g}); {self._likely_cause()}"
            )

    def remember(self, prompts: Sequence[EncodedPrompt]) -> None:
        """Keep the longest and the shortest prompt of a step for the next probe.

        The prompts themselves, since a cache of what the old weights made of them would show so.
        """
        by_length = sorted(prompts, key=lambda prompt: len(prompt.token_ids))
        self._probes = [by_length[-1], by_length[0]]

    def probe(self) -> float:
        """Sample a few tokens, and return how far their log-probabilities are from the trainer's."""
        if not self._probes:
            size = self.policy.model.config.get_text_config().vocab_size
            rng, room = Random(0), (self.policy.context or 256) // 2
            self._probes = [
                EncodedPrompt([rng.randrange(size) for _ in range(n)]) for n in (min(150, room), 3)
            ]
        longest = max(len(prompt.token_ids) for prompt in self._probes)
        sampling = SamplingConfig(max_new_tokens=min(8, (self.policy.context or 1 << 30) - longest))
        completions = [c for group in self.groups(self._probes, 2, sampling, seed=0) for c in group]
        differences: list[float] = []
        with torch.no_grad(), self.policy.computing():
            for completion in completions:
                own = own_logprobs(self.policy.model, completion)
                differences += [abs(a - b) for a, b in zip(own, completion.logprobs, strict=True)]
        return sum(differences) / len(differences)

    def _likely_cause(self) -> str:
        """Say what usually makes this."""
        if self.apart_at_load > self.max_mismatch:
            return (
                f"it was {self.apart_at_load:.3g} with the weights that it loaded itself: its kernels or"
                " precision make another model of this one; raise engine.max_mismatch to train corrected"
            )
        if getattr(self.policy.model.config.get_text_config(), "tie_word_embeddings", False):
            return "likely cause: the tied LM head kept its old, packed weights"
        if self.dtype != "float32":
            return (
                f"likely cause: {self.dtype} in the engine; try engine.dtype float32, or raise the threshold"
            )
        return "likely cause: old weights, a stale prefix cache, or another model in the engine"

    def check_ids(self, encode: Callable[[str], Sequence[int]]) -> None:
        """Refuse an engine that would read other ids than the trainer.

        Raises:
            RunError: with the first text that differs.
        """
        for text in ("What is 12 + 7?\nThink first.", " a  b\n\nc", "<think>\\boxed{3}</think>", "x"):
            ours, theirs = (
                self.policy.tokenizer(text, add_special_tokens=False)["input_ids"],
                list(encode(text)),
            )
            if list(ours) != theirs:
                raise RunError(
                    f"{self.where} reads {text!r} as {theirs[:12]}, and the trainer as {list(ours)[:12]}:"
                    f" the tokenizers of {self.policy.name!r} differ (transformers picks one by the model's"
                    " type); give both the same files, or a model type whose tokenizer they fit"
                )


def prompt_seed(seed: int, place: int) -> int:
    """Return the seed of one prompt's samples: the same on whichever server, in whatever order."""
    return Random(f"{seed}/{place}").getrandbits(62)


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
