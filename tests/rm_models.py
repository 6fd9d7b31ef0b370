"""Small outcome reward models with random weights, and completions made of words that their tokenizers know."""

from pathlib import Path
from typing import Any

import torch
import transformers

from support import CHAT_TEMPLATE
from tokenizers_of_kinds import tokenizer_of

ANSWERS = ["x1 is 3.14", "the sum is two.", "so x1 of two", "two", "x1 is 3.14 so the sum is two numbers"]


def save_rm(
    folder: Path, kind: str = "llama", *, chat: bool = False, pad_is_end: bool = False, **changes: Any
) -> Path:
    """Save a random sequence classifier: a decoder (`llama`) or an encoder (`bert`)."""
    tokenizer = tokenizer_of("word_piece" if kind == "bert" else "byte_level")
    tokenizer.chat_template = CHAT_TEMPLATE if chat else None
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.4,
        "num_labels": 1,
        "pad_token_id": tokenizer.eos_token_id if pad_is_end else tokenizer.pad_token_id,
        **changes,
    }
    torch.manual_seed(3)
    config = transformers.AutoConfig.for_model(kind, **settings)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
