"""Small policies of many architectures, and their gradients computed in two ways that must agree.

`plain_gradients` is the reference: every completion with its prompt, alone, through the model's own logits.
It takes one advantage per completion as it is, so that an error of `for_each_token` is noticed too.
`learner_gradients` are those that the trainer computes, with shared prompts, batches and chunks.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from markscheme.tasks import Completion
from markscheme.trainer import policy_loss
from markscheme.trainer.config.run_config import RunConfig
from markscheme.trainer.loop.learner import Learner
from markscheme.trainer.models.batch import for_each_token
from markscheme.trainer.models.forward import Way, choose_way
from markscheme.trainer.models.policy import Policy
from markscheme.trainer.objective.settings import Ratio

CPU = torch.device("cpu")
Gradients = dict[str, Tensor]
"""By the name of the parameter."""
TokenAdvantages = Sequence[Sequence[float] | None]
"""For each completion one advantage per token; None = the row is left out."""


class Architecture(NamedTuple):
    """One small random policy, and the way in which its log-probabilities must be computed."""

    model_type: str
    way: Way
    settings: dict[str, Any]
    """Changes to the settings of `small_policy`."""


ARCHITECTURES = {
    "llama": Architecture("llama", "shared", {}),
    "llama tied": Architecture("llama", "shared", {"tie_word_embeddings": True}),
    "qwen3, grouped heads": Architecture("qwen3", "shared", {"num_attention_heads": 4, "num_key_value_heads": 2}),
    "gemma2, windows and soft-capping": Architecture("gemma2", "shared", {
        "sliding_window": 6, "query_pre_attn_scalar": 16, "final_logit_softcapping": 5.0, "num_hidden_layers": 3,
    }),
    "gemma3": Architecture("gemma3_text", "shared", {
        "sliding_window": 4, "query_pre_attn_scalar": 16, "layer_types": ["sliding_attention", "full_attention"],
    }),
    "mixtral": Architecture("mixtral", "shared", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen3 moe": Architecture("qwen3_moe", "shared", {
        "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "decoder_sparse_step": 1,
    }),
    "granite, scaled logits": Architecture("granite", "shared", {"logits_scaling": 3.0}),
    "mamba": Architecture("mamba", "repeated", {"state_size": 4}),
    "qwen3 next": Architecture("qwen3_next", "repeated", {
        "linear_num_value_heads": 2, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
        "linear_value_head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 16, "layer_types": ["linear_attention", "full_attention"],
    }),
    "opt, no plain backbone": Architecture("opt", "whole", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
}  # fmt: skip
SHARED = [name for name, architecture in ARCHITECTURES.items() if architecture.way == "shared"]
NOT_SHARED = [name for name in ARCHITECTURES if name not in SHARED]

ADVANTAGES = [0.5, -1.0, 0.7, -0.2, 0.0, 0.0, 0.0, 0.0, 1.5, -0.4, 0.0, -1.1]
"""One for each of `random_completions`; seven of them are not 0."""
UNCHANGED: dict[str, Any] = {"max_grad_norm": 1e9, "correction": "none"}
"""Settings of the algorithm under which gradients are neither clipped nor corrected for the sampler."""


def random_completions(policy: Policy) -> list[Completion]:
    """Return three groups of four: prompts of 3, 9 and 20 tokens, completions of 1 to 17.

    In the longest completion of the first group, every second token is masked, as a tool's text would be.
    """
    generator = torch.Generator().manual_seed(0)
    vocabulary = policy.model.config.get_text_config().vocab_size

    def random_ids(count: int) -> list[int]:
        return torch.randint(2, vocabulary, (count,), generator=generator).tolist()

    completions = []
    for prompt_length in (3, 9, 20):
        prompt = random_ids(prompt_length)
        for length in (1, 5, 17, 8):
            logprobs = [-1.0] * length
            completions.append(
                Completion("", token_ids=random_ids(length), prompt_token_ids=prompt, logprobs=logprobs)
            )
    completions[2].loss_mask = [1, 0] * 8 + [1]
    return completions


def config_of(**sections: Any) -> RunConfig:
    """Return a run's settings with some sections changed; there is no KL unless `algorithm` asks for it."""
    algorithm = {"kl_coef": 0.0, "lr": 1e-3, **sections.pop("algorithm", {})}
    return RunConfig.model_validate({"tasks": ["x"], "algorithm": algorithm, **sections})


def take_gradients(model: Any) -> Gradients:
    """Return copies of the gradients of a model's parameters, and clear them in the model."""
    gradients = {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    model.zero_grad()
    return gradients


def plain_gradients(
    policy: Policy,
    completions: Sequence[Completion],
    advantages: Sequence[float] | TokenAdvantages,
    config: RunConfig,
    reference: Any = None,
    ratio: Ratio | None = None,
) -> Gradients:
    """Return the gradients of one loss over all completions, each computed alone from the model's logits.

    Args:
        policy: the policy before its update, so that every ratio is 1.
        completions: of all groups.
        advantages: one per completion, or one per token of each completion; no row may be left out.
        config: gives the objective.
        reference: the model of the KL; None = no KL.
        ratio: the form of the ratio; None = that of `config`.
    """
    algorithm, sampling = config.algorithm, config.sampling
    masks = [torch.tensor(c.loss_mask or [1] * len(c.token_ids)) for c in completions]
    logprobs_BT = _logprobs_alone(policy, policy.model, completions, sampling.temperature)
    ref_BT = None
    if reference is not None:
        with torch.no_grad():
            ref_BT = _logprobs_alone(policy, reference, completions, sampling.temperature)
    loss, _ = policy_loss(
        logprobs_BT,
        logprobs_BT.detach(),
        _padded([torch.tensor(row).expand(len(mask)) for row, mask in zip(advantages, masks, strict=True)]),
        _padded(masks),
        ref_logprobs_BT=ref_BT,
        kl_coef=algorithm.kl_coef,
        kl=algorithm.kl,
        aggregate=algorithm.aggregate,
        ratio=ratio or algorithm.ratio,
        denominator=len(masks) * sampling.max_new_tokens if algorithm.aggregate == "constant" else None,
    )
    policy.model.zero_grad()
    loss.backward()
    return take_gradients(policy.model)


def _logprobs_alone(
    policy: Policy, model: Any, completions: Sequence[Completion], temperature: float
) -> Tensor:
    """Return the log-probabilities `[B, T]` of the completions' tokens, each completion computed alone."""
    rows = []
    for completion in completions:
        start = len(completion.prompt_token_ids)
        ids = torch.tensor([*completion.prompt_token_ids, *completion.token_ids])
        with policy.computing():
            logits = model(input_ids=ids[None], use_cache=False).logits[0, start - 1 : -1]
        logprobs = torch.log_softmax(logits.float() / temperature, -1)
        rows.append(logprobs.gather(-1, ids[start:, None])[:, 0])
    return _padded(rows)


def _padded(rows: Sequence[Tensor]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def learner_gradients(
    policy: Policy,
    completions: Sequence[Completion],
    advantages: TokenAdvantages,
    config: RunConfig,
    reference: Any = None,
) -> Gradients:
    """Return the gradients as the learner's optimizer would get them; the weights are not changed."""
    way, _ = choose_way(policy)
    learner = Learner(policy, reference, config, way)
    captured: Gradients = {}

    def capture_gradients(*args: Any, **kwargs: Any) -> None:
        captured.update(take_gradients(policy.model))

    learner.optimizer.step = capture_gradients
    stats = learner.learn(completions, advantages, 1, exact=False)
    assert stats["grad_norm"] > 0, "nothing to compare"
    return captured


def outcome(completions: Sequence[Completion], advantages: Sequence[float] = ADVANTAGES) -> TokenAdvantages:
    """Return advantages of tokens from one advantage per completion."""
    return for_each_token(completions, advantages)


def distance(gradients: Gradients, expected: Gradients, *, floor: float = 1e-2) -> float:
    """Return the largest distance of a parameter's gradient to the expected one, relative to its norm.

    The norm counts as at least `floor` times the norm of all gradients together, because a parameter whose
    gradient is almost 0 has nothing but rounding errors.
    """
    total = math.sqrt(sum(float(gradient.double().square().sum()) for gradient in expected.values()))
    largest = 0.0
    for name, theirs in expected.items():
        ours = gradients.get(name, torch.zeros_like(theirs))
        norm = max(float(theirs.double().norm()), floor * total)
        largest = max(largest, float((ours.double() - theirs.double()).norm()) / norm)
    unexpected = [name for name in gradients if name not in expected and gradients[name].any()]
    assert not unexpected
    return largest
