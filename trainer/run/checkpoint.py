"""Checkpoints: everything that a run needs to go on as if it had never stopped.

One folder a checkpoint, a plain Hugging Face model with two files beside it. It is written under a
hidden name and renamed, so a folder that is there is whole.
"""

import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ...sandbox.errors import RunError
from ...tasks.whole_files import written_whole
from ..models.lora import ADAPTER, has_adapter, merged_weights


def save_checkpoint(
    folder: Path,
    step: int,
    model: Any,
    tokenizer: Any,
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, Any],
    *,
    keep: int,
) -> Path:
    """Write checkpoint `step` and drop all but the newest `keep`.

    Raises:
        RunError: it cannot be written; earlier checkpoints stay as they are.
    """
    tensors, numbers = _optimizer_state(optimizer)

    def write(partial: Path) -> None:
        save_model(partial, model, tokenizer)
        save_file(tensors, partial / "optimizer.safetensors")
        whole = {"step": step, "optimizer": numbers, **state}
        (partial / "state.json").write_text(json.dumps(whole), encoding="utf-8")

    path = write_whole(folder / f"step-{step:06d}", write)
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    return path


def save_model(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write a plain Hugging Face folder; of a policy with an adapter, the adapter only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers, on generation settings that are not ours
        model.save_pretrained(folder / ADAPTER if has_adapter(model) else folder)
        tokenizer.save_pretrained(folder)


def save_final(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write a plain Hugging Face folder, an adapter merged in."""
    if not has_adapter(model):
        return save_model(folder, model, tokenizer)
    with torch.device("meta"):
        plain = type(model)(model.config)
    plain.load_state_dict(dict(merged_weights(model)), assign=True, strict=False)
    plain.tie_weights()
    left = [name for name, tensor in plain.state_dict().items() if tensor.is_meta]
    if left:
        raise RunError(f"{folder}: {left[0]} has no merged weight; the adapter is in the last checkpoint")
    plain.generation_config = model.generation_config
    return save_model(folder, plain, tokenizer)


def write_whole(path: Path, write: Callable[[Path], None]) -> Path:
    """Let `write` fill a folder that appears under its name only when it is whole.

    Raises:
        RunError: it cannot be written; what was there before stays.
    """
    try:
        with written_whole(path) as partial:
            partial.mkdir()
            write(partial)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} cannot be written ({error}); free some space, then --resume") from error
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Return the whole checkpoints in a folder, oldest first."""
    return sorted(path for path in folder.glob("step-*") if (path / "state.json").is_file())


def load_state(checkpoint: Path) -> dict[str, Any]:
    """Return what `save_checkpoint` was given as state, and the step."""
    return json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))


def _optimizer_state(
    optimizer: torch.optim.Optimizer,
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return an optimizer's tensors, and the numbers that stand beside them, by paths such as 3/exp_avg."""
    flat = dict(_leaves("", optimizer.state_dict()["state"]))
    # Cloned: 8-bit optimizers share tables between parameters, which safetensors refuses.
    tensors = {name: v.clone().contiguous() for name, v in flat.items() if isinstance(v, torch.Tensor)}
    return tensors, {name: v for name, v in flat.items() if name not in tensors}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what nested mappings hold, each with its path."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, inner in value.items():
        yield from _leaves(f"{path}/{key}" if path else str(key), inner)


def restore_optimizer(optimizer: torch.optim.Optimizer, checkpoint: Path) -> None:
    """Give an optimizer the moments that a checkpoint holds."""
    saved: dict[str, Any] = {**load_file(checkpoint / "optimizer.safetensors")}
    saved |= load_state(checkpoint).get("optimizer", {})
    slots: dict[int, dict[str, Any]] = {}
    for path, value in saved.items():
        index, *inner, last = path.split("/")
        place = slots.setdefault(int(index), {})
        for key in inner:
            place = place.setdefault(key, {})
        place[last] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
