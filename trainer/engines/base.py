"""The interface of engines, which sample completions.

An engine gets prompts as token ids and returns completions with the log-probability of every token under the
distribution that it was drawn from. `HfEngine` samples from the policy's own weights; `VllmEngine` and
`VllmServers` have copies of them (`copy_engine.py`).
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from random import Random

from ...sandbox.errors import RunError
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
    policy: Policy,
    prompt: EncodedPrompt,
    ids: Sequence[int],
    logprobs: Sequence[float | None],
    version: int,
    *,
    stop: Sequence[str] = (),
    where: str = "the engine",
) -> Completion:
    """Return sampled ids as a completion, up to the token that completes a text of `stop`.

    Its finish_reason is `stop` if it ends with such a text or with an end token.

    Raises:
        RunError: there is not one finite log-probability for each of one or more tokens, which is the fault
            of the engine, `where`.
    """
    if len(ids) != len(logprobs) or not ids:
        raise RunError(
            f"{where} returned a completion of {len(ids)} tokens with {len(logprobs)} log-probabilities"
            " (expected: at least one token, and one log-probability for each), which is the engine's fault;"
            " use the version that markscheme's extra installs"
        )
    end = stop_length(policy, ids, stop)
    own_ids, own = list(ids[:end]), [math.nan if one is None else one for one in logprobs[:end]]
    for place, logprob in enumerate(own):
        if not math.isfinite(logprob):
            raise RunError(
                f"{where} returned the log-probability {logprobs[place]} for token {place + 1} of"
                f" {len(own)}, which is the engine's fault: its kernels or its precision fail on this model;"
                " set engine.dtype to float32, or sample with engine.kind hf. Nothing was learned from this"
                " step: continue with --resume"
            )
    return Completion(
        text=policy.decode(own_ids),
        token_ids=own_ids,
        logprobs=own,
        prompt_token_ids=prompt.token_ids,
        finish_reason="stop" if end is not None or own_ids[-1] in policy.eos_ids else "length",
        weight_version=version,
        prefill=prompt.prefill,
    )


def stop_length(policy: Policy, ids: Sequence[int], stop: Sequence[str]) -> int | None:
    """Return with how many of the ids the text first contains one of `stop`; None if it never does."""

    def contains(count: int) -> bool:
        text = policy.decode(ids[:count])
        return any(one in text for one in stop)

    if not stop or not contains(len(ids)):
        return None
    return bisect_left(range(1, len(ids) + 1), True, key=contains) + 1
