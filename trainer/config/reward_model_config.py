"""The grammar of `reward_model:` in a run file: the reward model that is trained along with the policy."""

from typing import Any, Literal

from pydantic import Field, model_validator

from .algorithm_config import Section


class ReplayConfig(Section):
    """How much of the past an update of the reward model sees again.

    DeepSeekMath's "replay mechanism that incorporates 10% of historical data" can be read in two ways, which
    `unit` tells apart. `{unit: history, fraction: 1}` replays all of it, and `{fraction: 0}` none.
    """

    unit: Literal["batch", "history"] = "batch"
    """`batch`: this fraction of every batch is old. `history`: this fraction of all old data, drawn anew for
    each update, is mixed with the new data."""
    fraction: float = Field(default=0.1, ge=0, le=1)
    """From 0 to 1; with `unit: batch`, below 1."""

    @model_validator(mode="after")
    def _leaves_room(self) -> "ReplayConfig":
        if self.unit == "batch" and self.fraction == 1:
            raise ValueError(
                "a batch that is all old has nothing new to learn from; give a fraction below 1, or for all"
                " of the past {unit: history, fraction: 1}"
            )
        return self


class RewardModelConfig(Section):
    """A reward model that learns along: it is trained on the policy's own samples after each iteration.

    It is the model that an entry of the tasks names (`use: rm` or `use: prm`). Outcome models learn from
    pairs of completions that the task's verifiers call right and wrong, process models from labelled steps.
    """

    entry: str
    """The entry whose `model` it is: a name under the tasks' `rewards:`, or `process`."""
    updates: int = Field(default=80, ge=0)
    """Optimizer steps after each iteration. 0 = the model stays as it is, and only the guard is at work."""
    batch: int = Field(default=16, ge=1)
    """Prompts, with all of their pairs, of one optimizer step; for a process model, completions."""
    lr: float = Field(default=2e-5, gt=0, allow_inf_nan=False)
    """Learning rate; the default is that of DeepSeekMath's reward model (section 4.2)."""
    replay: ReplayConfig = ReplayConfig()
    """How much of the past an update sees again."""
    history: str | None = None
    """A file of earlier pairs (or labelled steps), such as those that the model was trained on."""
    labels: Literal["monte_carlo"] | dict[str, Any] = "monte_carlo"
    """For a process model, what labels the steps of the policy's samples: `monte_carlo` (whether any of `k`
    continuations reaches a right answer), or an entry that marks steps by a rule."""
    k: int = Field(default=4, ge=1)
    """Continuations of each step for `labels: monte_carlo`."""
    held_out: float = Field(default=0.1, gt=0, lt=1)
    """Share of the training prompts on which neither policy nor reward model is trained, chosen by a hash."""
    held_out_prompts: int = Field(default=120, ge=8)
    """Of these, at most so many are answered at the end of each iteration, for the guard and for the
    measurement of the reward model."""
    n: int = Field(default=8, ge=2)
    """Completions of each of them."""
    max_rows: int = Field(default=20_000, ge=1)
    """The most rows of the past that are replayed, and the most of an iteration that are learned from: the
    newest."""
    tolerance: float = Field(default=0.05, ge=0, le=1)
    """An update is rolled back if the accuracy on the frozen held-out rows falls by more: on those of the
    initial policy and of `history`."""
    guard: bool = True
    """Go back to the best point if the verified accuracy on the held-out prompts is more than two standard
    errors below the best, while the model's score did not fall."""

    @model_validator(mode="after")
    def _has_both(self) -> "RewardModelConfig":
        if self.replay.unit == "batch" and self.replay.fraction and self.batch < 2:
            raise ValueError(
                "replay {unit: batch} needs batches with a new and an old item, so a `batch` of 2 or more"
                f" (given: {self.batch})"
            )
        if isinstance(self.labels, dict) and "use" not in self.labels:
            raise ValueError(
                "labels: expected monte_carlo, or an entry that marks steps, such as {use: step_checker,"
                f" check: arithmetic}} (given: {self.labels})"
            )
        return self
