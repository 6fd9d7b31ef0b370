"""Completions as padded tensors, and their log-probabilities under a model.

Shapes: `_B` completions, `_T` completion tokens. Prompts are padded on the left and completions on
the right, so that all completions start in the same column and the LM head runs on those only.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..tasks.problem import Completion
from .hf_engine import left_padded


@dataclass(frozen=True)
class Batch:
    """What one forward and backward pass needs."""

    input_ids: Tensor
    """`[B, prompt + T]`."""
    attention_mask: Tensor
    """`[B, prompt + T]`, 1 for real tokens."""
    completion_ids_BT: Tensor
    """`[B, T]`."""
    mask_BT: Tensor
    """`[B, T]`, 1 for the policy's own tokens."""
    old_logprobs_BT: Tensor
    """`[B, T]`, of the policy that sampled."""
    advantages_BT: Tensor
    """`[B, T]`."""
    rows: tuple[int, ...]
    """Which completions these are."""


def make_batch(
    completions: Sequence[Completion], old_logprobs: Sequence[Sequence[float]], advantages: Sequence[float],
    rows: Sequence[int], pad_id: int, device: torch.device,
) -> Batch:  # fmt: skip
    """Pad some of the completions into one batch.

    Args:
        completions: all of the step.
        old_logprobs: for each of them, one number a token.
        advantages: for each of them, one number.
        rows: which ones to take.
        pad_id: the id put where nothing is.
        device: where the tensors go.
    """
    some = [completions[i] for i in rows]
    prompt_ids, prompt_mask = left_padded([c.prompt_token_ids for c in some], pad_id, device)
    ids = right_padded([c.token_ids for c in some], pad_id).to(device)
    own = right_padded([c.loss_mask or [1] * len(c.token_ids) for c in some], 0).to(device)
    real = right_padded([[1] * len(c.token_ids) for c in some], 0).to(device)
    old = right_padded([old_logprobs[i] for i in rows], 0.0, torch.float32).to(device)
    gained = torch.tensor([advantages[i] for i in rows], dtype=torch.float32, device=device)
    return Batch(
        input_ids=torch.cat([prompt_ids, ids], dim=1),
        attention_mask=torch.cat([prompt_mask, real], dim=1),
        completion_ids_BT=ids,
        mask_BT=own,
        old_logprobs_BT=old,
        advantages_BT=gained[:, None].expand(-1, ids.shape[1]),
        rows=tuple(rows),
    )


def right_padded(rows: Sequence[Sequence[Any]], fill: Any, dtype: torch.dtype = torch.long) -> Tensor:
    """Return `[B, T]`, padded on the right."""
    width = max(len(row) for row in rows)
    return torch.tensor([list(row) + [fill] * (width - len(row)) for row in rows], dtype=dtype)


def microbatches(completions: Sequence[Completion], rows: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Split rows, sorted by length, into lists of at most `budget` tokens, padding included.

    A single completion over the budget still makes a list of its own.
    """
    by_length = sorted(rows, key=lambda i: (len(completions[i].token_ids), i), reverse=True)
    current: list[int] = []
    prompt = longest = 0
    for i in by_length:
        prompt = max(prompt, len(completions[i].prompt_token_ids))
        longest = max(longest, len(completions[i].token_ids))
        if current and (len(current) + 1) * (prompt + longest) > budget:
            yield current
            current = []
            prompt, longest = len(completions[i].prompt_token_ids), len(completions[i].token_ids)
        current.append(i)
    if current:
        yield current


def token_logprobs(model: Any, batch: Batch, temperature: float) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of the completion tokens and the entropy there, both `[B, T]`.

    Under softmax(logits / temperature): what was sampled from, with gradient. The entropy, in
    nats, is for the log and has none.
    """
    width = batch.completion_ids_BT.shape[1]
    takes = inspect.signature(model.forward).parameters
    positions = (batch.attention_mask.cumsum(-1) - 1).clamp(min=0)
    extra: dict[str, Any] = {"position_ids": positions} if "position_ids" in takes else {}
    if "logits_to_keep" in takes:
        extra["logits_to_keep"] = width + 1
    out = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False, **extra)
    logits = out.logits[:, -width - 1 : -1].float() / temperature
    logprobs = torch.log_softmax(logits, dim=-1)
    with torch.no_grad():
        entropy = -(logprobs.exp() * logprobs).sum(-1)
    return logprobs.gather(-1, batch.completion_ids_BT[..., None])[..., 0], entropy
