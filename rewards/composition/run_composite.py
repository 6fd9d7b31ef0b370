"""Running an entry, whatever it is: one component, or a cascade, any_of or ensemble of members."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..score import Part, Status
from .combine import ensemble
from .entries import Bounds, Composite, Entry, Rows
from .run_component import apply_policy, run_component

_CANNOT_TELL = (Status.ABSTAIN, Status.INFRA_ERROR, Status.NOT_APPLICABLE)


def run_entry(entry: Entry, rows: Rows) -> list[Part]:
    """Return one part per completion; weights are set by the scheme."""
    composite = entry.component
    if not isinstance(composite, Composite):
        return run_component(entry, rows)
    if composite.how == "cascade":
        parts = _cascade(composite, rows)
    else:
        of_members = [_run_member(member, rows) for member in composite.members]
        together = zip(*of_members, strict=True)
        if composite.how == "any_of":
            parts = [_any_of(composite, row, entry.bounds) for row in together]
        else:
            parts = [_ensemble(composite, row) for row in together]
    for part in parts:
        if part.status.value in entry.declared.on_failure:
            apply_policy(part, entry)
        entry.clipped(part)
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
    """Ask members in order, cheap ones first; the first that can tell decides.

    Only "could not be judged" falls through to the next member; a bug stays a bug.
    """
    decided: list[Part] = [Part(None)] * len(rows.completions)
    left = list(range(len(decided)))
    for member in composite.members:
        if not left:
            break
        still = []
        for i, part in zip(left, _run_member(member, rows.only(left)), strict=True):
            decided[i] = _copy(part, decided_by=_name(member))
            if part.value is None and part.status in _CANNOT_TELL:
                still.append(i)
        left = still
    return decided


def _any_of(composite: Composite, parts: Sequence[Part], bounds: Bounds) -> Part:
    """Return the best member's part.

    A member that could not be judged might be the best one, so its unknown value stands, unless a
    known value is already the highest possible.
    """
    known = [(part.value, -i) for i, part in enumerate(parts) if part.value is not None]
    unknown = _first_unknown(parts)
    if known:
        value, negative_place = max(known)
        if unknown is None or value >= bounds[1]:
            best = -negative_place
            return _copy(parts[best], decided_by=_name(composite.members[best]))
    return _copy(unknown or parts[0])


def _ensemble(composite: Composite, parts: Sequence[Part]) -> Part:
    values = {_name(m): part.value for m, part in zip(composite.members, parts, strict=True)}
    applying = [part.value for part in parts if part.status is not Status.NOT_APPLICABLE]
    value = ensemble(applying, composite.reduce)
    if value is None:
        return _copy(_first_unknown(parts) or parts[0], members=values)
    return Part(value, seconds=sum(part.seconds for part in parts), detail={"members": values})


def _first_unknown(parts: Sequence[Part]) -> Part | None:
    """Return the first part that could not be judged; one that does not apply is not unknown."""
    unknown = (part for part in parts if part.value is None and part.status is not Status.NOT_APPLICABLE)
    return next(unknown, None)
