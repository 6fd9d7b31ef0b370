"""The forward passes of the update: how a model is computed, what is kept in memory, how rows are batched."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gradients import ARCHITECTURES, CPU, NOT_SHARED, SHARED, outcome, random_completions
from markscheme.tasks import Completion
from markscheme.trainer.config.run_config import PolicyConfig
from markscheme.trainer.models import forward, lm_head
from markscheme.trainer.models.batch import Sampled, blocks, chunks, make_batch
from markscheme.trainer.models.forward import Forward, choose_way
from markscheme.trainer.models.kv_cache import prefix_cache
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import Policy
from support import small_policy


@pytest.mark.parametrize("name", SHARED)
def test_models_with_plain_attention_share_prompts(policies: dict[str, Policy], name: str) -> None:
    assert choose_way(policies[name]) == ("shared", "")


@pytest.mark.parametrize("name", NOT_SHARED)
def test_other_models_repeat_prompts_and_say_why(policies: dict[str, Policy], name: str) -> None:
    way, reason = choose_way(policies[name])
    assert way == ARCHITECTURES[name].way
    assert reason


def test_a_cache_that_gives_other_log_probabilities_is_not_used(
    policies: dict[str, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the cache forgets the prompts: all their keys and values are 0."""

    def forgetful_cache(tensors: list[Tensor], prompts: Tensor) -> Any:
        return prefix_cache([torch.zeros_like(tensor) for tensor in tensors], prompts)

    monkeypatch.setattr(forward, "prefix_cache", forgetful_cache)
    way, reason = choose_way(policies["llama"])
    assert way == "repeated"
    assert "differ by" in reason


def sampled_of(policy: Policy) -> Sampled:
    completions = random_completions(policy)
    return Sampled(completions, outcome(completions))


def kept_for_backward(policy: Policy) -> int:
    """Return how many numbers a forward pass of twelve completions keeps for its backward pass."""
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    passes = Forward(policy, budget=None, temperature=1.0).passes(policy.model, sampled_of(policy), range(12))
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        next(passes)
    return kept


def test_checkpointing_keeps_less_than_half_for_the_backward_pass(policies: dict[str, Policy]) -> None:
    source = policies["llama"].source
    plain = load_policy(PolicyConfig(), source, CPU)
    checkpointed = load_policy(PolicyConfig(gradient_checkpointing=True), source, CPU)
    assert kept_for_backward(checkpointed) < kept_for_backward(plain) / 2


class LargestTensor(TorchDispatchMode):
    """Records the size of the largest tensor that any operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def test_no_tensor_holds_the_logits_of_all_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 5,000 words, forward and backward never make more than one piece's logits (or the head itself)."""
    vocabulary, tokens_of_piece = 5000, 32
    policy = load_policy(PolicyConfig(), small_policy(tmp_path, vocab_size=vocabulary), CPU)
    monkeypatch.setattr(lm_head, "PIECE_BYTES", tokens_of_piece * 4 * vocabulary)
    sampled = sampled_of(policy)
    assert sum(len(c.token_ids) for c in sampled.completions) > 2 * tokens_of_piece
    passes = Forward(policy, budget=None, temperature=1.0).passes(policy.model, sampled, range(12))
    with LargestTensor() as largest:
        for _, logprobs, _ in passes:
            logprobs.sum().backward()
    assert largest.elements <= vocabulary * tokens_of_piece


PROMPTS = [[1] * 4, [2] * 9, [3] * 9, [4] * 2]
ROWS = st.lists(st.tuples(st.integers(0, len(PROMPTS) - 1), st.integers(1, 40)), min_size=1, max_size=24)
"""The prompt and the length of each completion."""


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, budget=st.integers(10, 300))
def test_blocks_and_chunks_hold_every_row_once_within_the_budget(
    rows: list[tuple[int, int]], budget: int
) -> None:
    completions = [
        Completion("", token_ids=[1] * length, prompt_token_ids=PROMPTS[prompt], logprobs=[0.0] * length)
        for prompt, length in rows
    ]
    sampled = Sampled(completions, outcome(completions, [0.0] * len(rows)))
    seen: list[int] = []
    for block in blocks(completions, range(len(rows)), budget):
        assert len(block.prompts) == 1 or len(block.prompts) * block.width <= budget
        assert len({tuple(prompt) for prompt in block.prompts}) == len(block.prompts)
        for chunk in chunks(completions, block, budget):
            seen += chunk
            lengths = [rows[i][1] for i in chunk]
            longest = max(lengths)
            assert len(chunk) == 1 or len(chunk) * (block.width + longest) <= budget
            padding = sum(longest - length for length in lengths)
            assert 16 * padding <= budget
            batch = make_batch(sampled, block, chunk, CPU)
            for row, i in enumerate(chunk):
                assert block.prompts[batch.prompt_B[row]] == tuple(completions[i].prompt_token_ids)
                assert batch.real_BT[row].sum() == rows[i][1]
    assert sorted(seen) == list(range(len(rows)))
