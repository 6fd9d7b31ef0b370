"""A policy's weights as a checkpoint names them: what engines load."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ...tasks.whole_files import written_whole
from .lora import merged_weights


def checkpoint_weights(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield names and tensors as `save_pretrained` would write them, an adapter merged in.

    transformers keeps some weights in another form than checkpoints do (the experts of a mixture in
    one tensor); that is undone here by its own means.
    """
    from transformers.core_model_loading import revert_weight_conversion

    yield from revert_weight_conversion(model, dict(merged_weights(model))).items()


def shape_of(model: Any) -> dict[str, Any]:
    """Return the sizes that an engine's model must share, by their names in a config."""
    config = model.config.get_text_config()
    names = ("model_type", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
    heads = ("num_attention_heads", "num_key_value_heads")
    return {name: value for name in (*names, *heads) if (value := getattr(config, name, None)) is not None}


def write_weights(model: Any, folder: Path, name: str, dtype: torch.dtype) -> Path:
    """Write a policy's weights to one file, which appears under its name when it is whole."""
    tensors = {key: tensor.to("cpu", dtype).contiguous() for key, tensor in checkpoint_weights(model)}
    with written_whole(folder / name) as partial:
        save_file(tensors, partial)
    return folder / name


def weights_folder(given: str | None) -> Path:
    """Return a fresh folder for weights: in shared memory where there is some."""
    shared = Path("/dev/shm")
    base = Path(given) if given else shared if os.access(shared, os.W_OK) else None
    if base is not None:
        base.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="markscheme-weights-", dir=base))
