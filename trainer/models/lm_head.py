"""From hidden states to the log-probabilities of tokens, without ever holding `[B, T, V]` logits.

A causal language model is a backbone followed by a head: a linear layer and, in some models, soft-capping or
scaling of the logits. `Head` runs the model's own code for all of that. Where the logits would be large, they
are computed in pieces and computed again in the backward pass.

Shapes: `_N` tokens, `_H` the hidden size, `V` the size of the vocabulary.
"""

import copy
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

PIECE_BYTES = 128 * 2**20
"""Size of the largest logits that are computed at once, in float32."""


class _PassThrough(nn.Module):
    """Stands in for a backbone and returns the embeddings that it is given as its hidden states."""

    def forward(self, *args: Any, inputs_embeds: Tensor, **kwargs: Any) -> Any:
        return _Output(last_hidden_state=inputs_embeds)


class _Output(SimpleNamespace):
    """A backbone's output: hidden states, and None for every other field that a model may ask for."""

    def __getattr__(self, name: str) -> None:
        return None

    def __getitem__(self, index: int) -> Tensor:
        return self.last_hidden_state


class Head:
    """The part of a transformers causal language model that follows its backbone.

    It is a shallow copy of the model in which the backbone passes its input through. The parameters are the
    model's own, so gradients reach them, and the model's own `forward` computes the logits.
    """

    def __init__(self, model: Any):
        self.model = copy.copy(model)
        self.model._modules = {**model._modules, model.base_model_prefix: _PassThrough()}
        self.vocabulary = model.config.get_text_config().vocab_size

    def logits(self, hidden_NH: Tensor) -> Tensor:
        """Return the logits `[N, V]` of hidden states."""
        return self.model(inputs_embeds=hidden_NH[None], use_cache=False).logits[0]

    def logprobs(self, hidden_NH: Tensor, ids_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """Return log-probabilities of tokens under softmax(logits / temperature), and the entropies.

        Args:
            hidden_NH: hidden states at the positions that predict the tokens.
            ids_N: token ids.
            temperature: must be positive.

        Returns:
            Both `[N]`, float32, in nats. The entropies have no gradient.
        """

        def piece(hidden: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
            return logprobs_of(self.logits(hidden), ids, temperature)

        size = max(1, PIECE_BYTES // (4 * self.vocabulary))  # rows of V float32 logits
        if len(ids_N) <= size:
            return piece(hidden_NH, ids_N)
        pieces = [
            checkpoint(piece, hidden, ids, use_reentrant=False, preserve_rng_state=False)
            for hidden, ids in zip(hidden_NH.split(size), ids_N.split(size), strict=True)
        ]
        logprobs, entropies = zip(*pieces, strict=True)
        return torch.cat(logprobs), torch.cat(entropies)


class NoHead:
    """The counterpart of `Head` for a model whose states are already logits (`WholeModel`)."""

    def __init__(self, model: Any):
        pass

    def logprobs(self, hidden_NH: Tensor, ids_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """See `Head.logprobs`; here `hidden_NH` holds logits `[N, V]`."""
        return logprobs_of(hidden_NH, ids_N, temperature)


def logprobs_of(logits: Tensor, ids: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of `ids` under softmax(logits / temperature), and the entropies.

    With z = logits / temperature: log p(id) = z[id] - logsumexp(z), entropy = logsumexp(z) - sum_v p(v) z[v].

    Args:
        logits: `[..., V]`.
        ids: `[...]`.
        temperature: must be positive.

    Returns:
        Both `[...]`, float32, in nats. The entropies have no gradient.
    """
    scaled = logits.float() if temperature == 1 else logits.float() / temperature
    normaliser = scaled.logsumexp(-1)
    logprobs = scaled.gather(-1, ids[..., None])[..., 0] - normaliser
    with torch.no_grad():
        detached = scaled.detach()
        # In place, because `[..., V]` tensors are the largest in the whole update.
        probabilities = (detached - normaliser[..., None]).exp_()
        mean = torch.linalg.vecdot(probabilities, detached)
        return logprobs, normaliser.detach() - mean
