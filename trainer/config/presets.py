"""Algorithms under their papers' names, with the papers' own values.

Each value stands with its source; `not in the paper` marks what had to be filled in. Any of them
can be set in the run file.
"""

from typing import Any

Sourced = dict[str, tuple[Any, str]]
NOT_IN_PAPER = "not in the paper"

_ADAMW: Sourced = {
    "betas": ((0.9, 0.999), f"{NOT_IN_PAPER} (torch's default)"),
    "weight_decay": (0.0, NOT_IN_PAPER),
    "max_grad_norm": (1.0, NOT_IN_PAPER),
    "schedule": ("constant", NOT_IN_PAPER),
    "warmup_steps": (0, NOT_IN_PAPER),
}

PRESETS: dict[str, tuple[str, Sourced]] = {
    "deepseekmath": (
        "GRPO as first published: DeepSeekMath, arXiv 2402.03300",
        {
            **_ADAMW,
            "group_size": (64, "4.2: 64 samples a question"),
            "groups_per_step": (16, "4.2: batch size 1024"),
            "lr": (1e-6, "4.2"),
            "inner_updates": (1, "4.2: one update after each exploration"),
            "kl_coef": (0.04, "4.2"),
            "kl": ("k3", "eq. 4"),
            "ratio": ("token", "eq. 3"),
            "clip_low": (0.2, NOT_IN_PAPER),
            "clip_high": (0.2, NOT_IN_PAPER),
            "std": ("population", "4.1.2 says std only"),
            "eps": (0.0, "4.1.2"),
            "aggregate": ("sequence_mean", "eq. 3"),
            "max_new_tokens": (1024, "4.2: maximal length"),
        },
    ),
    "trl": (
        "what TRL's GRPOTrainer does by default (1.16)",
        {
            "group_size": (8, "num_generations"),
            "groups_per_step": (1, "per_device_train_batch_size 8"),
            "lr": (1e-6, "learning_rate"),
            "inner_updates": (1, "num_iterations"),
            "kl_coef": (0.0, "beta"),
            "kl": ("k3_ratio", "use_bias_correction_kl"),
            "ratio": ("token", "importance_sampling_level"),
            "clip_low": (0.2, "epsilon"),
            "clip_high": (0.2, "epsilon_high"),
            "std": ("sample", "scale_rewards group, Bessel's correction"),
            "eps": (1e-4, "in the advantages"),
            "aggregate": ("token_mean", "loss_type dapo"),
            "correction": ("mask", "vllm_importance_sampling_mode sequence_mask"),
            "correction_level": ("sequence", "the same"),
            "correction_low": (0.0, "no lower bound"),
            "correction_high": (3.0, "vllm_importance_sampling_clip_max"),
            "max_new_tokens": (512, "max_completion_length"),
            "betas": ((0.9, 0.999), "transformers"),
            "weight_decay": (0.0, "transformers"),
            "max_grad_norm": (1.0, "transformers"),
            "schedule": ("linear", "transformers"),
            "warmup_steps": (0, "transformers"),
        },
    ),
    "dr_grpo": (
        "no std, no length division: Understanding R1-Zero, arXiv 2503.20783",
        {
            **_ADAMW,
            "group_size": (8, "authors' training script: num_samples"),
            "groups_per_step": (16, "authors' training script: batch size 128"),
            "lr": (1e-6, "authors' training script"),
            "inner_updates": (1, "authors' training script"),
            "kl_coef": (0.0, "authors' training script: beta 0"),
            "kl": ("k3", NOT_IN_PAPER),
            "ratio": ("token", "eq. 1"),
            "clip_low": (0.2, NOT_IN_PAPER),
            "clip_high": (0.2, NOT_IN_PAPER),
            "std": ("none", "3.2"),
            "eps": (0.0, "3.2"),
            "aggregate": ("constant", "3.2, listing 1: divided by a constant length"),
            "max_new_tokens": (3000, "authors' training script: generate_max_length"),
        },
    ),
    "dapo": (
        "clip-higher and token mean: DAPO, arXiv 2503.14476 (loss and advantages; no dynamic sampling)",
        {
            **_ADAMW,
            "group_size": (16, "4.1: 16 responses a prompt"),
            "groups_per_step": (512, "4.1: 512 prompts"),
            "minibatches": (16, "4.1: 16 gradient updates a rollout step"),
            "lr": (1e-6, "4.1"),
            "warmup_steps": (20, "4.1: linear warm-up over 20 rollout steps"),
            "inner_updates": (1, NOT_IN_PAPER),
            "kl_coef": (0.0, "2.3: no KL"),
            "kl": ("k3", NOT_IN_PAPER),
            "ratio": ("token", "eq. 8"),
            "clip_low": (0.2, "4.1"),
            "clip_high": (0.28, "4.1"),
            "std": ("population", "eq. 9 says std only"),
            "eps": (0.0, "eq. 9"),
            "aggregate": ("token_mean", "eq. 8"),
            "max_new_tokens": (20480, "4.1: 16,384 and a cache of 4,096"),
        },
    ),
    "zscore": (
        "the textbook form: REINFORCE with z-scored rewards, log-probability of the whole answer",
        {
            **_ADAMW,
            "group_size": (8, NOT_IN_PAPER),
            "groups_per_step": (8, NOT_IN_PAPER),
            "lr": (1e-6, NOT_IN_PAPER),
            "inner_updates": (1, "on-policy: no ratio"),
            "kl_coef": (0.0, NOT_IN_PAPER),
            "kl": ("k3", NOT_IN_PAPER),
            "ratio": ("none", "the form itself"),
            "clip_low": (0.2, "unused without a ratio"),
            "clip_high": (0.2, "unused without a ratio"),
            "std": ("population", "the form itself"),
            "eps": (1e-8, NOT_IN_PAPER),
            "aggregate": ("constant", "sum over tokens, mean over completions"),
            "constant_length": (1, "no division by length"),
            "max_new_tokens": (1024, NOT_IN_PAPER),
        },
    ),
}


def preset_values(name: str) -> dict[str, Any]:
    """Return a preset's settings without their sources."""
    return {key: value for key, (value, _) in PRESETS[name][1].items()}
