"""Log-probabilities of completions under a model, each prompt computed only once where that is possible.

In the update all completions of a group follow the same prompt. Its keys and values are computed once, with
gradient, and every chunk of completions runs on detached copies of them. The chunks' backward passes add up
their gradients in these copies, and one last backward pass takes the sums through the prompts. Each chunk's
activations are freed before the next chunk starts.

Some models give other log-probabilities when they are computed like this. `choose_way` finds that out by
trying; for such models, each prompt is computed again with every completion.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from ...sandbox.errors import first_line
from ...tasks.problem import Completion
from .batch import Batch, Block, Sampled, blocks, chunks, for_each_token, left_padded, make_batch
from .kv_cache import can_share_prompts, prefix_cache, recorded, recording_cache
from .lm_head import Head, NoHead
from .policy import Policy


class Prompts(Protocol):
    """One block's prompts, prepared so that chunks of completions can be computed after them."""

    def hidden(self, batch: Batch) -> Tensor:
        """Return hidden states `[B, T, H]`: position t is the state that predicts token t of the chunk."""
        ...

    def backward(self) -> None:
        """Complete the chunks' backward passes; called once, after the last chunk."""
        ...


class SharedPrompts:
    """Prompts that are computed once, for a model whose cache holds only attention keys and values."""

    def __init__(self, model: Any, block: Block, pad_id: int, device: torch.device):
        self.model = model
        ids_PT, self.mask_PT = left_padded(block.prompts, pad_id, device)
        cache = recording_cache(model)
        last_PH = _backbone(model, ids_PT, self.mask_PT, cache)[:, -1]
        self._computed: list[Tensor] = [last_PH, *recorded(cache)]
        self._copies = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in self._computed]

    def hidden(self, batch: Batch) -> Tensor:
        """See `Prompts.hidden`: the prompt's last state predicts a completion's first token."""
        last_PH, *keys_and_values = self._copies
        first_B1H = last_PH.index_select(0, batch.prompt_B)[:, None]
        if batch.ids_BT.shape[1] == 1:
            return first_B1H
        cache = prefix_cache(keys_and_values, batch.prompt_B)
        mask_BT = torch.cat([self.mask_PT[batch.prompt_B], batch.real_BT[:, :-1].long()], dim=1)
        ids_BT = batch.ids_BT[:, :-1]
        return torch.cat([first_B1H, _backbone(self.model, ids_BT, mask_BT, cache)], dim=1)

    def backward(self) -> None:
        """Take the gradients that the chunks left in the detached copies back through the prompts."""
        outputs: list[Tensor] = []
        gradients: list[Tensor] = []
        for computed, copied in zip(self._computed, self._copies, strict=True):
            if copied.grad is not None:
                outputs.append(computed)
                gradients.append(copied.grad)
        if outputs:
            torch.autograd.backward(outputs, gradients)


class RepeatedPrompts:
    """Prompts that are computed again with every completion."""

    def __init__(self, model: Any, block: Block, pad_id: int, device: torch.device):
        self.model = model
        self.ids_PT, self.mask_PT = left_padded(block.prompts, pad_id, device)

    def hidden(self, batch: Batch) -> Tensor:
        """See `Prompts.hidden`: compute prompt and completion, and keep the states before each token."""
        ids_BT = torch.cat([self.ids_PT[batch.prompt_B], batch.ids_BT[:, :-1]], dim=1)
        mask_BT = torch.cat([self.mask_PT[batch.prompt_B], batch.real_BT[:, :-1].long()], dim=1)
        return self._compute(ids_BT, mask_BT)[:, self.ids_PT.shape[1] - 1 :]

    def _compute(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        return _backbone(self.model, ids_BT, mask_BT, None)

    def backward(self) -> None:
        """Do nothing: the chunks' own backward passes reach the prompts."""


class WholeModel(RepeatedPrompts):
    """Repeated prompts for a model that cannot be split into backbone and head.

    `hidden` then returns the model's own logits `[B, T, V]`, which `NoHead` takes as they are.
    """

    def _compute(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        positions = positions_of(self.model, ids_BT, mask_BT)
        return self.model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False, **positions).logits


def _backbone(model: Any, ids: Tensor, mask: Tensor, cache: Any) -> Tensor:
    """Return the backbone's last hidden states `[B, T, H]` for `ids`.

    `mask` also covers what is in the cache, so `ids` belong to its last columns.
    """
    arguments = positions_of(model, ids, mask)
    if cache is not None:
        arguments["past_key_values"] = cache
    return model.base_model(input_ids=ids, attention_mask=mask, use_cache=cache is not None, **arguments)[0]


def positions_of(model: Any, ids: Tensor, mask: Tensor) -> dict[str, Any]:
    """Return the argument `position_ids` for `ids`, which belong to the last columns of `mask`.

    The mapping is empty if the model takes no positions.
    """
    if "position_ids" not in inspect.signature(model.forward).parameters:
        return {}
    return {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]}


Way = Literal["shared", "repeated", "whole"]
"""How a model's log-probabilities are computed.

`shared`: each prompt once; `repeated`: each prompt again with every completion; `whole`: likewise, through
the model's own logits, because backbone and head cannot be run separately.
"""

_WAYS: dict[Way, tuple[type[SharedPrompts] | type[RepeatedPrompts], type[Head] | type[NoHead]]] = {
    "shared": (SharedPrompts, Head),
    "repeated": (RepeatedPrompts, Head),
    "whole": (WholeModel, NoHead),
}
"""In the order in which `choose_way` tries them, the cheapest first."""

BUDGETS = {"cpu": 2048, "cuda": 16384}
"""Default budget of one pass in tokens, by device type: larger passes are no faster and take more memory."""


class Forward:
    """Computes the log-probabilities of completions, chunk by chunk.

    Args:
        policy: gives device, precision and padding; the model to compute with is an argument of the methods.
        budget: the most tokens of one pass, prompts and padding included; None = the device's in `BUDGETS`.
        temperature: divides the logits, as it did in sampling.
        way: see `choose_way`.
    """

    def __init__(self, policy: Policy, *, budget: int | None, temperature: float, way: Way = "shared"):
        self.policy, self.temperature = policy, temperature
        self.budget = budget or BUDGETS.get(policy.device.type, BUDGETS["cuda"])
        self._prompts, self._head = _WAYS[way]

    def passes(
        self, model: Any, sampled: Sampled, rows: Sequence[int]
    ) -> Iterator[tuple[Batch, Tensor, Tensor]]:
        """Yield each chunk with its log-probabilities and entropies (nats), both `[B, T]`, 0 in the padding.

        To get gradients, call `backward` on each chunk's loss before taking the next chunk, and exhaust the
        iterator: a block's last backward pass runs after its last chunk.
        """
        policy, head = self.policy, self._head(model)
        for block in blocks(sampled.completions, rows, self.budget):
            with policy.computing():
                prompts = self._prompts(model, block, policy.pad_id, policy.device)
            for chunk in chunks(sampled.completions, block, self.budget):
                batch = make_batch(sampled, block, chunk, policy.device)
                with policy.computing():
                    logprobs_BT, entropy_BT = self._logprobs(prompts, head, batch)
                yield batch, logprobs_BT, entropy_BT
            prompts.backward()

    def _logprobs(self, prompts: Prompts, head: Head | NoHead, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return log-probabilities and entropies `[B, T]`; the head sees the N real tokens only."""
        places_N = batch.real_BT.flatten().nonzero()[:, 0]
        hidden_NH = prompts.hidden(batch).flatten(0, 1).index_select(0, places_N)
        ids_N = batch.ids_BT.flatten().index_select(0, places_N)
        logprobs_N, entropy_N = head.logprobs(hidden_NH, ids_N, self.temperature)
        shape = batch.ids_BT.shape
        return _put_back(logprobs_N, places_N, shape), _put_back(entropy_N, places_N, shape)

    @torch.no_grad()
    def logprobs(self, model: Any, sampled: Sampled, rows: Sequence[int]) -> list[list[float]]:
        """Return the log-probabilities of each completion's tokens; an empty list for those not in `rows`."""
        by_completion: list[list[float]] = [[] for _ in sampled.completions]
        for batch, logprobs_BT, _ in self.passes(model, sampled, rows):
            for i, row in zip(batch.rows, logprobs_BT.tolist(), strict=True):
                by_completion[i] = row[: len(sampled.completions[i].token_ids)]
        return by_completion


def _put_back(values_N: Tensor, places_N: Tensor, shape: torch.Size) -> Tensor:
    """Return a tensor of `shape` with the values at their flat places and 0 everywhere else."""
    return values_N.new_zeros(shape.numel()).index_copy(0, places_N, values_N).view(shape)


TOLERANCE = 1e-3
"""Largest difference (nats) at which two ways of computing a log-probability count as equal.

Rounding in float32 stays far below it, and a wrong computation lands far above it.
"""


@torch.no_grad()
def choose_way(policy: Policy) -> tuple[Way, str]:
    """Return the cheapest way of computing log-probabilities that agrees with the model's own.

    Each way is tried in float32 on a few random completions, and compared with the model's logits for one
    completion at a time without padding. If no way agrees, `whole` is returned.

    Returns:
        The way, and the reason why the cheapest one was rejected; an empty string if it was not.
    """
    first_reason = ""
    for way in _WAYS:
        reason = _reason_against(policy, way)
        if reason is None:
            return way, first_reason
        first_reason = first_reason or reason
    return "whole", first_reason


def _reason_against(policy: Policy, way: Way) -> str | None:
    """Return why a way does not give the model's own log-probabilities; None if it does."""
    model = policy.model
    completions = random_completions(model)
    sampled = Sampled(completions, for_each_token(completions, [0.0] * len(completions)))
    # The budget is large enough for all completions to share one pass, with padding.
    forward = Forward(policy, budget=1 << 20, temperature=1.0, way=way)
    try:
        if way == "shared" and not can_share_prompts(model):
            return "its layers keep more than keys and values"
        with policy.in_float32():
            computed = forward.logprobs(model, sampled, range(len(completions)))
            for completion, logprobs in zip(completions, computed, strict=True):
                completion.logprobs = logprobs
            differences = differences_to_own(model, completions)
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        # Model code that a way does not suit can fail anywhere, with any of these.
        return f"{type(error).__name__}: {first_line(error)}"
    if all(difference <= TOLERANCE for difference in differences):  # not max(): it may overlook a NaN
        return None
    return f"log-probabilities differ by {max(differences):.2g} from the model's own"


def random_completions(model: Any) -> list[Completion]:
    """Return three completions of random tokens for two prompts, all of different lengths."""
    vocabulary = model.config.get_text_config().vocab_size
    generator = torch.Generator().manual_seed(0)

    def random_ids(count: int) -> list[int]:
        return torch.randint(0, vocabulary, (count,), generator=generator).tolist()

    short, long = random_ids(3), random_ids(7)
    return [
        Completion("", token_ids=random_ids(length), prompt_token_ids=prompt, logprobs=[0.0] * length)
        for prompt, length in ((short, 5), (short, 1), (long, 9))
    ]


def own_logprobs(model: Any, completion: Completion) -> list[float]:
    """Return a completion's log-probabilities from the model's logits, without cache, padding or batch."""
    start = len(completion.prompt_token_ids)
    ids = torch.tensor([*completion.prompt_token_ids, *completion.token_ids], device=model.device)
    logits = model(input_ids=ids[None]).logits[0, start - 1 : -1].float()
    return torch.log_softmax(logits, -1).gather(-1, ids[start:, None])[:, 0].tolist()


def differences_to_own(model: Any, completions: Sequence[Completion]) -> list[float]:
    """Return, for every token, how far its `logprobs` entry is from the model's own (nats, absolute)."""
    differences: list[float] = []
    for completion in completions:
        own = own_logprobs(model, completion)
        differences += [abs(a - b) for a, b in zip(completion.logprobs, own, strict=True)]
    return differences
