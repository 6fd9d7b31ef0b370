"""The update: nothing computed twice, and the gradients of the plain way, on real architectures."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from markscheme.sandbox import PolicyError
from markscheme.tasks import Completion
from markscheme.trainer import policy_loss
from markscheme.trainer.config.run_config import PolicyConfig, RunConfig
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.loop.learner import Learner
from markscheme.trainer.models import forward, lm_head
from markscheme.trainer.models.batch import Sampled, blocks, chunks, for_each_token, make_batch
from markscheme.trainer.models.forward import Forward, choose_way, own_logprobs
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import Policy
from support import small_policy

CPU = torch.device("cpu")
SHARING: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama tied": ("llama", {"tie_word_embeddings": True}),
    "qwen3, grouped heads": ("qwen3", {"num_attention_heads": 4, "num_key_value_heads": 2}),
    "gemma2, windows and soft-capping": (
        "gemma2",
        {"sliding_window": 6, "query_pre_attn_scalar": 16, "final_logit_softcapping": 5.0, "num_hidden_layers": 3},
    ),
    "gemma3": (
        "gemma3_text",
        {"sliding_window": 4, "query_pre_attn_scalar": 16, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "mixtral": ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen3 moe": (
        "qwen3_moe",
        {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "decoder_sparse_step": 1},
    ),
    "granite, scaled logits": ("granite", {"logits_scaling": 3.0}),
}  # fmt: skip
OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "mamba": ("mamba", {"state_size": 4}, "repeated"),
    "qwen3 next": (
        "qwen3_next",
        {
            "linear_num_value_heads": 2, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
            "linear_value_head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
            "shared_expert_intermediate_size": 16, "layer_types": ["linear_attention", "full_attention"],
        },
        "repeated",
    ),
    "opt, no plain backbone": ("opt", {"ffn_dim": 48, "word_embed_proj_dim": 32}, "whole"),
}  # fmt: skip


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    made = {}
    for name, (architecture, changes, *_) in {**SHARING, **OTHERS}.items():
        folder = small_policy(tmp_path_factory.mktemp("policy"), architecture, **changes)
        made[name] = load_policy(PolicyConfig(model=str(folder)), folder, CPU)
    return made


def completions_of(policy: Policy, seed: int = 0) -> list[Completion]:
    """Three groups of four: prompts of 3, 9 and 20 tokens, completions of 1 to 17."""
    generator = torch.Generator().manual_seed(seed)
    size = policy.model.config.get_text_config().vocab_size

    def ids(n: int) -> list[int]:
        return torch.randint(2, size, (n,), generator=generator).tolist()

    made = []
    for length in (3, 9, 20):
        prompt = ids(length)
        for n in (1, 5, 17, 8):
            made.append(Completion("", token_ids=ids(n), prompt_token_ids=prompt, logprobs=[-1.0] * n))
    made[2].loss_mask = [1, 0] * 8 + [1]
    return made


ADVANTAGES = [0.5, -1.0, 0.7, -0.2, 0.0, 0.0, 0.0, 0.0, 1.5, -0.4, 0.0, -1.1]


def answered(policy: Policy, advantages: Sequence[float] = ADVANTAGES) -> tuple[list[Completion], list[Any]]:
    """Completions with the advantages of their tokens."""
    completions = completions_of(policy)
    return completions, for_each_token(completions, advantages)


def sampled_of(policy: Policy) -> Sampled:
    return Sampled(*answered(policy))


def run_config(**more: Any) -> RunConfig:
    algorithm = {"kl_coef": 0.0, "lr": 1e-3, **more.pop("algorithm", {})}
    return RunConfig.model_validate({"tasks": ["x"], "algorithm": algorithm, **more})


def gradients(model: Any) -> dict[str, Tensor]:
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def plain_gradients(
    policy: Policy, completions: list[Completion], config: RunConfig, reference: Any = None
) -> dict[str, Tensor]:
    """Each completion with its prompt, alone, through the model's own logits; one loss over all."""
    algorithm = config.algorithm
    width = max(len(c.token_ids) for c in completions)

    def rows(model: Any) -> Tensor:
        found = []
        for c in completions:
            ids = torch.tensor([*c.prompt_token_ids, *c.token_ids])
            with policy.computing():
                logits = model(input_ids=ids[None], use_cache=False).logits[
                    0, len(c.prompt_token_ids) - 1 : -1
                ]
            logprobs = torch.log_softmax(logits.float() / config.sampling.temperature, -1)
            row = logprobs.gather(-1, torch.tensor(c.token_ids)[:, None])[:, 0]
            found.append(torch.nn.functional.pad(row, (0, width - len(row))))
        return torch.stack(found)

    logprobs_BT = rows(policy.model)
    mask = torch.tensor(
        [(c.loss_mask or [1] * len(c.token_ids)) + [0] * (width - len(c.token_ids)) for c in completions]
    )
    with torch.no_grad():
        ref_BT = None if reference is None else rows(reference)
    constant = len(completions) * config.sampling.max_new_tokens
    loss, _ = policy_loss(
        logprobs_BT, logprobs_BT.detach(), torch.tensor(ADVANTAGES)[:, None], mask, ref_logprobs_BT=ref_BT,
        kl_coef=algorithm.kl_coef, kl=algorithm.kl, aggregate=algorithm.aggregate, ratio=algorithm.ratio,
        denominator=constant if algorithm.aggregate == "constant" else None,
    )  # fmt: skip
    policy.model.zero_grad()
    loss.backward()
    return gradients(policy.model)


def our_gradients(
    policy: Policy, completions: list[Completion], config: RunConfig, reference: Any = None
) -> dict[str, Tensor]:
    way, _ = choose_way(policy)
    learner = Learner(policy, reference, config, way)
    taken: dict[str, Tensor] = {}

    def keep(*args: Any, **kwargs: Any) -> None:
        taken.update(gradients(policy.model))

    learner.optimizer.step = keep  # the gradients as the optimizer would get them
    assert (
        learner.learn(completions, for_each_token(completions, ADVANTAGES), 1, exact=False)["grad_norm"] > 0
    )
    return taken


def apart(one: dict[str, Tensor], two: dict[str, Tensor]) -> float:
    """The largest relative distance between the gradients of a parameter, and of all together."""
    total = math.sqrt(sum(float(g.double().square().sum()) for g in two.values()))
    worst = 0.0
    for name, expected in two.items():
        found = one.get(name, torch.zeros_like(expected))
        size = max(float(expected.double().norm()), 1e-2 * total)
        worst = max(worst, float((found.double() - expected.double()).norm()) / size)
    assert all(not grad.any() for name, grad in one.items() if name not in two)
    return worst


FREE = {"max_grad_norm": 1e9, "correction": "none"}


@pytest.mark.parametrize("name", [*SHARING, *OTHERS])
@pytest.mark.parametrize("budget", [None, 60])
@pytest.mark.parametrize("kl", [0.0, 0.05])
def test_gradients_equal_the_plain_way_s(
    policies: dict[str, Policy], name: str, budget: int | None, kl: float
) -> None:
    """To 1e-5 of each parameter's gradient; in one chunk, and in many over several blocks of prompts."""
    policy = policies[name]
    completions = completions_of(policy)
    config = run_config(algorithm={**FREE, "kl_coef": kl}, microbatch_tokens=budget)
    reference = None
    if kl:
        reference = load_policy(PolicyConfig(), policy.source, CPU).model.requires_grad_(False)
        with torch.no_grad():
            for parameter in reference.parameters():
                parameter.mul_(1.02)
    expected = plain_gradients(policy, completions, config, reference)
    assert apart(our_gradients(policy, completions, config, reference), expected) < 1e-5


@pytest.mark.parametrize("aggregate", ["sequence_mean", "token_mean", "constant"])
@pytest.mark.parametrize("ratio", ["token", "sequence", "none"])
@pytest.mark.parametrize("budget", [None, 45])
def test_a_split_batch_equals_the_whole_for_every_aggregation(
    policies: dict[str, Policy], aggregate: str, ratio: str, budget: int | None
) -> None:
    policy = policies["llama"]
    completions = completions_of(policy)
    algorithm = {**FREE, "aggregate": aggregate, "ratio": ratio}
    config = run_config(
        algorithm=algorithm, microbatch_tokens=budget, sampling={"max_new_tokens": 32, "temperature": 0.7}
    )
    assert (
        apart(our_gradients(policy, completions, config), plain_gradients(policy, completions, config)) < 1e-5
    )


@pytest.mark.parametrize("name", [*SHARING, *OTHERS])
@pytest.mark.filterwarnings("error")
def test_gradients_are_the_same_with_checkpointing(policies: dict[str, Policy], name: str) -> None:
    """transformers' own switch would drop the shared prompts' cache with a warning, and be wrong by 0.5."""
    plain = policies[name]
    layered = load_policy(PolicyConfig(gradient_checkpointing=True), plain.source, CPU)
    completions = completions_of(plain)
    for budget in (None, 60):
        config = run_config(algorithm=FREE, microbatch_tokens=budget)
        expected = plain_gradients(plain, completions, config)
        assert choose_way(layered) == choose_way(plain)
        assert apart(our_gradients(layered, completions, config), expected) < 1e-5
    with torch.no_grad():
        assert own_logprobs(plain.model, completions[0]) == own_logprobs(layered.model, completions[0])


def test_checkpointing_keeps_less(policies: dict[str, Policy]) -> None:
    """Tensors kept for the backward pass, in numbers."""
    kept = {}
    for checkpointing in (False, True):
        config = PolicyConfig(gradient_checkpointing=checkpointing)
        policy = load_policy(config, policies["llama"].source, CPU)
        sampled = sampled_of(policy)
        total = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal total
            total += tensor.numel()
            return tensor

        passes = Forward(policy, budget=None, temperature=1.0).passes(policy.model, sampled, range(12))
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            next(passes)
        kept[checkpointing] = total
    assert kept[True] < kept[False] / 2


def test_gradients_in_bfloat16_are_as_near_as_bfloat16_gets(policies: dict[str, Policy]) -> None:
    """The shared prompt adds no error to autocast's own: both are as far from float32."""
    full = policies["llama"]
    half = load_policy(PolicyConfig(dtype="bfloat16"), full.source, CPU)
    assert choose_way(half) == ("shared", "")
    completions = completions_of(full)
    config = run_config(algorithm=FREE)
    exact = plain_gradients(full, completions, config)
    plain = apart(plain_gradients(half, completions, config), exact)
    shared = apart(our_gradients(half, completions, config), exact)
    assert 1e-3 < plain < 0.2
    assert shared < 1.5 * plain + 0.01


@pytest.mark.parametrize("name", SHARING)
def test_plain_attention_shares_prompts(policies: dict[str, Policy], name: str) -> None:
    assert choose_way(policies[name]) == ("shared", "")


@pytest.mark.parametrize("name", OTHERS)
def test_other_models_take_the_plain_path_and_say_why(policies: dict[str, Policy], name: str) -> None:
    way, why = choose_way(policies[name])
    assert way == OTHERS[name][2]
    assert why


def test_the_probe_finds_a_cache_that_lies(
    policies: dict[str, Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that forgets the prompts gives other log-probabilities, and is not used."""
    policy = policies["llama"]
    from markscheme.trainer.models.kv_cache import prefix_cache as real

    monkeypatch.setattr(forward, "prefix_cache", lambda made, prompts: real([t * 0 for t in made], prompts))
    way, why = choose_way(policy)
    assert way == "repeated"
    assert "differ by" in why


@pytest.mark.parametrize("name", ["llama", "gemma2, windows and soft-capping", "mamba"])
def test_a_head_in_pieces_gives_the_same(
    policies: dict[str, Policy], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = policies[name]
    completions, config = completions_of(policy), run_config(algorithm=FREE)
    expected = plain_gradients(policy, completions, config)
    monkeypatch.setattr(lm_head, "PIECE_BYTES", 7 * 4 * policy.model.config.get_text_config().vocab_size)
    assert apart(our_gradients(policy, completions, config), expected) < 1e-5


class Largest(TorchDispatchMode):
    """Remembers the most elements that a tensor ever had."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor):
                self.most = max(self.most, tensor.numel())
        return out


def test_no_tensor_has_a_vocabulary_for_every_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward and backward, with 5,000 words: never more than a piece's logits (or the head itself)."""
    folder = small_policy(tmp_path, vocab_size=5000)
    policy = load_policy(PolicyConfig(), folder, CPU)
    piece = 32
    monkeypatch.setattr(lm_head, "PIECE_BYTES", piece * 4 * 5000)
    sampled = sampled_of(policy)
    tokens = sum(len(c.token_ids) for c in sampled.completions)
    assert tokens > 2 * piece
    with Largest() as seen:
        for _, logprobs, _ in Forward(policy, budget=None, temperature=1.0).passes(
            policy.model, sampled, range(12)
        ):
            logprobs.sum().backward()
    assert seen.most <= 5000 * piece


def test_rows_without_a_gradient_are_counted_and_not_computed(policies: dict[str, Policy]) -> None:
    policy = policies["llama"]
    config = run_config(algorithm=FREE)
    learner = Learner(policy, None, config)
    computed = []
    passes = learner.forward.passes

    def watched(model: Any, sampled: Sampled, rows: list[int]) -> Iterator[Any]:
        computed.extend(rows)
        return passes(model, sampled, rows)

    learner.forward.passes = watched  # type: ignore[method-assign]
    told = learner.learn(*answered(policy), 1, exact=False)
    assert computed == [i for i, advantage in enumerate(ADVANTAGES) if advantage]
    assert told["computed"] == pytest.approx(7 / 12)


def test_a_step_without_any_gradient_moves_the_optimizer_as_zeros_would(policies: dict[str, Policy]) -> None:
    """AdamW's moments go on, as they would had the zeros been computed."""
    weights = []
    for skipping in (True, False):
        policy = load_policy(PolicyConfig(), policies["llama"].source, CPU)
        learner = Learner(policy, None, run_config(algorithm=FREE))
        learner.learn(*answered(policy), 1, exact=False)
        if not skipping:
            learner._with_gradient = lambda sampled, rows: list(rows)  # type: ignore[method-assign]
        told = learner.learn(*answered(policy, [0.0] * 12), 2, exact=False)
        assert told["grad_norm"] == 0
        weights.append({name: p.detach().clone() for name, p in policy.model.named_parameters()})
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_left_out_rows_teach_nothing(policies: dict[str, Policy]) -> None:
    policy = policies["llama"]
    completions, config = completions_of(policy), run_config(algorithm=FREE)
    learner = Learner(policy, None, config)
    learner.optimizer.step = lambda *a, **k: None  # type: ignore[method-assign]
    learner.learn(
        completions, for_each_token(completions, [*ADVANTAGES[:8], *[math.nan] * 4]), 1, exact=False
    )
    with_nan = gradients(policy.model)
    learner.learn(completions[:8], for_each_token(completions[:8], ADVANTAGES[:8]), 1, exact=False)
    assert apart(with_nan, gradients(policy.model)) < 1e-6


def test_exact_log_probabilities_of_the_sampler_need_no_second_forward(policies: dict[str, Policy]) -> None:
    """Old ones are the sampler's own where they are exact; the ratio of the first update is then 1."""
    from markscheme.trainer.config.run_config import SamplingConfig
    from markscheme.trainer.models.policy import EncodedPrompt

    policy = load_policy(PolicyConfig(), policies["llama"].source, CPU)
    engine, sampling = HfEngine(policy), SamplingConfig(max_new_tokens=20)
    assert engine.is_exact(sampling)
    prompts = [EncodedPrompt(c.prompt_token_ids) for c in completions_of(policy)[::4]]
    completions = [c for group in engine.groups(prompts, 4, sampling, seed=1) for c in group]
    learner = Learner(
        policy,
        None,
        run_config(algorithm={"inner_updates": 2, "minibatches": 2}, sampling={"max_new_tokens": 20}),
    )
    calls = []
    logprobs = learner.forward.logprobs
    learner.forward.logprobs = lambda *a: calls.append(1) or logprobs(*a)  # type: ignore[method-assign]
    told = learner.learn(completions, for_each_token(completions, [1.0, -1.0] * 6), 1, exact=True)
    assert not calls
    assert told["mismatch_max"] < 1e-5
    learner.learn(completions, for_each_token(completions, [1.0, -1.0] * 6), 1, exact=False)
    assert calls == [1]


def test_a_recurrent_model_is_sampled_right_too(policies: dict[str, Policy]) -> None:
    from markscheme.trainer.config.run_config import SamplingConfig
    from markscheme.trainer.models.policy import EncodedPrompt

    for name in OTHERS:
        policy = policies[name]
        prompts = [EncodedPrompt(c.prompt_token_ids) for c in completions_of(policy)[::4]]
        for group in HfEngine(policy).groups(prompts, 3, SamplingConfig(max_new_tokens=12), seed=2):
            for completion in group:
                with torch.no_grad():
                    own = own_logprobs(policy.model, completion)
                assert completion.logprobs == pytest.approx(own, abs=3e-5)


def test_a_model_whose_cache_cannot_be_used_is_refused(tmp_path: Path) -> None:
    folder = small_policy(
        tmp_path,
        "recurrent_gemma",
        lru_width=32,
        attention_window_size=16,
        block_types=["recurrent", "attention"],
    )
    policy = load_policy(PolicyConfig(), folder, CPU)
    with pytest.raises(PolicyError, match="does not give the model's own log-probabilities"):
        HfEngine(policy)


def test_dropout_is_set_to_0_and_said(tmp_path: Path) -> None:
    folder = small_policy(tmp_path, attention_dropout=0.3)
    notes: list[str] = []
    policy = load_policy(PolicyConfig(), folder, CPU, note=notes.append)
    assert notes == [
        "dropout is set to 0 (attention_dropout 0.3), so that sampling and training use one distribution"
    ]
    completion = completions_of(policy)[2]
    with torch.no_grad():
        assert own_logprobs(policy.model, completion) == own_logprobs(policy.model, completion)


LENGTHS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), min_size=1, max_size=24)


@settings(max_examples=200, deadline=None)
@given(LENGTHS, st.integers(10, 300))
def test_blocks_and_chunks_hold_every_row_once_within_the_budget(
    rows: list[tuple[int, int]], budget: int
) -> None:
    prompts = [[1] * 4, [2] * 9, [3] * 9, [4] * 2]
    completions = [
        Completion("", token_ids=[1] * n, prompt_token_ids=prompts[p], logprobs=[0.0] * n) for p, n in rows
    ]
    seen = []
    for block in blocks(completions, range(len(rows)), budget):
        assert len(block.prompts) == 1 or len(block.prompts) * block.width <= budget
        assert len({tuple(p) for p in block.prompts}) == len(block.prompts)
        for chunk in chunks(completions, block, budget):
            seen += chunk
            lengths = [rows[i][1] for i in chunk]
            assert len(chunk) == 1 or len(chunk) * (block.width + max(lengths)) <= budget
            assert 16 * sum(max(lengths) - n for n in lengths) <= budget
            batch = make_batch(
                Sampled(completions, for_each_token(completions, [0.0] * len(rows))), block, chunk, CPU
            )
            for row, i in enumerate(chunk):
                assert block.prompts[batch.prompt_B[row]] == tuple(completions[i].prompt_token_ids)
                assert batch.real_BT[row].sum() == rows[i][1]
    assert sorted(seen) == list(range(len(rows)))
