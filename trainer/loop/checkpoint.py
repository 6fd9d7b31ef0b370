"""Checkpoints, which hold everything that a run needs to continue as if it had never stopped.

A checkpoint is a folder `step-NNNNNN` with a plain Hugging Face model (with LoRA, the adapter only),
`optimizer.safetensors`, `state.json` and the checksums of all files. It is written under a hidden name and
then renamed, so a folder that has its final name is complete; the checksums show what happens to it later.
"""

import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ...sandbox.errors import RunError
from ...tasks.whole_files import written_whole
from ..models.lora import ADAPTER, has_adapter, merged_weights

CHECKSUMS = "checksums.json"
"""Name of the file with the SHA-256 of all others in a folder that was written whole."""


def save_checkpoint(
    folder: Path,
    step: int,
    model: Any,
    tokenizer: Any,
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, Any],
) -> None:
    """Write the checkpoint of a step.

    Args:
        folder: the run's folder of checkpoints.
        step: the last finished step.
        model: the policy's model.
        tokenizer: the policy's tokenizer.
        optimizer: its state is saved, not its settings.
        state: everything else that the run needs, ready for JSON; `load_state` returns it.

    Raises:
        RunError: the checkpoint cannot be written; the earlier ones are kept.
    """
    tensors, scalars = _optimizer_state(optimizer)

    def write(partial: Path) -> None:
        save_model(partial, model, tokenizer)
        save_file(tensors, partial / "optimizer.safetensors")
        content = {"step": step, "optimizer": scalars, **state}
        (partial / "state.json").write_text(json.dumps(content), encoding="utf-8")

    write_whole(folder / f"step-{step:06d}", write)


def drop_checkpoints(folder: Path, kept: Collection[int]) -> None:
    """Delete all checkpoints but those of some steps."""
    for path in _step_folders(folder):
        if step_of(path) not in kept:
            (path / CHECKSUMS).unlink(missing_ok=True)  # first: half a checkpoint must not count as one
            shutil.rmtree(path)


def save_model(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write a model and its tokenizer; if the model has an adapter, the adapter only."""
    with warnings.catch_warnings():
        # transformers warns about generation settings that come with a model and are not used here.
        warnings.simplefilter("ignore")
        model.save_pretrained(folder / ADAPTER if has_adapter(model) else folder)
        tokenizer.save_pretrained(folder)


def save_final(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write a model as a plain Hugging Face folder, with an adapter merged into the weights.

    Raises:
        RunError: a weight of the plain model has no counterpart in the model with the adapter.
    """
    if not has_adapter(model):
        save_model(folder, model, tokenizer)
        return
    with torch.device("meta"):
        plain = type(model)(model.config)
    plain.load_state_dict(dict(merged_weights(model)), assign=True, strict=False)
    plain.tie_weights()
    missing = [name for name, tensor in plain.state_dict().items() if tensor.is_meta]
    if missing:
        raise RunError(
            f"{folder}: the adapter cannot be merged, because {missing[0]} has no merged weight; use the"
            " adapter in the last checkpoint"
        )
    plain.generation_config = model.generation_config
    save_model(folder, plain, tokenizer)


def write_whole(path: Path, write: Callable[[Path], None]) -> Path:
    """Create a folder with the content that `write` puts into it, completely or not at all.

    Args:
        path: the folder to create, with a file of checksums; one that is already there is replaced.
        write: called with a temporary folder, which is then renamed to `path`.

    Raises:
        RunError: it cannot be written; whatever was there before is kept.
    """
    try:
        with written_whole(path) as partial:
            partial.mkdir()
            write(partial)
            checksums = {name: _checksum(partial / name) for name in _files_in(partial)}
            (partial / CHECKSUMS).write_text(json.dumps(checksums, indent=1), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"{path} cannot be written ({error}); free some space, then continue with --resume"
        ) from error
    return path


def _files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damage_in(folder: Path) -> str | None:
    """Return what has happened to a folder that `write_whole` wrote; None if it is as it was written."""
    try:
        checksums = dict(json.loads((folder / CHECKSUMS).read_text(encoding="utf-8")))
        for name, checksum in checksums.items():
            if not (folder / name).is_file():
                return f"{name} is missing"
            if _checksum(folder / name) != checksum:
                return f"{name} was cut or changed"
    except (OSError, ValueError, TypeError) as error:
        return f"{CHECKSUMS} cannot be read ({type(error).__name__})"
    return None if checksums else f"{CHECKSUMS} is empty"


def require_whole(folder: Path) -> Path:
    """Return a folder that `write_whole` wrote, if it is as it was written.

    Raises:
        RunError: it is not.
    """
    damage = damage_in(folder)
    if damage is not None:
        raise RunError(f"{folder}: {damage}; restore it from a backup, or start a new run")
    return folder


def newest_whole(folder: Path, note: Callable[[str], None]) -> Path | None:
    """Return the newest checkpoint in a folder that is undamaged; None if there are no checkpoints at all.

    Args:
        folder: the run's folder of checkpoints.
        note: called with a line for each damaged one.

    Raises:
        RunError: all of them are damaged.
    """
    damaged = []
    for path in reversed(_step_folders(folder)):
        damage = damage_in(path)
        if damage is None:
            for later, said in damaged:
                note(f"the checkpoint {later.name} is damaged ({said}); going back to {path.name}")
            return path
        damaged.append((path, damage))
    if damaged:
        listed = ", ".join(f"{path.name} ({said})" for path, said in damaged)
        raise RunError(f"{folder}: no checkpoint is whole: {listed}; restore one of them, or start a new run")
    return None


def checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints in a folder, oldest first."""
    return [path for path in _step_folders(folder) if (path / CHECKSUMS).is_file()]


def _step_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if path.name[5:].isdecimal())


def step_of(checkpoint: Path) -> int:
    """Return the step of a checkpoint."""
    return int(checkpoint.name.removeprefix("step-"))


def load_state(checkpoint: Path) -> dict[str, Any]:
    """Return the `state` that `save_checkpoint` was given, with `step` and the optimizer's scalars."""
    return json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))


def _optimizer_state(
    optimizer: torch.optim.Optimizer,
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the tensors and the scalars in an optimizer's state, both by paths such as `3/exp_avg`."""
    flat = dict(_leaves("", optimizer.state_dict()["state"]))
    # Cloned, because 8-bit optimizers share tables between parameters and safetensors rejects that.
    tensors = {
        path: value.clone().contiguous() for path, value in flat.items() if isinstance(value, torch.Tensor)
    }
    scalars = {path: value for path, value in flat.items() if path not in tensors}
    return tensors, scalars


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) for every leaf of nested mappings."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, inner in value.items():
        yield from _leaves(f"{path}/{key}" if path else str(key), inner)


def restore_optimizer(optimizer: torch.optim.Optimizer, checkpoint: Path) -> None:
    """Load the state of a checkpoint into an optimizer, which keeps its own settings."""
    saved: dict[str, Any] = {**load_file(checkpoint / "optimizer.safetensors")}
    saved |= load_state(checkpoint).get("optimizer", {})
    by_parameter: dict[int, dict[str, Any]] = {}
    for path, value in saved.items():
        index, *outer, last = path.split("/")
        mapping = by_parameter.setdefault(int(index), {})
        for key in outer:
            mapping = mapping.setdefault(key, {})
        mapping[last] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": by_parameter})
