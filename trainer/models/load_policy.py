"""Loading a policy from a folder or the hub, with its adapter, gradient checkpointing and end tokens."""

import inspect
import json
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from ...rewards.models.torch_runtime import quiet
from ...sandbox.errors import PolicyError, first_line
from ..config.run_config import PolicyConfig
from .lora import add_adapter, merged
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
    """Load a model and its tokenizer from a folder or the hub, with float32 weights and without dropout.

    Args:
        config: the run's `policy:` section; with `lora`, an adapter is added to the model.
        path: a folder or a hub id. It differs from `config.model` for a checkpoint or the tiny policy, but
            errors name `config.model`, which is what the user wrote.
        device: where the model is moved.
        adapter: the folder of a saved adapter to continue with; None = a new one.
        seed: for the initial weights of a new adapter.
        note: called with one line if the model is configured with dropout, which is switched off.

    Raises:
        PolicyError: the model does not load, cannot be sampled from or trained as configured, or has no
            end-of-sequence token.
    """
    source, own_adapter = _without_adapter(os.path.expanduser(str(path)), config.model)
    model, tokenizer = _from_pretrained(source, config.model, own_adapter)
    if own_adapter is not None and config.lora is None:
        model = merged(model, own_adapter)
    model = model.to(device).eval()
    parameters = inspect.signature(model.forward).parameters
    if not {"past_key_values", "cache_params"} & set(parameters):
        raise PolicyError(
            f"policy.model {config.model!r} ({type(model).__name__}) keeps no cache of the tokens that it has"
            " read, so it cannot be sampled from; give a causal language model"
        )
    if config.lora is not None:
        add_adapter(model, config.lora, adapter or own_adapter, seed=seed)
    if config.gradient_checkpointing:
        checkpoint_layers(model, config.model)
    eos_ids = end_tokens(model, tokenizer, config.model)
    dropouts = _dropouts(model)
    if dropouts:
        note(f"dropout is set to 0 ({dropouts}), so that sampling and training use one distribution")
    template = str(tokenizer.chat_template)
    unused = [key for key in config.template if not re.search(rf"\b{re.escape(key)}\b", template)]
    if unused:
        note(
            f"policy.template: {', '.join(unused)} has no effect, because the chat template does not read it"
        )
    return Policy(
        model,
        tokenizer,
        eos_ids,
        config.model,
        config.chat_template,
        getattr(torch, config.dtype),
        source,
        config.template,
        brought_adapter=own_adapter is not None and config.lora is not None,
    )


def _without_adapter(source: str, name: str) -> tuple[str, Path | None]:
    """Return the base model and the folder of an adapter; for anything else, the source itself and None.

    Raises:
        PolicyError: the adapter does not say to which model it belongs.
    """
    settings = Path(source) / "adapter_config.json"
    if not settings.is_file():
        return source, None
    try:
        base = json.loads(settings.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        base = None
    if not isinstance(base, str) or not base:
        raise PolicyError(
            f"policy.model {name!r}: {settings} names no base_model_name_or_path, the model that the adapter"
            f" belongs to (it has {base!r}); add it"
        )
    beside = Path(source) / base
    return str(beside.resolve() if beside.is_dir() else base), Path(source)


def _from_pretrained(source: str, name: str, adapter: Path | None) -> tuple[Any, Any]:
    """Return the model and the tokenizer of a folder or hub id; errors call it `name`.

    An adapter's folder may bring its own tokenizer.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    brings_tokenizer = adapter is not None and (adapter / "tokenizer_config.json").is_file()
    expected = "give `tiny`, `smollm2`, a folder with a model and its tokenizer, or a hub id"
    if source.startswith((".", "/")) and not Path(source).is_dir():
        # transformers would take the path of a folder that does not exist for a hub id.
        raise PolicyError(f"policy.model {name!r} does not load: there is no folder {source}; {expected}")
    if (Path(source) / "run.yaml").is_file():
        raise PolicyError(f"policy.model {name!r} is the folder of a run; give its model: {source}/final")
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(adapter if brings_tokenizer else source)
            model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise PolicyError(
            f"policy.model {name!r} does not load: {type(error).__name__}: {first_line(error)}; {expected}"
        ) from error
    return model, tokenizer


def _dropouts(model: Any) -> str:
    """Return the dropout rates above 0 in a model's config, such as `attention_dropout 0.1`.

    They have no effect, because policies stay in evaluation mode: with dropout, the update would compute
    other log-probabilities than those of the distribution that the completions were sampled from.
    """
    settings = model.config.get_text_config().to_dict()
    return ", ".join(
        f"{key} {value}"
        for key, value in settings.items()
        if "drop" in key and isinstance(value, float) and value > 0
    )


def checkpoint_layers(model: Any, name: str) -> None:
    """Let every decoder layer be computed again in the backward pass, instead of keeping its activations.

    transformers' own switch for this drops the cache, which holds the shared prompts. This wraps the same
    layers and leaves the cache alone, which is safe because a second computation does not change the
    update's caches.

    Raises:
        PolicyError: the model has no such layers; the message calls it `name`.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise PolicyError(
            f"policy.model {name!r} ({type(model).__name__}) has no layers that support gradient"
            " checkpointing; set policy.gradient_checkpointing to false"
        )
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)


def end_tokens(model: Any, tokenizer: Any, name: str) -> tuple[int, ...]:
    """Return every id that ends a completion, from the tokenizer, the generation settings and the config.

    Raises:
        PolicyError: none of them names one; the message calls the model `name`.
    """
    ids: list[int] = []
    for given in (
        tokenizer.eos_token_id,
        getattr(model.generation_config, "eos_token_id", None),
        model.config.get_text_config().eos_token_id,
    ):
        if isinstance(given, list):
            ids += given
        elif given is not None:
            ids.append(given)
    if not ids:
        raise PolicyError(
            f"policy.model {name!r} has no end-of-sequence token, so no completion would ever end; set"
            " eos_token in its tokenizer_config.json"
        )
    return tuple(dict.fromkeys(ids))
