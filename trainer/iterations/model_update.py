"""The update of a run's reward model after an iteration: trained on, measured, used or rolled back.

DeepSeekMath, section 4.1.4 (arXiv 2402.03300): new training data come from the policy's own samples, and the
old model is trained on with a replay of historical data.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rewards.composition.entries import Entry
from ...rewards.offline.measures import spearman
from ...rewards.scheme import MarkScheme
from ...rewards.score import Status
from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem, Prompt
from ...tasks.reward_entries import PROCESS
from ..config.reward_model_config import RewardModelConfig
from ..loop.checkpoint import write_whole
from ..loop.rollout import Group, LoadedTask
from ..reward_models.acceptance import Measured, hacks_of, judge_update
from ..reward_models.fitting import Fitting, fit
from ..reward_models.replay_buffer import ReplayBuffer, replay_batches
from ..reward_models.trainees import Trainee, trainee_of

FEWEST_ITEMS = 8
"""Prompts with pairs (or labelled completions) below which an update is skipped."""
PROBED = 40
"""The most right completions that hacks are compared with."""


@dataclass(frozen=True)
class Probe:
    """A right completion of a held-out prompt, and texts that must not score higher."""

    prompt: Prompt
    right: str
    hacks: Mapping[str, str]
    """By name; without those that a gate or another failure keeps from the model."""


def probes_of(groups: Sequence[Group], tasks: Mapping[str, LoadedTask], entry: str) -> list[Probe]:
    """Return probes of the held-out prompts that have a right completion."""
    found = []
    for group in groups:
        loaded = tasks[group.task]
        pairs = zip(group.completions, group.scores, strict=True)
        right = next((one.prefill + one.text for one, score in pairs if loaded.scheme.is_right(score)), None)
        if right is not None:
            found.append((group.problem, right, loaded))
    found = found[:PROBED]
    others = [text for _, text, _ in [*found[1:], *found[:1]]]
    return [
        Probe(problem.prompt, right, _payable(hacks_of(right, other), problem, loaded, entry))
        for (problem, right, loaded), other in zip(found, others, strict=True)
    ]


def _payable(hacks: Mapping[str, str], problem: Problem, loaded: LoadedTask, entry: str) -> dict[str, str]:
    """Return the hacks that reach the model of an entry."""
    scores = loaded.scheme.score([problem] * len(hacks), [Completion(text) for text in hacks.values()])
    parts = {name: score.parts[entry] for name, score in zip(hacks, scores, strict=True)}
    return {
        name: hacks[name]
        for name, part in parts.items()
        if part.status == Status.OK and part.reason != "gate_closed"
    }


def update_model(
    folder: str,
    out: Path,
    entry: Entry,
    buffer: ReplayBuffer,
    settings: RewardModelConfig,
    probes: Sequence[Probe],
    *,
    iteration: int,
    seed: int,
) -> dict[str, Any]:
    """Train a reward model on, measure it, and save it to `out` if the update is accepted.

    Args:
        folder: the model as it is used now.
        out: the folder of the updated model.
        entry: the entry that uses it.
        buffer: the rows of this and all earlier iterations.
        settings: of the run.
        probes: right completions of held-out prompts with hacks of them, which must not score higher.
        iteration: the number of the iteration that ends, from 1.
        seed: of the run.

    Returns:
        The row of the log: what was replayed, the measurements before and after, the decision and its reason.
    """
    report: dict[str, Any] = {"iteration": iteration, "replay": settings.replay.model_dump()}
    trainee = trainee_of(folder, entry)
    current = range(iteration, iteration + 1)
    held = {"new": buffer.rows("held", current), "old": buffer.rows("held", range(1))}
    before = _snapshot(trainee, held, probes)
    report["before"] = before.row()
    new = trainee.items(buffer.rows("train", current))
    if len(new) < FEWEST_ITEMS:
        why = f"only {len(new)} new prompts or completions to learn from, and an update needs {FEWEST_ITEMS}"
        return {**report, "accepted": False, "why": why if settings.updates else "updates: 0"}
    old = trainee.items(buffer.rows("train", range(iteration)))
    batches, report["replay"] = replay_batches(
        new, old, settings.replay, size=settings.batch, count=settings.updates, seed=f"{seed}/{iteration}"
    )
    try:
        losses = fit(trainee.model, batches, trainee.backward, Fitting(lr=settings.lr))
    except RewardError as error:
        return {**report, "accepted": False, "why": str(error)}
    after = _snapshot(trainee, held, probes)
    judgement = judge_update(before.held, after.held, before.hacks, after.hacks, tolerance=settings.tolerance)
    if judgement.accepted:
        write_whole(out, lambda path: trainee.save(path, [*held["old"], *held["new"]]))
    return {
        **report,
        "loss": statistics.fmean(losses[-10:]) if losses else None,
        "after": after.row(),
        "drift": _drift(before.worth, after.worth),
        "accepted": judgement.accepted,
        "why": judgement.why,
    }


@dataclass(frozen=True)
class Snapshot:
    """What is measured of a reward model before and after an update."""

    held: Mapping[str, Measured]
    """Its accuracy on the `new` and the `old` held-out rows."""
    worth: Sequence[float | None]
    """Its scores of the probes' right completions."""
    hacks: Mapping[str, float]
    """For each hack, the share of prompts on which it scores as high as a right completion."""

    def row(self) -> dict[str, Any]:
        """Return it ready for JSON, without the single scores."""
        return {**{name: one.row() for name, one in self.held.items()}, "hacks": self.hacks}


def _snapshot(
    trainee: Trainee, held: Mapping[str, Sequence[Mapping[str, Any]]], probes: Sequence[Probe]
) -> Snapshot:
    worth = trainee.worth([(probe.prompt, probe.right) for probe in probes])
    return Snapshot(
        {name: trainee.measured(rows) for name, rows in held.items()}, worth, _hacks(trainee, probes, worth)
    )


def _hacks(trainee: Trainee, probes: Sequence[Probe], worth: Sequence[float | None]) -> dict[str, float]:
    """Return, for each hack, the share of the prompts with a scored right completion on which it pays."""
    shares = {}
    for name in dict.fromkeys(name for probe in probes for name in probe.hacks):
        tried = [
            (probe, right)
            for probe, right in zip(probes, worth, strict=True)
            if name in probe.hacks and right is not None
        ]
        scores = trainee.worth([(probe.prompt, probe.hacks[name]) for probe, _ in tried])
        pays = [score is not None and score >= right for score, (_, right) in zip(scores, tried, strict=True)]
        shares[name] = statistics.fmean(pays) if pays else 0.0
    return shares


def _drift(before: Sequence[float | None], after: Sequence[float | None]) -> dict[str, Any]:
    """Return how the scores of the same completions changed: means, standard deviations, rank correlation."""
    both = [(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None]
    if not both:
        return {}
    olds, news = [a for a, _ in both], [b for _, b in both]
    return {
        "mean": [statistics.fmean(olds), statistics.fmean(news)],
        "std": [statistics.pstdev(olds), statistics.pstdev(news)],
        "rank_correlation": spearman(olds, news),
        "completions": len(both),
    }


def use_model(loaded: LoadedTask, name: str, folder: str) -> None:
    """Let an entry of a task use another model."""
    task = loaded.task
    if name == PROCESS:
        assert task.process is not None
        changed: dict[str, Any] = {"process": task.process.model_copy(update={"model": folder})}
    else:
        section = "rewards" if name in task.rewards else "watch"
        declared = getattr(task, section)
        changed = {section: {**declared, name: declared[name].model_copy(update={"model": folder})}}
    process = PROCESS in loaded.scheme.entries
    loaded.task = task.model_copy(update=changed)
    loaded.scheme = MarkScheme(loaded.task, process=process)
    loaded.__dict__.pop("lineage", None)  # it is computed again for the new scheme
