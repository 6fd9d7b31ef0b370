"""Preference pairs from scored groups: completions that are verified as right over wrong ones."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from ...rewards.rows.preferences import Preference
from ...rewards.rows.read_scores import ReadRow
from ...rewards.rows.scores import ScoreRow
from ...rewards.score import Status
from ...sandbox.errors import DataError
from ...tasks.problem import Prompt
from ..loop.rollout import Group, LoadedTask
from .held_out import is_held_out


@dataclass(frozen=True)
class PairOptions:
    """How pairs are made of a group of completions."""

    by: Literal["right", "value"] = "right"
    """What makes a completion the better one: being right where the other is wrong; or a higher total, which
    ranks a whole group (four different totals give six pairs)."""
    per_problem: int | None = 8
    """The most pairs of a group, chosen at random; None = all."""
    ties: int = 0
    """The most pairs of two completions that are equally good, written in both orders, so that the model
    learns to give them the same score."""
    margin: float = 0.0
    """The margin of a pair: this times the difference of the totals, or of right and wrong."""
    unanswered: bool = False
    """Whether a completion without an answer counts as wrong; by default it is left out, because what was
    not found may be there."""
    held_out: float = 0.1
    """Share of the prompts whose pairs are marked as held out."""
    seed: int = 0
    """Of the choice where there are more pairs than wanted."""


@dataclass(frozen=True)
class Judged:
    """A completion with what was judged of it."""

    text: str
    worth: float | None
    """1 for right and 0 for wrong, or its total; None if it was not decided or its scoring failed."""
    tokens: int | None = None
    policy: int | None = None


def judged_row(row: ScoreRow, options: PairOptions) -> Judged:
    """Return what a score row says of its completion."""
    part = next((part for part in _judging(row) if part.get("verdict")), {"status": row.status})
    worth = row.value if options.by == "value" else row.right
    if not _is_usable(str(part["status"]), options):
        worth = None
    return Judged(
        row.prefill + row.completion, None if worth is None else float(worth), row.tokens, row.policy_version
    )


def _judging(row: ScoreRow) -> Iterator[dict[str, Any]]:
    """Yield a row's parts, the one that says whether the completion is right first."""
    if "correct" in row.parts:
        yield row.parts["correct"]
    yield from row.parts.values()


def _is_usable(status: str, options: PairOptions) -> bool:
    return status == Status.OK or (options.unanswered and status == Status.NO_ANSWER)


def judged_group(group: Group, loaded: LoadedTask, options: PairOptions) -> list[Judged]:
    """Return what was judged of the completions of a group, with their rightness as worth."""
    judged = []
    for completion, score in zip(group.completions, group.scores, strict=True):
        right = loaded.scheme.is_right(score)
        name = loaded.scheme.accuracy_entry
        status = str(score.status if name is None else score.parts[name].status)
        text = completion.prefill + completion.text
        worth = None if right is None or not _is_usable(status, options) else float(right)
        judged.append(Judged(text, worth, len(completion.token_ids), completion.weight_version))
    return judged


def pairs_of_rows(rows: Iterable[ReadRow], options: PairOptions) -> Iterator[list[Preference]]:
    """Yield the pairs of each group of score rows: the completions of a prompt, in training those of a step.

    Raises:
        DataError: the rows have no prompts.
    """
    groups: dict[str, list[ReadRow]] = {}
    for read in rows:
        groups.setdefault(_group_of(read.row), []).append(read)
    for group in groups.values():
        first = group[0].row
        if first.prompt is None:
            raise DataError(
                f"{group[0].place}: the row has no prompt (it was written with --no-texts, or by an older"
                " version), and a pair needs one; score the completions again"
            )
        prompt: Prompt = tuple(first.prompt) if isinstance(first.prompt, list) else first.prompt
        yield pairs_of([judged_row(read.row, options) for read in group], prompt, first.problem, options)


def _group_of(row: ScoreRow) -> str:
    return json.dumps([row.task, row.step, row.problem, row.prompt])


def pairs_of(
    group: Sequence[Judged],
    prompt: Prompt,
    problem: str,
    options: PairOptions,
    *,
    iteration: int | None = None,
) -> list[Preference]:
    """Return the pairs of one group of completions.

    A text that several completions have counts once; one that was judged in different ways does not count.

    Args:
        group: completions of one prompt.
        prompt: text or chat messages.
        problem: the problem's id.
        options: how pairs are made.
        iteration: of the run that the group comes from.
    """
    by_text: dict[str, Judged] = {}
    disputed: set[str] = set()
    for one in group:
        if one.worth is not None and by_text.setdefault(one.text, one).worth != one.worth:
            disputed.add(one.text)
    known = [one for text, one in by_text.items() if text not in disputed and text]
    better = [(a, b) for a in known for b in known if (a.worth or 0) > (b.worth or 0)]
    equal = [(a, b) for i, a in enumerate(known) for b in known[:i] if a.worth == b.worth]
    rng = Random(f"pairs/{options.seed}/{iteration}/{problem}")
    chosen = rng.sample(better, min(len(better), options.per_problem or len(better)))
    ties = rng.sample(equal, min(len(equal), options.ties))
    split = "held" if is_held_out(prompt, options.held_out) else "train"
    return [
        Preference(
            prompt=prompt,
            chosen=a.text,
            rejected=b.text,
            margin=options.margin * ((a.worth or 0) - (b.worth or 0)),
            problem=problem,
            split=split,
            iteration=iteration,
            policy=a.policy,
            tokens=(a.tokens, b.tokens),
            tie=a.worth == b.worth,
        )
        for a, b in [*chosen, *ties, *((b, a) for a, b in ties)]
    ]


def longer(pair: Preference) -> int:
    """Return 1 if the better completion is the longer one, -1 if it is the shorter one, else 0."""
    lengths = [len(pair.chosen), len(pair.rejected)]
    if pair.tokens is not None and None not in pair.tokens:
        lengths = [count or 0 for count in pair.tokens]
    return (lengths[0] > lengths[1]) - (lengths[0] < lengths[1])


def length_balanced(pairs: Sequence[Preference], seed: int) -> list[Preference]:
    """Return as many pairs with a longer better completion as with a shorter one, chosen at random.

    A model that has learned from them cannot tell the better one by its length alone.
    """
    places = {sign: [i for i, pair in enumerate(pairs) if longer(pair) == sign] for sign in (-1, 0, 1)}
    most = min(len(places[-1]), len(places[1]))
    rng = Random(f"length/{seed}")
    kept = {*places[0], *rng.sample(places[-1], most), *rng.sample(places[1], most)}
    return [pair for i, pair in enumerate(pairs) if i in kept]
