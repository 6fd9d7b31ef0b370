"""Algorithms under the names of their papers, with the papers' own values and their sources.

A source says where in the paper, or in a program, a value is found. Where the paper gives no value, the
source says that, and where the value comes from. A run file can override every value.
"""

from typing import Any

Sourced = dict[str, tuple[Any, str]]
"""From a key of `algorithm:` (or of `sampling:`, see `SAMPLING_KEYS`) to its value and source."""
SAMPLING_KEYS = ("max_new_tokens", "temperature")
"""The keys of `sampling:` that a preset may have."""
DEFAULT_PRESET = "deepseekmath"
NOT_IN_PAPER = "not in the paper"
CHOSEN_HERE = "chosen here"


def _adamw(no_source: str) -> Sourced:
    """Return the settings of the optimizer and the schedule, which none of the papers gives in full."""
    return {
        "betas": ((0.9, 0.999), f"{no_source}; torch's default"),
        "weight_decay": (0.0, f"{no_source}; no weight decay"),
        "max_grad_norm": (1.0, f"{no_source}; the default of transformers' Trainer"),
        "schedule": ("constant", f"{no_source}; no decay"),
        "warmup_steps": (0, f"{no_source}; no warm-up"),
    }


_DEEPSEEKMATH: Sourced = {
    **_adamw(NOT_IN_PAPER),
    "group_size": (64, "section 4.2 of the paper: 64 outputs for each question"),
    "groups_per_step": (16, "section 4.2 of the paper: a batch of 1024 outputs, 64 of each question"),
    "lr": (1e-6, "section 4.2 of the paper"),
    "inner_updates": (1, "section 4.2 of the paper: one update after each exploration stage"),
    "kl_coef": (0.04, "section 4.2 of the paper"),
    "kl": ("k3", "equation 4 of the paper"),
    "ratio": ("token", "equation 3 of the paper"),
    "clip_low": (0.2, f"{NOT_IN_PAPER}, which gives no value for epsilon; PPO's usual one"),
    "clip_high": (0.2, f"{NOT_IN_PAPER}, which has one epsilon; the same as clip_low"),
    "std": ("population", "section 4.1.2 of the paper says `std` without saying which"),
    "eps": (0.0, "section 4.1.2 of the paper: nothing is added to the std"),
    "aggregate": ("sequence_mean", "equation 3 of the paper"),
    "max_new_tokens": (1024, "section 4.2 of the paper: the maximal length"),
}
_R1_STEP = "a step here is a rollout of 8,192 outputs, which the paper counts as 16 steps of 512"
_R1: Sourced = {
    **_adamw(NOT_IN_PAPER),
    "group_size": (16, "16 outputs for each question"),
    "groups_per_step": (512, "a rollout of 8,192 outputs, 16 for each question"),
    "minibatches": (16, "each rollout is split into 16 minibatches"),
    "steps": (25, f"the reference is replaced every 400 of the paper's steps; {_R1_STEP}"),
    "lr": (3e-6, "the learning rate of R1-Zero"),
    "inner_updates": (1, "a single inner epoch"),
    "kl_coef": (0.001, "the KL coefficient of R1-Zero"),
    "kl": ("k3", "equation 2 of the paper"),
    "ratio": ("token", "GRPO's; the paper writes it per output"),
    "clip_low": (1.0, "the clip ratio of the first stage is 10, so that a ratio is not clipped below"),
    "clip_high": (10.0, "the clip ratio of the first stage is 10"),
    "std": ("population", "equation 3 of the paper says `std` without saying which"),
    "eps": (0.0, "equation 3 of the paper: nothing is added to the std"),
    "aggregate": ("sequence_mean", "GRPO's"),
    "temperature": (1.0, "the rollout temperature of R1-Zero"),
    "max_new_tokens": (32768, "the maximal length of R1-Zero before its step 8,200"),
}


PRESETS: dict[str, tuple[str, Sourced]] = {
    "deepseekmath": ("GRPO as first published: DeepSeekMath (arXiv 2402.03300)", _DEEPSEEKMATH),
    "deepseekmath_iterative": (
        "iterated GRPO: DeepSeekMath (arXiv 2402.03300), Algorithm 1 with its outer loop; a `reward_model:`"
        " is then updated by replay",
        {
            **_DEEPSEEKMATH,
            "iterations": (2, "figure 6 of the paper: two iterations"),
        },
    ),
    "r1_stage1": (
        "the first stage of reinforcement learning of DeepSeek-R1 (arXiv 2501.12948), on rule rewards only",
        {**_R1, "iterations": (26, "10,400 of the paper's steps in periods of 400")},
    ),
    "r1_stage2": (
        "the second stage of DeepSeek-R1 (arXiv 2501.12948): rules and models mixed, the models last",
        {
            **_R1,
            "iterations": (1, "1,700 of the paper's steps; the paper names no new reference in this stage"),
            "steps": (106, f"1,700 of the paper's steps; {_R1_STEP}"),
            "model_rewards_last": (25, f"the last 400 of the paper's steps; {_R1_STEP}"),
            "temperature": (0.7, "the second stage's sampling temperature"),
        },
    ),
    "trl": (
        "the defaults of TRL's GRPOTrainer (version 1.16)",
        {
            "group_size": (8, "TRL's num_generations"),
            "groups_per_step": (1, "TRL's per_device_train_batch_size: 8 completions, which are one group"),
            "lr": (1e-6, "TRL's learning_rate"),
            "inner_updates": (1, "TRL's num_iterations"),
            "kl_coef": (0.0, "TRL's beta"),
            "kl": ("k3_ratio", "TRL's use_bias_correction_kl"),
            "ratio": ("token", "TRL's importance_sampling_level"),
            "clip_low": (0.2, "TRL's epsilon"),
            "clip_high": (0.2, "TRL's epsilon_high, which is epsilon by default"),
            "std": ("sample", "TRL's scale_rewards: group, with Bessel's correction"),
            "eps": (1e-4, "added to the std in TRL's computation of advantages"),
            "aggregate": ("token_mean", "TRL's loss_type: dapo"),
            "correction": ("mask", "TRL's vllm_importance_sampling_mode: sequence_mask"),
            "correction_level": ("sequence", "TRL's vllm_importance_sampling_mode: sequence_mask"),
            "correction_low": (0.0, "TRL has no lower bound"),
            "correction_high": (3.0, "TRL's vllm_importance_sampling_clip_max"),
            "max_new_tokens": (512, "TRL's max_completion_length"),
            "betas": ((0.9, 0.999), "adam_beta1 and adam_beta2 of transformers' TrainingArguments"),
            "weight_decay": (0.0, "weight_decay of transformers' TrainingArguments"),
            "max_grad_norm": (1.0, "max_grad_norm of transformers' TrainingArguments"),
            "schedule": ("linear", "lr_scheduler_type of transformers' TrainingArguments"),
            "warmup_steps": (0, "warmup_steps of transformers' TrainingArguments"),
        },
    ),
    "dr_grpo": (
        "GRPO without the std and without division by length: Understanding R1-Zero (arXiv 2503.20783)",
        {
            **_adamw(NOT_IN_PAPER),
            "group_size": (8, "the authors' training script: num_samples"),
            "groups_per_step": (16, "the authors' training script: a batch of 128, in groups of 8"),
            "lr": (1e-6, "the authors' training script"),
            "inner_updates": (1, "the authors' training script"),
            "kl_coef": (0.0, "the authors' training script: beta 0"),
            "kl": ("k3", f"{NOT_IN_PAPER}; without effect while kl_coef is 0"),
            "ratio": ("token", "equation 1 of the paper"),
            "clip_low": (0.2, f"{NOT_IN_PAPER}; PPO's usual value"),
            "clip_high": (0.2, f"{NOT_IN_PAPER}; the same as clip_low"),
            "std": ("none", "section 3.2 of the paper: the std is removed"),
            "eps": (0.0, "section 3.2 of the paper: there is no std to add it to"),
            "aggregate": ("constant", "section 3.2 and listing 1 of the paper: divided by a constant length"),
            "max_new_tokens": (3000, "the authors' training script: generate_max_length"),
        },
    ),
    "dapo": (
        "clip-higher and the mean over all tokens: DAPO (arXiv 2503.14476); loss and advantages, without its"
        " dynamic sampling",
        {
            **_adamw(NOT_IN_PAPER),
            "group_size": (16, "section 4.1 of the paper: 16 responses for each prompt"),
            "groups_per_step": (512, "section 4.1 of the paper: a prompt batch of 512"),
            "minibatches": (16, "section 4.1 of the paper: 16 gradient updates for each rollout step"),
            "lr": (1e-6, "section 4.1 of the paper"),
            "warmup_steps": (20, "section 4.1 of the paper: linear warm-up over 20 rollout steps"),
            "inner_updates": (1, f"{NOT_IN_PAPER}; one pass over each step's completions"),
            "kl_coef": (0.0, "section 2.3 of the paper: the KL is removed"),
            "kl": ("k3", f"{NOT_IN_PAPER}; without effect while kl_coef is 0"),
            "ratio": ("token", "equation 8 of the paper"),
            "clip_low": (0.2, "section 4.1 of the paper"),
            "clip_high": (0.28, "section 4.1 of the paper"),
            "std": ("population", "equation 9 of the paper says `std` without saying which"),
            "eps": (0.0, "equation 9 of the paper: nothing is added to the std"),
            "aggregate": ("token_mean", "equation 8 of the paper"),
            "max_new_tokens": (20480, "section 4.1 of the paper: 16,384, and a soft-punish cache of 4,096"),
        },
    ),
    "zscore": (
        "the textbook form: REINFORCE with z-scored rewards and the log-probability of the whole completion",
        {
            **_adamw(CHOSEN_HERE),
            "group_size": (8, f"{CHOSEN_HERE}; a common size"),
            "groups_per_step": (8, f"{CHOSEN_HERE}; a common size"),
            "lr": (1e-6, f"{CHOSEN_HERE}; as in the other presets"),
            "inner_updates": (1, "by definition: without a ratio only the first update is on-policy"),
            "kl_coef": (0.0, f"{CHOSEN_HERE}; no KL"),
            "kl": ("k3", "without effect while kl_coef is 0"),
            "ratio": ("none", "by definition: REINFORCE has no ratio"),
            "clip_low": (0.2, "without effect, since there is no ratio"),
            "clip_high": (0.2, "without effect, since there is no ratio"),
            "std": ("population", "by definition: z-scores"),
            "eps": (1e-8, f"{CHOSEN_HERE}; avoids a division by 0"),
            "aggregate": ("constant", "by definition: the sum over tokens, then the mean over completions"),
            "constant_length": (1, "by definition: no division by the length"),
            "max_new_tokens": (1024, f"{CHOSEN_HERE}; as in deepseekmath"),
        },
    ),
}
"""By name: one line that describes the preset, and its values."""


def preset_values(name: str) -> dict[str, Any]:
    """Return the values of a preset, without their sources."""
    return {key: value for key, (value, _) in PRESETS[name][1].items()}
