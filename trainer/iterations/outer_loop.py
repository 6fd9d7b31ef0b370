"""The outer loop of iterated GRPO: lines 2, 3 and 12 of DeepSeekMath's Algorithm 1 (arXiv 2402.03300).

    2   for iteration = 1, ..., I
    3       the reference becomes the policy                              OuterLoop._refresh
    4       for step = 1, ..., M                                          lines 4 to 11: loop/grpo.py
    12      update the reward model by continuous training with replay    OuterLoop._update

Beside the paper's lines, the policy answers held-out prompts at the end of every iteration. If it has become
worse by verified answers while the model's score did not fall, policy, optimizer and reward model go back to
the best point, and the reward model is updated there.

Everything random has a stream of its own, named by the iteration, and everything that is kept between
iterations is in `state()`. So a run that is killed anywhere repeats the end of an iteration exactly.
"""

import copy
import shutil
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from ...rewards.composition.entries import Entry
from ...rewards.models.loaded import forget
from ...rewards.models.torch_runtime import quiet
from ...sandbox.errors import TaskError
from ..loop.checkpoint import require_whole, save_model, write_whole
from ..loop.grpo import Step
from ..loop.rollout import Group, LoadedTask, scored_groups
from ..reward_models.replay_buffer import ReplayBuffer
from .guard import Decline, decline
from .held_out import HeldOut, mean_worth, measured_groups
from .model_update import probes_of, update_model, use_model
from .new_rows import RowMaker, read_history
from .parts import BUFFER, MODELS, Parts, reference_folder


class OuterLoop:
    """Ends the iterations of a run.

    Args:
        parts: of the run.
        state: what `state()` returned at a checkpoint; None for a new run.
    """

    def __init__(self, parts: Parts, state: Mapping[str, Any] | None = None):
        self.parts = parts
        self.settings = parts.config.reward_model
        self.iteration = 1
        """The number of the iteration in progress."""
        self.reference_step = 0
        """The step after which the reference was the policy."""
        self.model: str | None = None
        """The folder of the reward model's newest accepted update, relative to the run's; None = none yet."""
        self.best: HeldOut | None = None
        self.best_model: str | None = None
        """The reward model at the best point."""
        self.buffer: ReplayBuffer | None = None
        if self.settings is not None:
            self._declared = str(self.entry.parameters["model"])
            self._users = [loaded for loaded in parts.tasks if self._uses_the_model(loaded)]
            self._maker = RowMaker(
                parts.config, self.entry, parts.held_out, parts.engine, parts.learner.policy
            )
            self.buffer = ReplayBuffer(parts.folder / BUFFER, self.settings.max_rows)
        if state is not None:
            self._restore_state(state)

    def _restore_state(self, state: Mapping[str, Any]) -> None:
        self.iteration, self.reference_step = state["iteration"], state["reference_step"]
        self.best_model = state["best_model"]
        self.best = HeldOut.of_state(state["best"]) if state["best"] else None
        if self.buffer is not None:
            self.buffer.rewind(state["buffer"])
        if state["model"] is not None:
            self._use(state["model"])

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, ready for JSON."""
        return {
            "iteration": self.iteration,
            "reference_step": self.reference_step,
            "model": self.model,
            "best": self.best.state() if self.best else None,
            "best_model": self.best_model,
            "buffer": self.buffer.sizes() if self.buffer is not None else {},
        }

    @property
    def entry(self) -> Entry:
        """The entry of the reward model that learns along."""
        assert self.settings is not None
        for loaded in self.parts.held_out.values():
            if self.settings.entry in loaded.scheme.entries:
                return loaded.scheme.entries[self.settings.entry]
        raise TaskError(f"reward_model.entry: no task has an entry {self.settings.entry!r}")

    def begin(self) -> None:
        """Before the first step: take in the history, and measure the policy that the run starts from."""
        if self.settings is None or self.best is not None:
            return
        assert self.buffer is not None
        self.buffer.append(0, read_history(self.settings, self.entry))
        groups = self._sampled(0)
        self.best = measured_groups(groups, self.parts.held_out, 0)
        self._add(groups, 0, "held")
        self.parts.log("iterations.jsonl", {"step": 0, "iteration": 0, **self._figures(self.best)})
        if self.settings.guard:
            self.parts.say(
                f"guard: the policy's answers to {len(groups)} held-out prompts, verified right"
                f" {self.best.mean:.3f}"
            )

    def after_step(self, step: Step) -> None:
        """Keep what the reward model can learn from a step, and end the iteration after its last one."""
        if self.settings is not None and self.settings.updates:
            self._add(step.groups, self.iteration, "train", seed=step.number)
        if step.number % self.parts.config.algorithm.steps == 0:
            self._end_iteration(step.number)

    def _end_iteration(self, step: int) -> None:
        if self.settings is not None:
            groups = self._sampled(step)
            now = measured_groups(groups, self.parts.held_out, step)
            at_best = self._guard(now, groups)
            self._add(groups, self.iteration, "held")
            self._update(now, groups)
            if at_best:  # the next time that the run goes back, the model knows what went wrong this time
                self.best_model = self.model
        self.iteration += 1
        self._refresh(step)

    def _sampled(self, step: int) -> list[Group]:
        """Return the scored answers of the policy to the held-out prompts."""
        parts, settings = self.parts, self.settings
        assert settings is not None
        chosen = [(name, i) for name, loaded in parts.held_out.items() for i in range(len(loaded.problems))]
        # The seed does not depend on the step, so that the measurements differ by the policy only.
        seed = Random(f"held out/{parts.config.seed}").getrandbits(62)
        groups, _ = scored_groups(
            parts.engine,
            parts.held_out,
            chosen,
            settings.n,
            parts.config.sampling,
            seed=seed,
            step=step or None,
        )
        return groups

    def _add(self, groups: list[Group], iteration: int, split: str, *, seed: int = 0) -> None:
        """Add what groups show to the buffer."""
        assert self.buffer is not None
        seed = Random(f"labels/{self.parts.config.seed}/{iteration}/{split}/{seed}").getrandbits(62)
        rows = self._maker.rows(groups, iteration=iteration, split=split, seed=seed)
        self.buffer.append(iteration, rows)

    def _guard(self, now: HeldOut, groups: list[Group]) -> bool:
        """Compare the policy with its best point, and go back there if it is over-optimised.

        Returns:
            Whether the policy is now that of the best point.
        """
        parts, settings, best = self.parts, self.settings, self.best
        assert settings is not None
        assert best is not None
        scores = [self._worth(groups, held.texts) for held in (now, best)]
        change = decline(now.accuracy, best.accuracy, *scores)
        rolled_back = settings.guard and change.over_optimised
        row = {"step": now.step, "iteration": self.iteration, **self._figures(now), "best_step": best.step}
        row |= {"change": change.accuracy, "error": change.error, "rolled_back": rolled_back}
        row |= {"score": scores[0], "score_of_best": scores[1]}
        parts.log("iterations.jsonl", row)
        if change.over_optimised or change.parted:
            self._alarm(now, change, groups)
        if rolled_back:
            parts.restore(best.step)
            parts.engine.sync(parts.learner.policy, now.step)
            self._use(self.best_model)
            parts.say(f"rolled back to step {best.step}: {change}")
        elif now.mean > best.mean:
            self.best, self.best_model = now, self.model
        return rolled_back or self.best is now

    def _worth(self, groups: list[Group], texts: tuple[tuple[str, ...], ...]) -> float:
        """Return the mean score of completions of the held-out prompts, by the model of now."""
        assert self.settings is not None
        total, start = 0.0, 0
        for loaded in self.parts.held_out.values():
            own = texts[start : start + len(loaded.problems)]
            start += len(loaded.problems)
            total += mean_worth(loaded.problems, own, loaded, self.settings.entry) * len(own)
        return total / len(groups)

    def _alarm(self, now: HeldOut, change: Decline, groups: list[Group]) -> None:
        kind = "over_optimised" if change.over_optimised else "score_parts_from_accuracy"
        task = "+".join(self.parts.held_out)
        self.parts.log(
            "alarms.jsonl", {"step": now.step, "kind": kind, "task": task, "message": str(change), "rows": []}
        )
        self.parts.say(f"ALARM {kind} at step {now.step} ({task}): {change}")

    def _update(self, now: HeldOut, groups: list[Group]) -> None:
        """Train the reward model on, and use the update if it is accepted."""
        assert self.settings is not None
        assert self.buffer is not None
        parts, entry = self.parts, self.entry
        name = f"{MODELS}/iteration-{self.iteration:04d}"
        with quiet():
            row = update_model(
                str(entry.parameters["model"]),
                parts.folder / name,
                entry,
                self.buffer,
                self.settings,
                probes_of(groups, parts.held_out, self.settings.entry),
                iteration=self.iteration,
                seed=parts.config.seed,
            )
        parts.log("reward_model.jsonl", {"step": now.step, **row, "unanimous_advantage": now.unanimous})
        if self.settings.updates:
            parts.say(f"reward model {'updated' if row['accepted'] else 'kept as it was'}: {row['why']}")
        if row["accepted"]:
            self._use(name)

    def _use(self, model: str | None) -> None:
        """Let every task use a reward model of this run; None = the one that the tasks name."""
        assert self.settings is not None
        if model == self.model:
            return
        source = self._declared
        if model is not None:
            source = str(require_whole(self.parts.folder / model).resolve())
        forget(str(self.entry.parameters["model"]))
        for loaded in self._users:
            use_model(loaded, self.settings.entry, source)
        self.model = model

    def _uses_the_model(self, loaded: LoadedTask) -> bool:
        """Return whether a task uses the model; an evaluation's may have another entry of the same name."""
        assert self.settings is not None
        entry, own = loaded.scheme.entries.get(self.settings.entry), self.entry
        return (
            entry is not None
            and entry.declared.use == own.declared.use
            and entry.parameters["model"] == self._declared
        )

    def _refresh(self, step: int) -> None:
        """Make the policy the reference of the next iteration."""
        parts = self.parts
        if not parts.config.algorithm.kl_coef or parts.config.algorithm.iterations == 1:
            return
        policy = parts.learner.policy
        self.reference_step = step
        write_whole(
            reference_folder(parts.folder, step),
            lambda path: save_model(path, policy.model, policy.tokenizer),
        )
        parts.learner.reference = copy.deepcopy(policy.model).requires_grad_(False)

    def prune(self, kept: Sequence[Mapping[str, Any]]) -> None:
        """Remove the references, models and rows that none of the kept checkpoints needs.

        Args:
            kept: what `state` returned for each of them.
        """
        folder = self.parts.folder
        references = {reference_folder(folder, state["reference_step"]) for state in kept}
        models = {folder / str(state[key]) for state in kept for key in ("model", "best_model")}
        for path in (*folder.glob("reference*"), *(folder / MODELS).glob("iteration-*")):
            if path.is_dir() and path not in references | models:
                shutil.rmtree(path)
        if self.buffer is not None:
            self.buffer.prune({int(number) for state in kept for number in state["buffer"]})

    @staticmethod
    def _figures(held: HeldOut) -> dict[str, Any]:
        return {"accuracy": held.mean, "prompts": len(held.accuracy), "unanimous_advantage": held.unanimous}
