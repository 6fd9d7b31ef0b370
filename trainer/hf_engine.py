"""Sampling with transformers, on the policy's own weights.

Each prompt is computed once for its whole group, ended rows leave the batch, and every token comes
with its log-probability under the distribution that it was really drawn from.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..tasks.problem import Completion
from .config import SamplingConfig
from .policy import EncodedPrompt, Policy


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


class HfEngine:
    """Samples from a transformers causal language model.

    Args:
        policy: the model itself: what is trained is what is sampled, nothing is copied.
        max_rows: completions that are sampled at once.
    """

    def __init__(self, policy: Policy, *, max_rows: int = 256):
        self.policy, self.max_rows = policy, max_rows
        self.weight_version = 0
        self._takes = frozenset(inspect.signature(policy.model.forward).parameters)

    def is_exact(self, sampling: SamplingConfig) -> bool:
        """Whether the log-probabilities are those of a plain forward: they can serve as old ones.

        Not under top-p, in lower precision, or where positions are scaled by the batch's length.
        """
        rope = str(getattr(self.policy.model.config.get_text_config(), "rope_parameters", None))
        scaled = "longrope" in rope or "dynamic" in rope
        return sampling.top_p >= 1 and self.policy.dtype == torch.float32 and not scaled

    @torch.inference_mode()
    def generate(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> list[list[Completion]]:
        """Sample `n` completions of each prompt; the same seed gives the same completions.

        Args:
            prompts: token ids, never text.
            n: completions a prompt (a group).
            sampling: temperature 0 takes the likeliest token, with log-probability 0.
            seed: of this call's random numbers.
        """
        generator = torch.Generator(self.policy.device).manual_seed(seed)
        at_once = max(1, self.max_rows // n)
        groups: list[list[Completion]] = []
        for start in range(0, len(prompts), at_once):
            some = prompts[start : start + at_once]
            rows = _Decoding(self, some, n, sampling, generator).run()
            groups += [rows[i * n : (i + 1) * n] for i in range(len(some))]
        return groups

    def forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """Return the last position's logits `[B, V]` and the cache."""
        extra: dict[str, Any] = {"position_ids": positions} if "position_ids" in self._takes else {}
        if "logits_to_keep" in self._takes:
            extra["logits_to_keep"] = 1
        with self.policy.computing():
            out = self.policy.model(
                input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **extra
            )
        return out.logits[:, -1], out.past_key_values


class _Decoding:
    """One batch on its way: `_R` rows still going on."""

    def __init__(
        self, engine: HfEngine, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig,
        generator: torch.Generator,
    ):  # fmt: skip
        self.engine, self.prompts, self.n, self.sampling = engine, prompts, n, sampling
        self.generator = generator
        self.device = engine.policy.device
        self.tokens: list[list[int]] = [[] for _ in range(len(prompts) * n)]
        self.logprobs: list[list[float]] = [[] for _ in range(len(prompts) * n)]

    def run(self) -> list[Completion]:
        """Decode until every row has ended or is full."""
        logits, cache, mask_RT, next_R = self._prefill()
        rows_R = torch.arange(len(self.tokens), device=self.device)
        for step in range(self.sampling.max_new_tokens):
            ids_R, logprobs_R = self._pick(logits)
            # Rows that ended earlier may wait in the batch to be dropped together.
            for row, token, logprob in zip(rows_R.tolist(), ids_R.tolist(), logprobs_R.tolist(), strict=True):
                if not self._done(row):
                    self.tokens[row].append(token)
                    self.logprobs[row].append(logprob)
            going = [i for i, row in enumerate(rows_R.tolist()) if not self._done(row)]
            if not going or step + 1 == self.sampling.max_new_tokens:
                break
            if len(going) <= 0.9 * len(rows_R):  # a copy of the cache: not for every single row
                keep = torch.tensor(going, device=self.device)
                rows_R, ids_R, mask_RT, next_R = (
                    rows_R[keep],
                    ids_R[keep],
                    mask_RT[keep],
                    next_R[keep],
                )
                cache.reorder_cache(keep)
            mask_RT = torch.cat([mask_RT, mask_RT.new_ones(len(rows_R), 1)], dim=1)
            logits, cache = self.engine.forward(ids_R[:, None], mask_RT, next_R[:, None], cache)
            next_R = next_R + 1
        return [self._completion(row) for row in range(len(self.tokens))]

    def _done(self, row: int) -> bool:
        return bool(self.tokens[row]) and self.tokens[row][-1] in self.engine.policy.eos_ids

    def _prefill(self) -> tuple[Tensor, Any, Tensor, Tensor]:
        """Forward each prompt once, left-padded, and give every row of its group a copy."""
        ids_PT, mask_PT = left_padded(
            [p.token_ids for p in self.prompts], self.engine.policy.pad_id, self.device
        )
        positions = (mask_PT.cumsum(-1) - 1).clamp(min=0)
        logits, cache = self.engine.forward(ids_PT, mask_PT, positions, None)
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

    def _completion(self, row: int) -> Completion:
        ids = self.tokens[row]
        stopped = self._done(row)
        prompt = self.prompts[row // self.n]
        return Completion(
            text=self.engine.policy.decode(ids[:-1] if stopped else ids),
            token_ids=ids,
            logprobs=self.logprobs[row],
            prompt_token_ids=prompt.token_ids,
            finish_reason="stop" if stopped else "length",
            weight_version=self.engine.weight_version,
            prefill=prompt.prefill,
        )


def left_padded(rows: Sequence[Sequence[int]], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ids and mask `[B, T]`, padded on the left."""
    width = max(len(row) for row in rows)
    ids = [[pad_id] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
