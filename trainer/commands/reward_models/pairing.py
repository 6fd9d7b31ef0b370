"""`markscheme pairs`: preference pairs from a file of scores or a run."""

import argparse
from pathlib import Path

from ....rewards.rows.preferences import Preference
from ....rewards.rows.read_scores import read_scores
from ....rewards.rows.scores import library_versions
from ....sandbox.errors import DataError
from ...reward_models.pairs import PairOptions, length_balanced, longer, pairs_of_rows
from ..output import GOOD, show
from ..row_output import BadRows, RowOutput


def pairs(args: argparse.Namespace) -> int:
    """Write the pairs of right and wrong completions of the same prompt."""
    options = PairOptions(
        by=args.by,
        per_problem=args.per_problem or None,
        ties=args.ties,
        margin=args.margin,
        unanswered=args.unanswered,
        held_out=args.held_out,
        seed=args.seed,
    )
    bad = BadRows()
    groups = list(
        pairs_of_rows(read_scores(Path(args.scores), on_bad=bad.add if args.skip_bad else None), options)
    )
    found = [pair for group in groups for pair in group]
    kept = length_balanced(found, args.seed) if args.balance_length else found
    if not kept:
        raise DataError(
            f"{args.scores}: no group has both a right and a wrong completion that were decided (of"
            f" {len(groups)} groups), so there are no pairs; sample more completions per problem, or other"
            " problems"
        )
    header = {"header": {"kind": "preferences", "options": vars(options), "libraries": library_versions()}}
    with RowOutput(args.output, header, resumable=False) as output:
        for pair in kept:
            output.write(pair.row())
    figures = {
        "groups": len(groups),
        "with_pairs": sum(map(bool, groups)),
        "pairs": len(kept),
        "held": sum(pair.split == "held" for pair in kept),
        "dropped_for_length": len(found) - len(kept),
        "chosen_longer": _share_longer(kept),
        "skipped": bad.count,
        "output": args.output,
    }
    line = (
        f"{figures['pairs']} pairs ({figures['held']} held out) of {figures['with_pairs']} of"
        f" {figures['groups']} groups; the better completion is the longer one in"
        f" {figures['chosen_longer']:.0%}; written to {args.output}"
    )
    show(args, figures, [line, *bad.lines()])
    return GOOD


def _share_longer(pairs: list[Preference]) -> float:
    return sum(longer(pair) > 0 for pair in pairs) / len(pairs)
