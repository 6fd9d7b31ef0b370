"""A policy's weights in the form that engines load: under a checkpoint's names, in memory or in a file."""

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

    transformers holds some weights in another form in memory than in a checkpoint (the experts of a mixture
    as one tensor); its own `revert_weight_conversion` undoes that.
    """
    from transformers.core_model_loading import revert_weight_conversion

    yield from revert_weight_conversion(model, dict(merged_weights(model))).items()


def shape_of(model: Any) -> dict[str, Any]:
    """Return a model's type and sizes, by their names in its config; an engine must have the same."""
    config = model.config.get_text_config()
    names = (
        "model_type",
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
    )
    values = {name: getattr(config, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def write_weights(model: Any, folder: Path, name: str, dtype: torch.dtype) -> Path:
    """Write a policy's weights to a safetensors file, which appears only once it is complete."""
    tensors = {key: tensor.to("cpu", dtype).contiguous() for key, tensor in checkpoint_weights(model)}
    with written_whole(folder / name) as partial:
        save_file(tensors, partial)
    return folder / name


def weights_folder(given: str | None) -> Path:
    """Make a new folder for weights, and return it.

    It is inside of `given`; by default in shared memory (/dev/shm), or, where that is not writable, in the
    temporary folder.
    """
    base: Path | None = None
    if given:
        base = Path(given)
        base.mkdir(parents=True, exist_ok=True)
    elif os.access("/dev/shm", os.W_OK):
        base = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="markscheme-weights-", dir=base))
