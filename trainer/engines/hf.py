"""Sampling with transformers, on the policy's own weights.

Each prompt is computed once for its whole group, ended rows leave the batch, and every token comes
with its log-probability under the distribution that it was really drawn from.
"""

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...sandbox.errors import PolicyError
from ...tasks.problem import Completion
from ..config.run_config import SamplingConfig
from ..models.batch import left_padded
from ..models.forward import TOLERANCE, own_logprobs, random_completions
from ..models.kv_cache import sampling_cache
from ..models.notes import Note, ignored
from ..models.policy import EncodedPrompt, Policy
from .base import Engine, completion_of

EXACT = 1e-4
"""Sampled log-probabilities closer than this to the model's own can serve as old ones."""


def sampling_logprobs(logits: Tensor, temperature: float, top_p: float = 1.0) -> Tensor:
    """Return log-probabilities of the distribution that is sampled from.

    Args:
        logits: `[..., V]`.
        temperature: logits are divided by it; must be positive.
        top_p: keep the smallest set of tokens whose probability reaches it, renormalised; the
            others get -inf. The likeliest token always stays.

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
    """Samples from a transformers causal language model: what is trained is what is sampled.

    Args:
        policy: the model itself; nothing is copied.
        max_rows: completions that are sampled at once.
        note: is told if prompts cannot be sampled together.

    Raises:
        PolicyError: what it samples is not what the model says, even one prompt at a time.
    """

    def __init__(self, policy: Policy, *, max_rows: int = 256, note: Note = ignored):
        self.policy, self.max_rows = policy, max_rows
        takes = inspect.signature(policy.model.forward).parameters
        self._cache_name = "past_key_values" if "past_key_values" in takes else "cache_params"
        self._takes_positions = "position_ids" in takes
        self._keep = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self._one_prompt = False
        self._apart = self._probe()
        if not self._apart <= TOLERANCE:
            # Recurrent states see the padding of shorter prompts in some models.
            self._one_prompt, self._apart = True, math.inf
            self._apart = self._probe()
            note("prompts are sampled one at a time: this model gives different results with padding")
        if not self._apart <= TOLERANCE:
            raise PolicyError(
                f"policy.model {policy.name!r} ({type(policy.model).__name__}): with its cache it does not"
                f" give its own log-probabilities (apart by {self._apart:.2g}); sample with engine.kind vllm"
            )

    def _probe(self) -> float:
        """Return how far sampled tokens are from the model's own log-probabilities, in float32."""
        prompts = [EncodedPrompt(c.prompt_token_ids) for c in random_completions(self.policy.model)[1:]]
        differences: list[float] = []
        try:
            with self.policy.in_float32(), torch.inference_mode():
                for group in self.groups(prompts, 2, SamplingConfig(max_new_tokens=6), seed=0):
                    for completion in group:
                        own = own_logprobs(self.policy.model, completion)
                        differences += [abs(a - b) for a, b in zip(own, completion.logprobs, strict=True)]
        except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError):
            return math.inf
        return math.inf if any(map(math.isnan, differences)) else max(differences)

    def is_exact(self, sampling: SamplingConfig) -> bool:
        """Not under top-p or in lower precision."""
        return sampling.top_p >= 1 and self.policy.dtype == torch.float32 and self._apart < EXACT

    @torch.inference_mode()
    def generate(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Sample with one cache for all rows; see `Engine.generate`."""
        generator = torch.Generator(self.policy.device).manual_seed(seed)
        at_once = 1 if self._one_prompt else max(1, self.max_rows // n)
        for start in range(0, len(prompts), at_once):
            some = prompts[start : start + at_once]
            for place, group in _Decoding(self, some, n, sampling, generator).run():
                yield start + place, group

    def forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
        """Return the last position's logits `[B, V]`; the cache takes the new states in."""
        extra: dict[str, Any] = {"attention_mask": mask}
        if self._takes_positions:
            extra["position_ids"] = positions
        elif ids.shape[1] < mask.shape[1]:
            extra = {}  # recurrent: what is padded has been read
        with self.policy.computing():
            out = self.policy.model(
                input_ids=ids, use_cache=True, **{self._cache_name: cache}, **extra, **self._keep
            )
        return out.logits[:, -1]


class _Decoding:
    """One batch on its way: `_R` rows still going on."""

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
        self.going = [n] * len(prompts)
        """Rows of each group that have not ended."""

    def run(self) -> Iterator[tuple[int, list[Completion]]]:
        """Decode until every row has ended or is full; yield each group when its last row ends."""
        limit = self.sampling.max_new_tokens
        logits, cache, mask_RT, next_R = self._prefill()
        width = mask_RT.shape[1]
        mask_RT = torch.cat([mask_RT, mask_RT.new_ones(len(mask_RT), limit)], dim=1)
        rows = list(range(len(self.tokens)))
        live = [True] * len(rows)
        for step in range(1, limit + 1):
            ids_R, logprobs_R = self._pick(logits)
            for group in self._take(rows, live, ids_R.tolist(), logprobs_R.tolist()):
                yield group, self._completions(group)
            left = sum(live)
            if left == 0 or step == limit:
                break
            # Ended rows leave together: each time costs a copy of the cache.
            if left <= 0.9 * len(rows):
                keep = torch.tensor([i for i, alive in enumerate(live) if alive], device=self.device)
                ids_R, mask_RT, next_R = ids_R[keep], mask_RT[keep], next_R[keep]
                cache.reorder_cache(keep)
                rows, live = [row for row, alive in zip(rows, live, strict=True) if alive], [True] * left
            logits = self.engine.forward(ids_R[:, None], mask_RT[:, : width + step], next_R[:, None], cache)
            next_R = next_R + 1
        for group, going in enumerate(self.going):
            if going:
                yield group, self._completions(group)

    def _take(
        self, rows: Sequence[int], live: list[bool], ids: Sequence[int], logprobs: Sequence[float]
    ) -> list[int]:
        """Add a token to every live row; return the groups that this ends."""
        whole = []
        for i, row in enumerate(rows):
            if live[i]:
                self.tokens[row].append(ids[i])
                self.logprobs[row].append(logprobs[i])
                if ids[i] in self.eos_ids:
                    live[i] = False
                    self.going[row // self.n] -= 1
                    if not self.going[row // self.n]:
                        whole.append(row // self.n)
        return whole

    def _prefill(self) -> tuple[Tensor, Any, Tensor, Tensor]:
        """Forward each prompt once, left-padded, and give every row of its group a copy."""
        engine = self.engine
        ids_PT, mask_PT = left_padded([p.token_ids for p in self.prompts], engine.policy.pad_id, self.device)
        positions = (mask_PT.cumsum(-1) - 1).clamp(min=0)
        cache: Any = sampling_cache(engine.policy.model)
        logits = engine.forward(ids_PT, mask_PT, positions, cache)
        group = torch.arange(len(self.prompts), device=self.device).repeat_interleave(self.n)
        cache.reorder_cache(group)
        return logits[group], cache, mask_PT[group], mask_PT.sum(-1)[group]

    def _pick(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        if self.sampling.temperature == 0:
            best = logits.argmax(-1)
            return best, torch.zeros_like(best, dtype=torch.float32)
        logprobs = sampling_logprobs(logits, self.sampling.temperature, self.sampling.top_p)
        # argmax of p / Exp(1) draws from p; a token of probability 0 is never drawn.
        noise = torch.empty_like(logprobs).exponential_(generator=self.generator)
        ids = (logprobs.exp() / noise).argmax(-1)
        return ids, logprobs.gather(-1, ids[:, None])[:, 0]

    def _completions(self, group: int) -> list[Completion]:
        engine, prompt = self.engine, self.prompts[group]
        return [
            completion_of(engine.policy, prompt, self.tokens[row], self.logprobs[row], engine.weight_version)
            for row in range(group * self.n, (group + 1) * self.n)
        ]
