"""LoRA adapters through peft, put inside the policy's own model.

The rest of the trainer hardly has to know about it: the reference is the policy with its adapter switched
off, and engines and the final folder get weights with the adapter merged in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...sandbox.errors import PolicyError, first_line
from ..config.run_config import LoraConfig

ADAPTER = "adapter"
"""Name of the folder in a checkpoint that holds the adapter."""


def add_adapter(model: Any, config: LoraConfig, saved: Path | None, *, seed: int) -> None:
    """Add an adapter to a model, a saved one or a new one from `seed`, and freeze all other weights.

    Raises:
        PolicyError: peft is not installed, finds no layer to adapt, or the adapter could not be merged.
    """
    try:
        from peft import LoraConfig as PeftConfig  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise PolicyError(
            f"policy.lora needs peft (pip install 'markscheme[lora]'), which does not load: {error}"
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
    except (ValueError, RuntimeError, OSError) as error:
        raise PolicyError(f"policy.lora: {first_line(error)}") from error
    _refuse_tied_embeddings(model)


def merged(model: Any, adapter: Path) -> Any:
    """Return a model with the adapter in a folder merged into its weights.

    Raises:
        PolicyError: peft is not installed, or the adapter does not fit the model.
    """
    try:
        from peft import PeftModel  # pyright: ignore[reportMissingImports]

        whole: Any = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
        return whole.requires_grad_(True)  # peft has frozen what the adapter belongs to
    except ImportError as error:
        raise PolicyError(
            f"policy.model {adapter} is an adapter and needs peft, which does not load ({error}): pip install"
            " 'markscheme[lora]'"
        ) from error
    except (ValueError, RuntimeError, OSError) as error:
        raise PolicyError(f"policy.model: the adapter {adapter} does not fit: {first_line(error)}") from error


def _refuse_tied_embeddings(model: Any) -> None:
    tied = getattr(model.config.get_text_config(), "tie_word_embeddings", False)
    layers = (model.get_input_embeddings(), model.get_output_embeddings())
    if tied and any(hasattr(layer, "base_layer") for layer in layers):  # as every layer that peft wraps has
        raise PolicyError(
            "policy.lora.targets: embeddings and LM head are one tensor in this model, and an adapter on"
            " one of them cannot be merged; leave both out"
        )


def has_adapter(model: Any) -> bool:
    """Return whether a model contains an adapter."""
    return bool(getattr(model, "_hf_peft_config_loaded", False))


@contextmanager
def adapter_off(model: Any) -> Iterator[None]:
    """Switch the adapter off inside a `with` block."""
    model.disable_adapters()
    try:
        yield
    finally:
        model.enable_adapters()


def merged_weights(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield every weight, adapters merged in, under the name that it has in the model without adapters.

    Buffers that a checkpoint includes (such as the corrections of some routers) are weights as well. A
    tensor that has two names (tied embeddings) is yielded once.
    """
    if not has_adapter(model):
        yield from ((name, parameter.detach()) for name, parameter in model.named_parameters())
        yield from _saved_buffers(model)
        return
    adapters = _adapters_by_weight(model)
    for name, tensor in (*model.named_parameters(), *_saved_buffers(model)):
        if ".lora_" in name:
            continue
        plain_name, weight = name.replace(".base_layer", ""), tensor.detach()
        for module in adapters.get(plain_name, ()):
            weight = weight + module.get_delta_weight("default").detach().to(weight.dtype)
        yield plain_name, weight


def _adapters_by_weight(model: Any) -> dict[str, list[Any]]:
    """Return the adapter modules that change each weight, by the weight's name without adapters."""
    adapters: dict[str, list[Any]] = {}
    for name, module in model.named_modules():
        if hasattr(module, "get_delta_weight"):
            # For a mixture's experts, peft wraps one parameter at a time, each wrapper inside the next one.
            parameter = getattr(module, "parameter_name", "weight")
            adapters.setdefault(f"{name}.{parameter}".replace(".base_layer", ""), []).append(module)
    return adapters


def _saved_buffers(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield the buffers that `save_pretrained` would write."""
    saved = model.state_dict().keys()
    yield from ((name, buffer) for name, buffer in model.named_buffers() if name in saved)
