"""Log-probabilities of completions under a model, each prompt computed once.

In the update a group's prompt is the same for all its completions, so its keys and values are computed
once and shared, with gradient: chunks of completions run on detached copies, their backward passes
add up in the copies, and one last backward pass takes the sum through the prompts. The chunks'
activations are gone by then. Models for which this does not give their own log-probabilities
(`choose_way` tries) compute each prompt with each completion.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from ...tasks.problem import Completion
from .batch import Batch, Block, Sampled, blocks, chunks, left_padded, make_batch, repeated
from .kv_cache import can_share_prompts, prefix_cache, recorded, recording_cache
from .lm_head import Head, NoHead
from .policy import Policy


class Prompts(Protocol):
    """A block's prompts, ready for completions."""

    def hidden(self, batch: Batch) -> Tensor:
        """Return the hidden states `[B, T, H]` that predict the tokens of a chunk."""
        ...

    def backward(self) -> None:
        """Finish the backward passes of the chunks."""
        ...


class SharedPrompts:
    """Prompts that are computed once.

    Args:
        model: a causal language model whose cache is plain attention.
        block: the prompts.
        pad_id: any id.
        device: where the model is.
    """

    def __init__(self, model: Any, block: Block, pad_id: int, device: torch.device):
        self.model = model
        ids_PT, self.mask_PT = left_padded(block.prompts, pad_id, device)
        cache = recording_cache(model)
        last = _backbone(model, ids_PT, self.mask_PT, cache)[:, -1]
        self._made: list[Tensor] = [last, *recorded(cache)]
        self._shared = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in self._made]

    def hidden(self, batch: Batch) -> Tensor:
        """The first token is predicted by its prompt's last state, the others by those before them."""
        last, *rest = self._shared
        first = last.index_select(0, batch.prompt_B)[:, None]
        if batch.ids_BT.shape[1] == 1:
            return first
        cache = prefix_cache(rest, batch.prompt_B)
        mask_BT = torch.cat([self.mask_PT[batch.prompt_B], batch.real_BT[:, :-1].long()], dim=1)
        ids_BT = batch.ids_BT[:, :-1]
        return torch.cat([first, _backbone(self.model, ids_BT, mask_BT, cache)], dim=1)

    def backward(self) -> None:
        """Take what the chunks left at the shared tensors through the prompts."""
        pairs = [(m, s.grad) for m, s in zip(self._made, self._shared, strict=True) if s.grad is not None]
        if pairs:
            made, gradients = zip(*pairs, strict=True)
            torch.autograd.backward(made, gradients)


class RepeatedPrompts:
    """Prompts that are computed with every completion."""

    def __init__(self, model: Any, block: Block, pad_id: int, device: torch.device):
        self.model = model
        self.ids_PT, self.mask_PT = left_padded(block.prompts, pad_id, device)

    def hidden(self, batch: Batch) -> Tensor:
        """Compute prompts and completions, and keep the positions before the completions' tokens."""
        ids_BT = torch.cat([self.ids_PT[batch.prompt_B], batch.ids_BT[:, :-1]], dim=1)
        mask_BT = torch.cat([self.mask_PT[batch.prompt_B], batch.real_BT[:, :-1].long()], dim=1)
        return self._compute(ids_BT, mask_BT)[:, self.ids_PT.shape[1] - 1 :]

    def _compute(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        return _backbone(self.model, ids_BT, mask_BT, None)

    def backward(self) -> None:
        """Nothing is left to do."""


class WholeModel(RepeatedPrompts):
    """For a model that does not come apart into backbone and head: its own logits are the states."""

    def _compute(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        positions = positions_of(self.model, ids_BT, mask_BT)
        return self.model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False, **positions).logits


def _backbone(model: Any, ids: Tensor, mask: Tensor, cache: Any) -> Tensor:
    """Return the backbone's last hidden states `[B, T, H]` for `ids`, the last columns of `mask`."""
    more = positions_of(model, ids, mask) | ({} if cache is None else {"past_key_values": cache})
    return model.base_model(input_ids=ids, attention_mask=mask, use_cache=cache is not None, **more)[0]


def positions_of(model: Any, ids: Tensor, mask: Tensor) -> dict[str, Any]:
    """Return the positions of `ids`, the last columns of `mask`, as an argument if the model takes it."""
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return {}
    return {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]}


Way = Literal["shared", "repeated", "whole"]
_WAYS: dict[Way, tuple[type[SharedPrompts] | type[RepeatedPrompts], type[Head] | type[NoHead]]] = {
    "shared": (SharedPrompts, Head),
    "repeated": (RepeatedPrompts, Head),
    "whole": (WholeModel, NoHead),
}
"""How prompts and heads are computed, the cheapest first."""


BUDGETS = {"cpu": 2048, "cuda": 16384}
"""Tokens of one pass: where more of them at once are no faster, and take more memory."""


class Forward:
    """How log-probabilities are computed in a run.

    Args:
        policy: its device, its precision, its padding.
        budget: tokens of one pass, prompts and padding included; None = `BUDGETS`.
        temperature: of the sampling.
        way: see `choose_way`.
    """

    def __init__(self, policy: Policy, *, budget: int | None, temperature: float, way: Way = "shared"):
        self.policy, self.temperature = policy, temperature
        self.budget = budget or BUDGETS.get(policy.device.type, BUDGETS["cuda"])
        self._prompts, self._head = _WAYS[way]

    def passes(
        self, model: Any, sampled: Sampled, rows: Sequence[int]
    ) -> Iterator[tuple[Batch, Tensor, Tensor]]:
        """Yield chunks with their log-probabilities and entropies, both `[B, T]`; 0 in the padding.

        Whoever wants gradients calls `backward` on each chunk's loss before taking the next one.
        """
        policy, head = self.policy, self._head(model)
        for block in blocks(sampled.completions, rows, self.budget):
            with policy.computing():
                prompts = self._prompts(model, block, policy.pad_id, policy.device)
            for chunk in chunks(sampled.completions, block, self.budget):
                batch = make_batch(sampled, block, chunk, policy.device)
                with policy.computing():
                    found = self._logprobs(prompts, head, batch)
                yield batch, *found
            prompts.backward()

    def _logprobs(self, prompts: Prompts, head: Head | NoHead, batch: Batch) -> tuple[Tensor, Tensor]:
        real = batch.real_BT.flatten().nonzero()[:, 0]
        hidden_NH = prompts.hidden(batch).flatten(0, 1).index_select(0, real)
        ids_N = batch.ids_BT.flatten().index_select(0, real)
        found = head.logprobs(hidden_NH, ids_N, self.temperature)
        logprobs_BT, entropy_BT = (
            values.new_zeros(batch.ids_BT.numel()).index_copy(0, real, values).view(batch.ids_BT.shape)
            for values in found
        )
        return logprobs_BT, entropy_BT

    @torch.no_grad()
    def logprobs(self, model: Any, sampled: Sampled, rows: Sequence[int]) -> list[list[float]]:
        """Return each completion's log-probabilities under a model; empty for rows not asked for."""
        found: list[list[float]] = [[] for _ in sampled.completions]
        for batch, logprobs_BT, _ in self.passes(model, sampled, rows):
            for i, row in zip(batch.rows, logprobs_BT.tolist(), strict=True):
                found[i] = row[: len(sampled.completions[i].token_ids)]
        return found


TOLERANCE = 1e-3
"""Of log-probabilities in the probe: rounding is far below, another computation far above."""


@torch.no_grad()
def choose_way(policy: Policy) -> tuple[Way, str]:
    """Return the cheapest way that gives the model's own log-probabilities, and why not a cheaper one.

    Each way is compared with the model's own logits, row by row without padding, in float32.
    """
    why = ""
    for way in _WAYS:
        found = _probe(policy, way)
        if found is None:
            return way, why
        why = why or found
    return "whole", why


def _probe(policy: Policy, way: Way) -> str | None:
    """Return what is wrong with a way; None = nothing."""
    model = policy.model
    completions = random_completions(model)
    forward = Forward(policy, budget=1 << 20, temperature=1.0, way=way)
    try:
        if way == "shared" and not can_share_prompts(model):
            return "its layers keep more than keys and values"
        with policy.in_float32():
            own = [own_logprobs(model, completion) for completion in completions]
            found = forward.logprobs(model, Sampled(completions, repeated(completions, [0.0] * 3)), range(3))
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    apart = max(
        abs(a - b) for one, two in zip(found, own, strict=True) for a, b in zip(one, two, strict=True)
    )
    return None if apart <= TOLERANCE else f"log-probabilities differ by {apart:.2g} from the model's own"


def random_completions(model: Any) -> list[Completion]:
    """Return three completions of two prompts, all of different lengths."""
    vocabulary = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(0)
    short, long = (torch.randint(0, vocabulary, (n,), generator=generator).tolist() for n in (3, 7))
    made = []
    for prompt, length in ((short, 5), (short, 1), (long, 9)):
        ids = torch.randint(0, vocabulary, (length,), generator=generator).tolist()
        made.append(Completion("", token_ids=ids, prompt_token_ids=prompt, logprobs=[0.0] * length))
    return made


def own_logprobs(model: Any, completion: Completion) -> list[float]:
    """Return a completion's log-probabilities by the model itself: no cache, no padding, no batch."""
    start = len(completion.prompt_token_ids)
    ids = torch.tensor([*completion.prompt_token_ids, *completion.token_ids], device=model.device)
    logits = model(input_ids=ids[None]).logits[0, start - 1 : -1].float()
    return torch.log_softmax(logits, -1).gather(-1, ids[start:, None])[:, 0].tolist()
