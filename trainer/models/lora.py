"""LoRA through peft: adapters inside the policy's own model, so that all else stays as it is.

The reference is the policy with its adapter switched off; engines and the final folder get the weights
with the adapter merged in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...sandbox.errors import PolicyError
from ..config.run_config import LoraConfig

ADAPTER = "adapter"
"""The folder of a checkpoint that holds the adapter."""


def add_adapter(model: Any, config: LoraConfig, saved: Path | None, *, seed: int) -> None:
    """Put an adapter into a model, new or as it was saved, and freeze all else.

    Raises:
        PolicyError: peft is not installed, or finds no layer to adapt.
    """
    try:
        from peft import LoraConfig as PeftConfig  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise PolicyError(
            f"policy.lora needs peft (pip install 'markscheme[lora]'); it does not load: {error}"
        ) from error
    try:
        if saved is not None:
            model.load_adapter(str(saved), adapter_name="default", is_trainable=True)
            return
        settings = PeftConfig(
            r=config.r,
            lora_alpha=config.alpha,
            target_modules="all-linear" if config.targets == "all-linear" else list(config.targets),
            lora_dropout=0.0,
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model.add_adapter(settings)
    except ValueError as error:
        raise PolicyError(f"policy.lora: {str(error).splitlines()[0]}") from error
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    tied = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    if tied and any(hasattr(layer, "base_layer") for layer in ends):
        raise PolicyError(
            "policy.lora.targets: embeddings and LM head are one tensor in this model, and an adapter on"
            " one of them cannot be merged; leave both out"
        )


def has_adapter(model: Any) -> bool:
    """Whether an adapter is inside a model."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


@contextmanager
def adapter_off(model: Any) -> Iterator[None]:
    """Compute without the adapter for a while."""
    model.disable_adapters()
    try:
        yield
    finally:
        model.enable_adapters()


def merged_weights(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight under the name that it has without adapters, each adapter merged in.

    A tensor that two names share (tied embeddings) comes once.
    """
    if not has_adapter(model):
        yield from ((name, parameter.detach()) for name, parameter in model.named_parameters())
        yield from _kept_buffers(model)
        return
    deltas: dict[str, list[Any]] = {}
    for name, module in model.named_modules():
        if hasattr(module, "get_delta_weight"):
            # An adapter of experts wraps one parameter, and may be wrapped by another.
            kind = getattr(module, "parameter_name", "weight")
            deltas.setdefault(f"{name}.{kind}".replace(".base_layer", ""), []).append(module)
    # Buffers that checkpoints hold (some routers' corrections) are weights too.
    for name, tensor in (*model.named_parameters(), *_kept_buffers(model)):
        if ".lora_" in name:
            continue
        plain, weight = name.replace(".base_layer", ""), tensor.detach()
        for module in deltas.get(plain, ()):
            weight = weight + module.get_delta_weight("default").detach().to(weight.dtype)
        yield plain, weight


def _kept_buffers(model: Any) -> Iterator[tuple[str, Tensor]]:
    kept = model.state_dict().keys()
    yield from ((name, buffer) for name, buffer in model.named_buffers() if name in kept)
