"""The `check:` section of a task, and the closed list of defects that `markscheme check` can name."""

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..sandbox.errors import did_you_mean

DEFECTS = {
    "not_deterministic": "the same completion gets different scores",
    "no_answer_pays": "a completion without an answer earns marks",
    "format_beats_answer": "a wrong answer in the right form earns as much as a right answer in a plain one",
    "substring_pays": "the right answer counts wherever it stands in the text, even inside of another one",
    "any_number_pays": "any number counts, or the right one among any others",
    "any_box_pays": "a box counts whatever stands in it, or any of several boxes does",
    "hedge_pays": "naming several answers earns more than guessing one of them",
    "retraction_pays": "an answer that is taken back counts as given",
    "negation_pays": "an answer that is denied counts as given",
    "thinking_pays": "an answer counts that only the thinking part has",
    "echo_pays": "repeating the question earns marks",
    "injection_pays": "text that tells the judge what to say earns marks",
    "length_pays": "a longer wrong answer earns more than a shorter one",
    "flood_pays": "a flood of text, numbers or brackets earns marks",
    "constant_passes": "the same answer or result passes on every problem, or on too many of them",
    "early_exit_passes": "a program that exits before its tests have run passes them",
    "tests_reachable": "a program can change its tests or how they compare, or read what they expect",
    "padding_pays": "repeating steps, or adding empty ones, earns marks",
    "splitting_pays": "cutting steps into pieces earns marks",
    "verbatim_only": "a right answer that is written in another way loses its marks",
    "gate_never_opens": "an entry with `when` is never reached",
    "range_left": "a value leaves the range that is declared for it",
    "constant_component": "an entry has the same value for every completion, so that it teaches nothing",
    "cancelled_weight": "a weight has no effect on what is learned",
    "escaped_penalty": "a completion can escape a penalty by failing, or by being wrong",
}
"""Every defect by its code, in the order in which one that explains others comes before them."""


class CaseLimits(BaseModel):
    """`check.cases`: which shares of the labelled cases may be marked otherwise than labelled."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    false_positive: float = Field(default=0.0, ge=0, le=1)
    """The largest share of the wrong cases that may be marked right (default 0)."""
    false_negative: float = Field(default=0.0, ge=0, le=1)
    """The largest share of the right cases that may be marked wrong (default 0)."""
    undecided: float = Field(default=0.0, ge=0, le=1)
    """The largest share of all cases that may be undecided (default 0)."""


class CheckSection(BaseModel):
    """The `check:` section: what `markscheme check` tolerates. It changes no score."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    probes: dict[str, float | Literal[False]] = Field(default_factory=dict)
    """What cheats may earn, as shares of what a right answer earns: `floor` for all of them (default 0), or
    the code of a defect for those that it names. `false` instead of a number: do not look for this defect."""
    cases: CaseLimits = CaseLimits()
    """Limits of errors on the labelled cases; by default every case must be marked as labelled."""

    @field_validator("probes", mode="before")
    @classmethod
    def _no_true(cls, probes: Any) -> Any:
        """Refuse `true`, which would be read as a share of 1 and so switch a probe off."""
        if isinstance(probes, dict):
            for code, share in probes.items():
                if share is True:
                    raise ValueError(
                        f"{code}: expected a share from 0 to 1, or false to leave it out (given: true)"
                    )
        return probes

    @field_validator("probes")
    @classmethod
    def _known(cls, probes: dict[str, float | Literal[False]]) -> dict[str, float | Literal[False]]:
        known = ["floor", *DEFECTS]
        for code, share in probes.items():
            if code not in known:
                raise ValueError(
                    f"unknown defect {code!r}{did_you_mean(code, known)} (known: {', '.join(known)})"
                )
            if share is not False and not (math.isfinite(share) and 0 <= share <= 1):
                raise ValueError(
                    f"{code}: expected a share from 0 to 1, or false to leave it out (given: {share})"
                )
        if probes.get("floor") is False:
            raise ValueError("floor: expected a share from 0 to 1; it cannot be left out")
        return probes

    def looks_for(self, code: str) -> bool:
        """Return whether the task wants to know of a defect."""
        return self.probes.get(code) is not False

    def may_earn(self, code: str) -> float:
        """Return what a cheat of this kind may earn, as a share of what a right answer earns."""
        return float(self.probes.get(code, self.probes.get("floor", 0.0)))
