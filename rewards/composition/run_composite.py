"""Running any entry: one with a component, or a cascade, any_of or ensemble of members."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from ..score import Part, Status
from .combine import ensemble
from .entries import Bounds, Composite, Entry, Rows
from .run_component import run_component, set_worth_of_failure

_UNDECIDED = (Status.ABSTAIN, Status.INFRA_ERROR, Status.NOT_APPLICABLE)
"""Statuses with which a member of a cascade leaves the decision to the next one."""


def run_entry(entry: Entry, rows: Rows) -> list[Part]:
    """Return one part per completion, without its weight, which `MarkScheme` sets."""
    composite = entry.component
    if not isinstance(composite, Composite):
        return run_component(entry, rows)
    if composite.how == "cascade":
        parts = _cascade(composite, rows)
    else:
        per_member = [_run_member(member, rows) for member in composite.members]
        per_completion = zip(*per_member, strict=True)
        if composite.how == "any_of":
            parts = [_any_of(composite, row, entry.bounds) for row in per_completion]
        else:
            parts = [_ensemble(composite, row) for row in per_completion]
    for part in parts:
        if part.status.value in entry.declared.on_failure:
            set_worth_of_failure(part, entry)
        entry.clip(part)
    return parts


def _run_member(member: Entry | str, rows: Rows) -> Sequence[Part]:
    """Run a member, or reuse the parts of the entry that it names."""
    return rows.parts[member] if isinstance(member, str) else run_entry(member, rows)


def _name(member: Entry | str) -> str:
    return member if isinstance(member, str) else member.name


def _copy(part: Part, **detail: Any) -> Part:
    """Copy a member's part, which may be another entry's own."""
    return dataclasses.replace(part, detail={**(part.detail or {}), **detail})


def _cascade(composite: Composite, rows: Rows) -> list[Part]:
    """Return the part of the first member that can judge each completion.

    A completion goes on to the next member only if it could not be judged; a bug does not.
    """
    decided: list[Part] = [Part(None)] * len(rows.completions)
    undecided = list(range(len(decided)))
    for member in composite.members:
        if not undecided:
            break
        left = []
        for i, part in zip(undecided, _run_member(member, rows.only(undecided)), strict=True):
            decided[i] = _copy(part, decided_by=_name(member))
            if part.value is None and part.status in _UNDECIDED:
                left.append(i)
        undecided = left
    return decided


def _any_of(composite: Composite, parts: Sequence[Part], bounds: Bounds) -> Part:
    """Return the part of the best member.

    A member that could not be judged might be the best one, so the result is unknown too, unless a known
    value is already the highest possible.
    """
    # With -i, the first of several best members is the largest.
    known = [(part.value, -i) for i, part in enumerate(parts) if part.value is not None]
    unknown = _first_unknown(parts)
    if known:
        value, negative_place = max(known)
        if unknown is None or value >= bounds[1]:
            best = -negative_place
            return _copy(parts[best], decided_by=_name(composite.members[best]))
    return _copy(unknown or parts[0])


def _ensemble(composite: Composite, parts: Sequence[Part]) -> Part:
    """Return a part with the members' combined value; if one could not be judged, the part of that member.

    Members that do not apply are left out, except for penalties (values of at most 0), which count as their
    best value: if they were left out of a mean, the others would take their weight.
    """
    values = {_name(member): part.value for member, part in zip(composite.members, parts, strict=True)}
    counted: list[float | None] = []
    some_apply = False
    for part, (_, best) in zip(parts, composite.member_bounds, strict=True):
        if part.status is not Status.NOT_APPLICABLE:
            some_apply = True
            counted.append(part.value)
        elif best <= 0:
            counted.append(best)
    value = ensemble(counted, composite.reduce, composite.k) if some_apply else None
    if value is None:
        return _copy(_first_unknown(parts) or parts[0], members=values)
    if not math.isfinite(value):
        reason = f"the {composite.reduce} of its members is {value}: their values are too large"
        return Part(None, status=Status.BUG, reason=reason, detail={"members": values})
    return Part(value, seconds=sum(part.seconds for part in parts), detail={"members": values})


def _first_unknown(parts: Sequence[Part]) -> Part | None:
    """Return the first part that could not be judged; one that does not apply does not count as such."""
    unknown = (part for part in parts if part.value is None and part.status is not Status.NOT_APPLICABLE)
    return next(unknown, None)
