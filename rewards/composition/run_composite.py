"""Running one entry's node: a component, or cascade, any_of and ensemble over members."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...tasks.problem import Completion, Problem
from ..score import Part, Status
from .combine import ensemble
from .entries import Composite, Node
from .run_component import Term, apply_policy, run_column

Column = list[Part]


def run_node(
    node: Node,
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    columns: Mapping[str, Column],
    weight: float,
) -> Column:
    """Return one part a completion; `columns` holds the entries that members may name."""
    if isinstance(node, Term):
        return run_column(node, problems, completions, weight)
    if node.how == "cascade":
        parts = _cascade(node, problems, completions, columns, weight)
    else:
        ran = [_member(m, problems, completions, columns, weight) for m in node.members]
        join = _any_of if node.how == "any_of" else _ensemble
        parts = [join(node, list(row), weight) for row in zip(*ran, strict=True)]
    for part in parts:
        if str(part.status) in node.on_failure:
            apply_policy(part, node.on_failure, node.bounds, node.where)
    for part in parts if node.clip is not None else ():
        if part.value is not None and node.clip is not None:
            part.value = min(max(part.value, node.clip[0]), node.clip[1])
    return parts


def _member(
    member: Node | str,
    problems: Any,
    completions: Any,
    columns: Mapping[str, Column],
    weight: float,
) -> Column:
    if isinstance(member, str):
        return columns[member]
    return run_node(member, problems, completions, columns, weight)


def _name(member: Node | str) -> str:
    return member if isinstance(member, str) else member.name


def _copy(part: Part, weight: float, **detail: Any) -> Part:
    return Part(
        part.value,
        weight,
        part.status,
        part.reason,
        part.seconds,
        {**(part.detail or {}), **detail},
        part.verdict,
        part.steps,
    )


def _cascade(
    node: Composite,
    problems: Sequence[Problem],
    completions: Sequence[Completion],
    columns: Mapping[str, Column],
    weight: float,
) -> Column:
    """Ask members in order, cheap ones first; the first that can tell decides.

    Only "could not be judged" falls through; a bug stays one.
    """
    decided: list[Part | None] = [None] * len(completions)
    left = list(range(len(completions)))
    for member in node.members:
        if not left:
            break
        narrowed = {name: [column[i] for i in left] for name, column in columns.items()}
        some = [problems[i] for i in left], [completions[i] for i in left]
        still = []
        for i, part in zip(left, _member(member, *some, narrowed, weight), strict=True):
            decided[i] = _copy(part, weight, decided_by=_name(member))
            if (
                part.status in (Status.ABSTAIN, Status.INFRA_ERROR, Status.NOT_APPLICABLE)
                and part.value is None
            ):
                still.append(i)
        left = still
    return [part for part in decided if part is not None]


def _any_of(node: Composite, parts: list[Part], weight: float) -> Part:
    """Return the best member; an unknown one hides it unless the best is the highest possible."""
    known = [(part.value, -i) for i, part in enumerate(parts) if part.value is not None]
    best = -max(known)[1] if known else None
    unknown = next(
        (part for part in parts if part.value is None and part.status is not Status.NOT_APPLICABLE),
        None,
    )
    if best is not None and (unknown is None or parts[best].value >= node.bounds[1]):  # pyright: ignore[reportOptionalOperand]
        return _copy(parts[best], weight, decided_by=_name(node.members[best]))
    return _copy(unknown or parts[0], weight)


def _ensemble(node: Composite, parts: list[Part], weight: float) -> Part:
    values = {_name(m): part.value for m, part in zip(node.members, parts, strict=True)}
    value = ensemble([p.value for p in parts if p.status is not Status.NOT_APPLICABLE], node.reduce)
    seconds = sum(part.seconds for part in parts)
    if value is None:
        unknown = next(
            (p for p in parts if p.value is None and p.status is not Status.NOT_APPLICABLE),
            parts[0],
        )
        return _copy(unknown, weight, members=values)
    return Part(value, weight, Status.OK, "", seconds, {"members": values})
