"""The model card (README.md) of a run's final model: what it learned from, and how it was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ... import __version__
from ..config.run_config import RunConfig
from ..loop.rollout import LoadedTask
from ..models.built_in.by_name import NAMES

ALGORITHM = (
    "preset",
    "mode",
    "group_size",
    "groups_per_step",
    "inner_updates",
    "minibatches",
    "lr",
    "kl_coef",
)
"""The settings of `algorithm:` that a card shows."""


def model_card(
    config: RunConfig,
    tasks: Sequence[LoadedTask],
    summary: Mapping[str, Any],
    evaluations: Sequence[Mapping[str, Any]],
) -> str:
    """Return the text of the card, in the form that model hubs read.

    Args:
        config: the run's.
        tasks: the training tasks.
        summary: the content of summary.json.
        evaluations: the rows of eval.jsonl.
    """
    metadata: dict[str, Any] = {"library_name": "transformers", "tags": ["grpo", "markscheme"]}
    if config.policy.model not in NAMES:
        metadata["base_model"] = config.policy.model
    algorithm = ", ".join(f"{key} {getattr(config.algorithm, key)}" for key in ALGORITHM)
    lines = [
        "---",
        yaml.safe_dump(metadata, sort_keys=False).strip(),
        "---",
        f"# {config.policy.model} trained on {config.name}",
        "",
        f"Trained for {summary['steps']} steps of GRPO with markscheme {__version__}, seed"
        f" {config.seed}, in {summary['train_seconds']:.0f} seconds.",
        "",
        f"Algorithm: {algorithm}. Sampling: temperature {config.sampling.temperature}, at most"
        f" {config.sampling.max_new_tokens} tokens.",
        "",
        "## What earned reward",
        "",
        "| task | version | problems | entry | component | weight |",
        "|---|---|---|---|---|---|",
        *(line for loaded in tasks for line in _entries(loaded)),
        "",
        "## Held-out measures",
        "",
        "| task | split | step | greedy pass@1 | 95 % interval | sampled pass@1 |",
        "|---|---|---|---|---|---|",
        *map(_measure, evaluations),
        "",
        "## Alarms",
        "",
        *_alarms(summary["alarm_kinds"]),
    ]
    return "\n".join(lines) + "\n"


def _entries(loaded: LoadedTask) -> list[str]:
    task = loaded.task
    return [
        f"| {task.name} ({task.hash[:12]}) | {task.version} | {len(loaded.problems)} | {name} | {entry.use} |"
        f" {entry.weight} |"
        for name, entry in task.rewards.items()
    ]


def _measure(row: Mapping[str, Any]) -> str:
    low, high = row["pass_at_1_interval"]
    cells = [row["task"], row["split"], row["step"], f"{row['pass_at_1']:.3f}"]
    cells += [f"{low:.3f} to {high:.3f}", f"{row['sampled_pass_at_1']:.3f}"]
    return f"| {' | '.join(map(str, cells))} |"


def _alarms(kinds: Mapping[str, int]) -> list[str]:
    if not kinds:
        return ["None was raised."]
    return [f"- {kind}: {count} time(s)" for kind, count in kinds.items()]
