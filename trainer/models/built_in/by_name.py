"""From the name of a policy to the folder or hub id that it is loaded from."""

from pathlib import Path

from ....rewards.models.torch_runtime import quiet
from ....sandbox.errors import PolicyError, did_you_mean
from ....tasks.schema import Task
from ..notes import Note, ignored
from .smollm2 import smollm2_policy
from .tiny import WarmStartProgress, tiny_policy

NAMES = ("tiny", "smollm2")


def source_of_model(
    model: str,
    task: Task | None,
    seed: int,
    *,
    progress: WarmStartProgress | None = None,
    note: Note = ignored,
) -> str | Path:
    """Return the folder of a policy with one of `NAMES`, building or unpacking it; else `model` itself.

    Args:
        model: as a run file or the command line names it.
        task: the task that `tiny` is built for; the others need none.
        seed: of `tiny`.
        progress: called after each step of the warm start of `tiny`.
        note: called with one line before a policy is built, downloaded or converted.

    Raises:
        PolicyError: the name is misspelt, or the policy cannot be built or unpacked.
    """
    if model not in NAMES:
        near = did_you_mean(model, NAMES, cutoff=0.5)
        if near and "/" not in model and not Path(model).exists():
            # Looking a misspelt name up at the hub takes a minute where there is no connection.
            raise PolicyError(f"policy.model {model!r} is not known{near}")
        return model
    with quiet():
        if model == "smollm2":
            return smollm2_policy(note)
        assert task is not None
        return tiny_policy(task, seed, progress=progress, note=note)
