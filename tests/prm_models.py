"""Tiny process reward models with random weights, of the real architectures, saved as their families do."""

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers_of_kinds import tokenizer_of

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA_CHAT = (
    "{% for m in messages %}<|start|>{{ m['role'] }}<|end|>\n\n{{ m['content'] | trim }}<eos>{% endfor %}"
)
ARCHITECTURES = {
    "math_shepherd": ("mistral", "sentence_piece"),
    "rlhflow": ("llama", "byte_level"),
    "qwen": ("qwen2", "byte_level"),
    "skywork": ("qwen2", "byte_level"),
    "trl": ("qwen2", "byte_level"),
    "classes": ("bert", "word_piece"),
}
"""Family to model type and kind of tokenizer."""


def save_prm(folder: Path, family: str, *, seed: int = 3, **changes: Any) -> Path:
    """Save a model of a family with random weights."""
    kind, tokenizer_kind = ARCHITECTURES[family]
    tokenizer = tokenizer_of(tokenizer_kind)
    tokenizer.chat_template = {"qwen": CHAT, "rlhflow": LLAMA_CHAT}.get(family)
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 512, "initializer_range": 0.4,
        "pad_token_id": tokenizer.eos_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None,
        "num_labels": 2, **changes,
    }  # fmt: skip
    if kind != "bert":
        shape = {"num_key_value_heads": 1, "head_dim": 16, **shape}
    torch.manual_seed(seed)
    config = transformers.AutoConfig.for_model(kind, **shape)
    by_head = {"trl": "AutoModelForTokenClassification", "classes": "AutoModelForTokenClassification"}
    make = getattr(transformers, by_head.get(family, "AutoModelForCausalLM"))
    make.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    wide = shape["hidden_size"]
    heads = {
        "qwen": {"score.0": (wide, wide), "score.2": (2, wide)},
        "skywork": {"v_head.summary": (1, wide)},
    }
    if family in heads:
        weights = load_file(folder / "model.safetensors")
        for name, size in heads[family].items():
            weights |= {f"{name}.weight": torch.randn(size) * 0.5, f"{name}.bias": torch.randn(size[0]) * 0.5}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    if family == "qwen":
        settings = (
            (folder / "config.json").read_text().replace("Qwen2ForCausalLM", "Qwen2ForProcessRewardModel")
        )
        (folder / "config.json").write_text(settings)
    return folder
