"""Sampling with transformers, from the policy's own weights.

Each prompt is computed once for its whole group, completions that have ended leave the batch, and every token
comes with its log-probability under exactly the distribution from which it was drawn.

Shapes: `_P` prompts, `_R` rows (completions) still in the batch, `V` the size of the vocabulary.
"""

import inspect
import math
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from ...sandbox.errors import PolicyError
from ...tasks.problem import Completion
from ..config.run_config import SamplingConfig
from ..models.batch import left_padded
from ..models.forward import TOLERANCE, differences_to_own, random_completions
from ..models.kv_cache import sampling_cache
from ..models.notes import Note, ignored
from ..models.policy import EncodedPrompt, Policy
from .base import Engine, completion_of, stop_length

EXACT = 1e-4
"""Sampled log-probabilities count as exact if they differ by less than this (nats) from the model's own."""


def sampling_logprobs(logits: Tensor, temperature: float, top_p: float = 1.0) -> Tensor:
    """Return log-probabilities of the distribution from which tokens are drawn.

    Args:
        logits: `[..., V]`.
        temperature: divides the logits; must be positive.
        top_p: keep the smallest set of tokens whose probability reaches it, and renormalise; all other
            tokens get -inf. The likeliest token always stays.

    Returns:
        `[..., V]`, float32.
    """
    logprobs = torch.log_softmax(logits.float() / temperature, dim=-1)
    if top_p >= 1:
        return logprobs
    ordered, order = logprobs.sort(dim=-1, descending=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    dropped = torch.zeros_like(logprobs, dtype=torch.bool).scatter(-1, order, before >= top_p)
    return torch.log_softmax(logprobs.masked_fill(dropped, -torch.inf), dim=-1)


class HfEngine(Engine):
    """Samples from the policy's model itself, so there are no weights to copy.

    Args:
        policy: the policy.
        max_rows: the most completions that are sampled at the same time.
        note: called with one line if prompts can only be sampled one at a time.

    Raises:
        PolicyError: sampled log-probabilities are not the model's own, even one prompt at a time.
    """

    def __init__(self, policy: Policy, *, max_rows: int = 256, note: Note = ignored):
        self.policy, self.max_rows = policy, max_rows
        parameters = inspect.signature(policy.model.forward).parameters
        self._cache_name = "past_key_values" if "past_key_values" in parameters else "cache_params"
        self._takes_positions = "position_ids" in parameters
        self._last_logits = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}
        self._one_prompt = False
        self._difference = self._probe()
        if not self._difference <= TOLERANCE:
            # The states of some recurrent models are changed by the padding of shorter prompts.
            self._one_prompt, self._difference = True, math.inf
            self._difference = self._probe()
            note("prompts are sampled one at a time: this model gives different results with padding")
        if not self._difference <= TOLERANCE:
            raise PolicyError(
                f"policy.model {policy.name!r} ({type(policy.model).__name__}): sampling with its cache does"
                f" not give the model's own log-probabilities (they differ by up to {self._difference:.2g}"
                f" nats, accepted are {TOLERANCE:g}); sample with engine.kind vllm, or give another model"
            )

    def _probe(self) -> float:
        """Return the largest difference (nats) of sampled log-probabilities to the model's own, in float32.

        It is infinite if a value is NaN, or if sampling fails inside the model's code.
        """
        completions = random_completions(self.policy.model)[1:]  # the first two have the same prompt
        prompts = [EncodedPrompt(completion.prompt_token_ids) for completion in completions]
        try:
            with self.policy.in_float32(), torch.inference_mode():
                groups = self.groups(prompts, 2, SamplingConfig(max_new_tokens=6), seed=0)
                differences = differences_to_own(self.policy.model, list(chain.from_iterable(groups)))
        except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError):
            return math.inf
        return math.inf if any(map(math.isnan, differences)) else max(differences)

    def is_exact(self, sampling: SamplingConfig) -> bool:
        """See `Engine.is_exact`: True in float32 without top-p, if the model's cache rounds little enough."""
        return sampling.top_p >= 1 and self.policy.dtype == torch.float32 and self._difference < EXACT

    @torch.inference_mode()
    def generate(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Sample in batches of at most `max_rows` completions, but of one prompt at least."""
        generator = torch.Generator(self.policy.device).manual_seed(seed)
        prompts_at_once = 1 if self._one_prompt else max(1, self.max_rows // n)
        for start in range(0, len(prompts), prompts_at_once):
            batch = prompts[start : start + prompts_at_once]
            for i, group in _Decoding(self, batch, n, sampling, generator).run():
                yield start + i, group

    def forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
        """Return the logits `[B, V]` after the last of `ids`, and add the new states to the cache.

        `mask` also covers what is in the cache, so `ids` belong to its last columns.
        """
        extra: dict[str, Any] = {"attention_mask": mask}
        if self._takes_positions:
            extra["position_ids"] = positions
        elif ids.shape[1] < mask.shape[1]:
            # Models that take no positions are recurrent. Only prompts are padded, and the model's state
            # already includes them, so later tokens need no mask.
            extra = {}
        with self.policy.computing():
            out = self.policy.model(
                input_ids=ids, use_cache=True, **{self._cache_name: cache}, **extra, **self._last_logits
            )
        return out.logits[:, -1]


class _Decoding:
    """One batch of prompts while it is sampled: row r is a completion of prompt r // n."""

    def __init__(
        self,
        engine: HfEngine,
        prompts: Sequence[EncodedPrompt],
        n: int,
        sampling: SamplingConfig,
        generator: torch.Generator,
    ):
        self.engine, self.prompts, self.n, self.sampling = engine, prompts, n, sampling
        self.generator = generator
        self.device = engine.policy.device
        self.eos_ids = frozenset(engine.policy.eos_ids)
        self.tokens: list[list[int]] = [[] for _ in range(len(prompts) * n)]
        self.logprobs: list[list[float]] = [[] for _ in range(len(prompts) * n)]
        self.unfinished = [n] * len(prompts)
        """For each group, how many of its rows have not sampled an end token yet."""

    def run(self) -> Iterator[tuple[int, list[Completion]]]:
        """Decode until every row has ended or reached `max_new_tokens`; yield each group when it is complete.

        Yields:
            The index of a prompt, and its completions.
        """
        limit = self.sampling.max_new_tokens
        logits, cache, mask_RT, position_R = self._prefill()
        prompt_width = mask_RT.shape[1]
        mask_RT = torch.cat([mask_RT, mask_RT.new_ones(len(mask_RT), limit)], dim=1)
        rows = list(range(len(self.tokens)))
        live = [True] * len(rows)
        for step in range(1, limit + 1):
            ids_R, logprobs_R = self._pick(logits)
            for group in self._append(rows, live, ids_R.tolist(), logprobs_R.tolist()):
                yield group, self._completions(group)
            still_live = sum(live)
            if still_live == 0 or step == limit:
                break
            # Ended rows leave the batch only once they are a tenth of it, because that copies the cache.
            if still_live <= 0.9 * len(rows):
                kept = [i for i, is_live in enumerate(live) if is_live]
                kept_R = torch.tensor(kept, device=self.device)
                ids_R, mask_RT, position_R = ids_R[kept_R], mask_RT[kept_R], position_R[kept_R]
                cache.reorder_cache(kept_R)
                rows = [rows[i] for i in kept]
                live = [True] * len(rows)
            mask_so_far = mask_RT[:, : prompt_width + step]
            logits = self.engine.forward(ids_R[:, None], mask_so_far, position_R[:, None], cache)
            position_R = position_R + 1
        for group, unfinished in enumerate(self.unfinished):
            if unfinished:
                yield group, self._completions(group)

    def _append(
        self, rows: Sequence[int], live: list[bool], ids: Sequence[int], logprobs: Sequence[float]
    ) -> list[int]:
        """Append the new token of every live row, and return the groups that this completes.

        `live` is updated: a row that its new token ends is not live any more.
        """
        complete = []
        for i, row in enumerate(rows):
            if live[i]:
                self.tokens[row].append(ids[i])
                self.logprobs[row].append(logprobs[i])
                if ids[i] in self.eos_ids or self._stops(row):
                    live[i] = False
                    self.unfinished[row // self.n] -= 1
                    if not self.unfinished[row // self.n]:
                        complete.append(row // self.n)
        return complete

    def _stops(self, row: int) -> bool:
        """Return whether a row contains one of the texts that end a completion."""
        stop, policy = self.sampling.stop, self.engine.policy
        if not stop:
            return False
        # Only the end is decoded at every token; where a stop text seems to be, the whole row decides.
        end = policy.decode(self.tokens[row][-max(map(len, stop)) - 8 :])
        return any(one in end for one in stop) and stop_length(policy, self.tokens[row], stop) is not None

    def _prefill(self) -> tuple[Tensor, Any, Tensor, Tensor]:
        """Compute each prompt once, padded on the left, and copy its states for every row of its group.

        Returns:
            For all rows: the logits `[R, V]` of the first token, the cache, the mask of the prompts `[R, T]`,
            and the position of the first token `[R]`.
        """
        engine = self.engine
        ids_PT, mask_PT = left_padded([p.token_ids for p in self.prompts], engine.policy.pad_id, self.device)
        positions_PT = (mask_PT.cumsum(-1) - 1).clamp(min=0)
        cache: Any = sampling_cache(engine.policy.model)
        logits = engine.forward(ids_PT, mask_PT, positions_PT, cache)
        prompt_R = torch.arange(len(self.prompts), device=self.device).repeat_interleave(self.n)
        cache.reorder_cache(prompt_R)
        return logits[prompt_R], cache, mask_PT[prompt_R], mask_PT.sum(-1)[prompt_R]

    def _pick(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the next token of every row, and return ids and log-probabilities, both `[R]`."""
        if self.sampling.temperature == 0:
            best = logits.argmax(-1)
            return best, torch.zeros_like(best, dtype=torch.float32)
        logprobs = sampling_logprobs(logits, self.sampling.temperature, self.sampling.top_p)
        # With E drawn from Exp(1), argmax(p / E) is a draw from p, and never one of probability 0.
        noise = torch.empty_like(logprobs).exponential_(generator=self.generator)
        ids = (logprobs.exp() / noise).argmax(-1)
        return ids, logprobs.gather(-1, ids[:, None])[:, 0]

    def _completions(self, group: int) -> list[Completion]:
        engine, prompt = self.engine, self.prompts[group]
        return [
            completion_of(
                engine.policy,
                prompt,
                self.tokens[row],
                self.logprobs[row],
                engine.weight_version,
                stop=self.sampling.stop,
                where="transformers",
            )
            for row in range(group * self.n, (group + 1) * self.n)
        ]
