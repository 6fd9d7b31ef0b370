"""Explaining a score in a line, part by part."""

from ..score import Part, Score, failure_line


def explained(score: Score) -> str:
    """Return the reason of each part of a score, such as `correct: different, format: passed`."""
    return ", ".join(
        f"{name}: {failure_line(part) or part.status}{_first_failing_case(part)}"
        for name, part in score.parts.items()
    )


def _first_failing_case(part: Part) -> str:
    """Return the first case that a program failed, with its message; empty if it failed none."""
    failed = part.verdict.evidence.get("first_failed") if part.verdict is not None else None
    return f" (case {failed['case'] + 1}: {failed['said'].strip()[-200:]})" if failed else ""
