"""From hidden states to log-probabilities of tokens, without ever holding `[B, T, V]` logits.

A causal language model is a backbone and whatever it does afterwards: a linear head, soft-capping,
scaling. `Head` is the model itself with its backbone taken out, so nothing of that is written again
here. Where the logits would be large they are computed in pieces, and again in the backward pass.
"""

import copy
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

PIECE_BYTES = 128 * 2**20
"""Logits of one piece, in float32."""


class _Given(nn.Module):
    """In the place of a backbone: its output is its input."""

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> Any:
        return _Output(last_hidden_state=inputs_embeds)


class _Output(SimpleNamespace):
    """A backbone's output with hidden states and nothing else."""

    def __getattr__(self, name: str) -> None:
        return None

    def __getitem__(self, index: int) -> Tensor:
        return self.last_hidden_state


class Head:
    """What a model does with the hidden states of its backbone.

    A shallow copy of the model in which the backbone passes its input through: parameters are the
    model's own, and its `forward` runs as it is.

    Args:
        model: a transformers causal language model.
    """

    def __init__(self, model: Any):
        self.model = copy.copy(model)
        self.model._modules = {**model._modules, model.base_model_prefix: _Given()}
        self.vocabulary = model.config.get_text_config().vocab_size

    def logits(self, hidden_NH: Tensor) -> Tensor:
        """Return `[N, V]`."""
        return self.model(inputs_embeds=hidden_NH[None], use_cache=False).logits[0]

    def logprobs(self, hidden_NH: Tensor, ids_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """Return log-probabilities of tokens under softmax(logits / temperature), and the entropies.

        Args:
            hidden_NH: at the positions that predict the tokens.
            ids_N: the tokens.
            temperature: positive.

        Returns:
            Both `[N]`, float32, in nats. The entropies are for the log and have no gradient.
        """

        def piece(hidden: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
            return logprobs_of(self.logits(hidden), ids, temperature)

        size = max(1, PIECE_BYTES // (4 * self.vocabulary))
        if len(ids_N) <= size:
            return piece(hidden_NH, ids_N)
        pieces = [
            checkpoint(piece, hidden, ids, use_reentrant=False, preserve_rng_state=False)
            for hidden, ids in zip(hidden_NH.split(size), ids_N.split(size), strict=True)
        ]
        logprobs, entropies = zip(*pieces, strict=True)
        return torch.cat(logprobs), torch.cat(entropies)


class NoHead:
    """For states that are logits already."""

    def __init__(self, model: Any):
        pass

    def logprobs(self, hidden_NH: Tensor, ids_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """See `Head.logprobs`; here `hidden_NH` is `[N, V]`."""
        return logprobs_of(hidden_NH, ids_N, temperature)


def logprobs_of(logits: Tensor, ids: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of `ids` under softmax(logits / temperature), and the entropies.

    Args:
        logits: `[..., V]`.
        ids: `[...]`.
        temperature: positive.
    """
    scaled = logits.float() if temperature == 1 else logits.float() / temperature
    normaliser = scaled.logsumexp(-1)
    logprobs = scaled.gather(-1, ids[..., None])[..., 0] - normaliser
    with torch.no_grad():
        held = scaled.detach()
        mean = torch.linalg.vecdot((held - normaliser[..., None]).exp_(), held)
        return logprobs, normaliser.detach() - mean
