"""Loading a policy from a folder or the hub: checks, adapter, gradient checkpointing, end tokens."""

import inspect
import os
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from ...rewards.models.torch_runtime import quiet
from ...sandbox.errors import PolicyError
from ..config.run_config import PolicyConfig
from .lora import add_adapter
from .notes import Note, ignored
from .policy import Policy


def load_policy(
    config: PolicyConfig,
    path: str | Path,
    device: torch.device,
    *,
    adapter: Path | None = None,
    seed: int = 0,
    note: Note = ignored,
) -> Policy:
    """Load a model and its tokenizer from a folder or the hub.

    Args:
        config: with `lora`, an adapter is put into the model.
        path: the model.
        device: where it goes.
        adapter: a saved adapter to go on with.
        seed: of a new adapter.
        note: is told what was changed of the model.

    Raises:
        PolicyError: it does not load, or has no end-of-sequence token.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = os.path.expanduser(str(path))
    if name.startswith((".", "/")) and not Path(name).is_dir():
        raise PolicyError(f"policy.model {config.model!r} does not load: there is no such folder")
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise PolicyError(
            f"policy.model {config.model!r} does not load: {type(error).__name__}:"
            f" {str(error).splitlines()[0]};"
            " give `tiny`, a folder with a model and its tokenizer, or a hub id"
        ) from error
    model = model.to(device).eval()  # pyright: ignore[reportArgumentType]
    takes = inspect.signature(model.forward).parameters
    if not {"past_key_values", "cache_params"} & set(takes):
        raise PolicyError(
            f"policy.model {config.model!r} ({type(model).__name__}) keeps no cache of what it has read,"
            " so it cannot be sampled from; give a causal language model"
        )
    if config.lora is not None:
        add_adapter(model, config.lora, adapter, seed=seed)
    if config.gradient_checkpointing:
        checkpoint_layers(model, config.model)
    ends = end_tokens(model, tokenizer, config.model)
    dropout = _dropout(model)
    if dropout is not None:
        note(dropout)
    dtype = getattr(torch, config.dtype)
    return Policy(model, tokenizer, ends, config.model, config.chat_template, dtype, name)


def _dropout(model: Any) -> str | None:
    """Say which dropout a model has; it stays off, so that sampler and update are one distribution."""
    settings = model.config.get_text_config().to_dict()
    found = [f"{k} {v}" for k, v in settings.items() if "drop" in k and isinstance(v, float) and v > 0]
    return f"dropout is set to 0 ({', '.join(found)}): what is sampled is what is trained" if found else None


def checkpoint_layers(model: Any, name: str) -> None:
    """Let every decoder layer be computed again in the backward pass, instead of kept.

    transformers' own switch drops the cache that shared prompts live in. Ours wraps the same layers;
    their caches keep nothing that a second computation would change.

    Raises:
        PolicyError: the model has no such layers.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise PolicyError(
            f"policy.model {name!r} ({type(model).__name__}) has no layers that can be computed again;"
            " drop gradient_checkpointing"
        )
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)


def end_tokens(model: Any, tokenizer: Any, name: str) -> tuple[int, ...]:
    """Return every id that ends a completion: of the generation settings, model and tokenizer.

    Raises:
        PolicyError: there is none, so that no completion would ever end.
    """
    found: list[int] = []
    for source in (
        tokenizer.eos_token_id,
        getattr(model.generation_config, "eos_token_id", None),
        model.config.get_text_config().eos_token_id,
    ):
        found += source if isinstance(source, list) else [source] if source is not None else []
    if not found:
        raise PolicyError(
            f"policy {name!r} has no end-of-sequence token: no completion would end; set"
            " eos_token in its tokenizer"
        )
    return tuple(dict.fromkeys(found))
