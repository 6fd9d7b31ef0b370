"""The shapes, the model, the prompts and the reward that both sides of `step.py` train with."""

import shutil
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

SHAPES: dict[str, dict[str, Any]] = {
    "8x8x64": {"groups": 8, "group_size": 8, "new_tokens": 64, "filler": 0, "hidden": 128, "layers": 4, "steps": 12},
    "long prompt": {"groups": 4, "group_size": 8, "new_tokens": 64, "filler": 240, "hidden": 128, "layers": 4, "steps": 8},
    "2x4x32": {"groups": 2, "group_size": 4, "new_tokens": 32, "filler": 0, "hidden": 64, "layers": 2, "steps": 60},
    "widely differing": {"groups": 4, "group_size": 8, "new_tokens": 768, "filler": 140, "hidden": 128, "layers": 4, "steps": 6},
    "SmolLM2-135M": {"groups": 8, "group_size": 8, "new_tokens": 32, "filler": 0, "model": "smollm2", "steps": 3, "lr": 5e-6},
}  # fmt: skip
"""By name: prompts per step (`groups`), completions per prompt (`group_size`), the most tokens per completion,
characters put before each question (`filler`), the model's width and layers (or the name of a real `model`, whose
prompts are sums in words), and the steps that are timed."""
LEARNING_RATE = 1e-3
CHARACTERS = "".join(map(chr, range(32, 127))) + "\n"
"""The tokenizer's vocabulary: printable ASCII and the line break."""


class TimedStep(NamedTuple):
    """The cost of one training step."""

    cpu_s: float
    tokens: int
    """Tokens of all its completions."""


def digit_share(text: str) -> float:
    """Return the reward: the share of characters that are digits, from 0 to 1."""
    return sum(character.isdigit() for character in text) / max(len(text), 1)


def make_model(folder: Path, shape: dict[str, Any], vocabulary: int | None = None) -> None:
    """Save a random Llama and a tokenizer of single characters, or copy the real model that a shape names.

    Args:
        folder: where to save them.
        shape: one of `SHAPES`; only `hidden` and `layers` are read.
        vocabulary: the number of the model's token ids; None = as many as the tokenizer has.
    """
    # torch is imported here to keep the process small that starts the measured ones: on Linux, the peak memory
    # that a new process reports is at least its parent's.
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from markscheme.trainer.models.built_in.smollm2 import smollm2_policy
    from markscheme.trainer.models.built_in.tiny import build_tokenizer

    if shape.get("model"):
        shutil.copytree(smollm2_policy(), folder)
        return
    torch.manual_seed(0)
    tokenizer = build_tokenizer(tuple(CHARACTERS))
    config = LlamaConfig(
        vocab_size=vocabulary or len(tokenizer),
        hidden_size=shape["hidden"],
        intermediate_size=4 * shape["hidden"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_prompts(shape: dict[str, Any]) -> list[str]:
    """Return 64 questions of 20 to 22 characters, each with `filler` characters of instructions before it.

    For a real model they are sums in words, as its chat template writes them.
    """
    rng, filler = Random(0), shape["filler"]
    if shape.get("model"):
        form = "<|im_start|>user\nCalculate {} plus {}.<|im_end|>\n<|im_start|>assistant\n"
        return [form.format(rng.randint(10, 99), rng.randint(10, 99)) for _ in range(64)]
    start = ("Work it out step by step. " * (filler // 26 + 1))[:filler]
    return [f"{start}Compute {rng.randint(1, 9999)} + {rng.randint(1, 9999)} = " for _ in range(64)]
