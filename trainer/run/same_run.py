"""What must not change when a run is resumed: settings, tasks, data, models, tokenizer.

Marks and advantages before and after would not be comparable if the task had changed. The order of problems
and the ids of tokens would mean something else if the data or the tokenizer had.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...sandbox.errors import RunError
from ..config.run_config import RunConfig
from ..models.policy import Policy
from .load_tasks import RunTasks, TaskProblems

MAY_CHANGE = ("save", "eval", "engine", "trackers", "microbatch_tokens", "task_overrides", "out")
"""Keys of a run file that need not stay the same. `algorithm.steps` may change too, or, with several
iterations, `algorithm.iterations`. Of the tasks, `watch` and `on_failure` may change."""

SAMPLE = 2**20
"""Bytes at the start and at the end of a file by which it is recognised."""


def identity_of(config: RunConfig, tasks: RunTasks, policy: Policy) -> dict[str, Any]:
    """Return what must stay the same, for a checkpoint, ready for JSON."""
    return {
        "config": config.model_dump(mode="json"),
        "tasks": {
            problems.task.name: {"content": problems.task.training_content, "data": tasks.data[name]}
            for name, problems in tasks.trained.items()
        },
        "trained": {problems.task.name: _ids_of(problems) for problems in tasks.trained.values()},
        "models": {problems.task.name: _models_hash(problems) for problems in tasks.trained.values()},
        "tokenizer": _files_hash(Path(config.policy.model), "*token*", "vocab*", "merges*", "chat_template*"),
        # Weights that are not trained are not in the checkpoint, but in the folder that the policy came from.
        "frozen_weights": _frozen_hash(policy.model),
    }


def refuse_changed_settings(folder: Path, before: Mapping[str, Any], now: RunConfig) -> None:
    """Refuse to resume a run with other settings than a checkpoint was made with.

    Args:
        folder: the run's.
        before: the run's settings in the checkpoint.
        now: those of run.yaml and of the overrides.

    Raises:
        RunError: a setting that must stay the same has changed.
    """
    then = RunConfig.model_validate(before)
    changed = _changes(_fixed(then), _fixed(now))
    if changed:
        free = [*MAY_CHANGE[:5], *(f"algorithm.{key}" for key in _growing(then))]
        raise RunError(
            f"{folder}: these settings cannot change when a run is resumed: {', '.join(changed)}; give them"
            f" the values that they had (in run.yaml or by --set), or start a new run with the new ones. What"
            f" may change: {', '.join(free)}, and a task's watch and on_failure"
        )


def _growing(config: RunConfig) -> set[str]:
    """Return the key of `algorithm:` that makes a run longer, unless that would change its earlier steps."""
    if config.algorithm.model_rewards_last is not None:
        return set()  # a run that became longer would have paid for models in other steps
    return {"steps" if config.algorithm.iterations == 1 else "iterations"}


def _fixed(config: RunConfig) -> dict[str, Any]:
    exclude: dict[str, Any] = {**dict.fromkeys(MAY_CHANGE, True), "algorithm": _growing(config)}
    return config.model_dump(mode="json", exclude=exclude)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return which values of nested mappings differ, such as `algorithm.lr (was 1e-05, now 0.1)`."""
    fixed, wanted = _flat(before), _flat(now)
    return [
        f"{key} (was {fixed.get(key)!r:.80}, now {wanted.get(key)!r:.80})"
        for key in sorted({*fixed, *wanted})
        if fixed.get(key) != wanted.get(key)
    ]


def _flat(content: Any, place: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted keys."""
    if not isinstance(content, dict) or not content:
        return {place: content}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{place}.{key}" if place else str(key))
    return flat


def refuse_other_run(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Refuse to resume if tasks, data or tokenizer have changed; return notes on what may have changed.

    Args:
        folder: the run's.
        before: the identity in the checkpoint.
        now: that of the run as it would go on.

    Raises:
        RunError: something that must stay the same has changed.
    """
    advice = "undo that, or start a new run"
    for name, task in now["tasks"].items():
        old = before["tasks"].get(name, {"content": {"task": {}, "sources": {}}})
        was, is_now = old["content"], task["content"]
        changed = _changes(was["task"], is_now["task"]) + [
            f"the file {file}"
            for file in sorted({*was["sources"], *is_now["sources"]})
            if was["sources"].get(file) != is_now["sources"].get(file)
        ]
        if changed:
            raise RunError(
                f"{folder}: task {name!r} has changed since the run began: {', '.join(changed)}; scores"
                f" before and after would not be comparable: {advice}"
            )
        count, rows = old["data"]["problems"], task["data"]["problems"]
        if count != rows:
            raise RunError(
                f"{folder}: the data of task {name!r} had {count} problems and has {rows}: {advice}"
            )
        if old["data"] != task["data"]:
            raise RunError(
                f"{folder}: the data of task {name!r} has {rows} problems as before, but their content or"
                f" their order has changed: {advice}"
            )
        if before["models"][name] != now["models"][name]:
            raise RunError(
                f"{folder}: a model that rewards of task {name!r} ask has changed since the run began; scores"
                f" before and after would not be comparable: {advice}"
            )
    model, notes = before["config"]["policy"]["model"], []
    if before["frozen_weights"] != now["frozen_weights"]:
        raise RunError(f"{folder}: the weights that the adapter belongs to have changed in {model}: {advice}")
    if before["tokenizer"] != now["tokenizer"]:
        changed = f"the tokenizer or the chat template in {model} has changed"
        if now["config"]["policy"]["lora"] is not None:
            raise RunError(f"{folder}: {changed}: {advice}")
        notes.append(f"{changed}; the run goes on with its own copy, which is in its checkpoints")
    return notes + [
        f"the held-out problems have changed: of task {name!r}, {ids['problems']} problems are trained on and"
        f" were {before['trained'][name]['problems']}; they come in another order from here on"
        for name, ids in now["trained"].items()
        if ids != before["trained"].get(name)
    ]


def _ids_of(problems: TaskProblems) -> dict[str, Any]:
    """Return how many problems are trained on, and a hash of their ids."""
    digest = hashlib.sha256("".join(problem.id for problem in problems.problems).encode())
    return {"problems": len(problems.problems), "hash": digest.hexdigest()}


def _models_hash(problems: TaskProblems) -> str:
    """Return a hash of the models that a task's rewards ask, as far as they are in folders."""
    models = (entry.parameters.get("model") for entry in problems.scheme.entries.values())
    return "".join(_files_hash(Path(str(model)), "*") for model in models if model is not None)


def _files_hash(folder: Path, *patterns: str) -> str:
    """Return a hash of some files of a folder, of large ones their size and ends; of a hub id, of none."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in folder.expanduser().glob(pattern)}):
        if path.is_file():
            with path.open("rb") as file:
                digest.update(f"{path.name} {path.stat().st_size} ".encode() + file.read(SAMPLE))
                file.seek(max(0, path.stat().st_size - SAMPLE))
                digest.update(file.read())
    return digest.hexdigest()


def _frozen_hash(model: Any) -> str:
    """Return a hash of a sample of the weights that are not trained."""
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            sample = parameter.detach().flatten()[:: max(1, parameter.numel() // 64)].float().cpu()
            digest.update(name.encode() + sample.numpy().tobytes())
    return digest.hexdigest()
