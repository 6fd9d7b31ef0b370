"""Tiny process reward models with random weights: the real architectures, saved as each family saves its own."""

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

from tokenizers_of_kinds import tokenizer_of

PROMPT = "the sum of two numbers"
STEPS = ["x1 is 3.14", "the sum is two.", "so x1 of two"]
"""A prompt and steps made of words that the tokenizers of `tokenizers_of_kinds.py` know."""

FAMILIES = {
    "math_shepherd": ("mistral", "sentence_piece"),
    "rlhflow": ("llama", "byte_level"),
    "qwen": ("qwen2", "byte_level"),
    "skywork": ("qwen2", "byte_level"),
    "trl": ("qwen2", "byte_level"),
    "classes": ("bert", "word_piece"),
}
"""The families of process reward models: each one's model type and kind of tokenizer."""
TOKEN_CLASSIFIERS = {"trl", "classes"}
"""Families whose models are token classifiers; the others are causal language models."""
CHAT_TEMPLATES = {
    "qwen": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "rlhflow": (
        "{% for m in messages %}<|start|>{{ m['role'] }}<|end|>\n\n{{ m['content'] | trim }}<eos>{% endfor %}"
    ),
}


def save_prm(folder: Path, family: str, *, seed: int = 3, **changes: Any) -> Path:
    """Save a model of a family and its tokenizer, and return the folder.

    Args:
        folder: where to save.
        family: a key of `FAMILIES`.
        seed: of the weights.
        changes: settings of the model that differ from the small ones here.
    """
    model_type, tokenizer_kind = FAMILIES[family]
    tokenizer = tokenizer_of(tokenizer_kind)
    # Set for every family, because `tokenizer_of` gives the same tokenizer to several of them.
    tokenizer.chat_template = CHAT_TEMPLATES.get(family)
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.4,  # twenty times the usual, so that the scores of steps differ
        "pad_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "num_labels": 2,
    }
    if model_type != "bert":
        settings |= {"num_key_value_heads": 1, "head_dim": 16}
    settings |= changes
    torch.manual_seed(seed)
    config = transformers.AutoConfig.for_model(model_type, **settings)
    if family in TOKEN_CLASSIFIERS:
        model = transformers.AutoModelForTokenClassification.from_config(config)
    else:
        model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _add_head(folder, family, settings["hidden_size"])
    return folder


def _add_head(folder: Path, family: str, hidden_size: int) -> None:
    """Add the head of a family's own model class, which transformers does not have, to saved weights."""
    heads = {
        "qwen": {"score.0": (hidden_size, hidden_size), "score.2": (2, hidden_size)},
        "skywork": {"v_head.summary": (1, hidden_size)},
    }
    if family not in heads:
        return
    weights = load_file(folder / "model.safetensors")
    for name, (rows, columns) in heads[family].items():
        weights[f"{name}.weight"] = torch.randn(rows, columns) * 0.5
        weights[f"{name}.bias"] = torch.randn(rows) * 0.5
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    if family == "qwen":
        config = folder / "config.json"
        config.write_text(config.read_text().replace("Qwen2ForCausalLM", "Qwen2ForProcessRewardModel"))
