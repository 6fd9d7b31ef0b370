"""Rows of RewardBench, RewardBench 2, ProcessBench, PRM800K and Math-Shepherd, read as they are.

Each becomes one or more completion rows with the columns `label` (whether the completion is right), and for
benchmarks of steps `step_labels`, beside the columns that it has.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from .labelled_steps import labelled

Row = Mapping[str, Any]


def expanded(row: Row, place: str) -> list[Row]:
    """Return the completion rows that a row of a known benchmark means; any other row is returned as it is.

    The completions of one row of RewardBench are a group. Steps are joined by line breaks: by two for
    ProcessBench, as its authors split them, and by one for the others; the task's `split` must fit.

    Raises:
        DataError: a row of PRM800K or Math-Shepherd deviates from its format.
    """
    if "completion" in row:
        return [row]
    if "chosen" in row and "rejected" in row:
        return list(_preferences(row, place))
    if isinstance(row.get("steps"), list) and "final_answer_correct" in row:
        text = "\n\n".join(map(str, row["steps"]))
        right, first_wrong = bool(row["final_answer_correct"]), row.get("label")
        return [{**row, "completion": text, "label": right, "step_labels": first_wrong}]
    has_labelled_steps = {"prompt", "completions", "labels"} <= set(row) or (
        "label" in row and (isinstance(row.get("question"), Mapping) or isinstance(row.get("input"), str))
    )
    return [_steps(row)] if has_labelled_steps else [row]


def _preferences(row: Row, place: str) -> Iterator[Row]:
    """Yield the chosen and the rejected completions of a row of RewardBench (1: one of each; 2: lists)."""
    group = int(place.rpartition(":")[2])
    sample = 0
    for column, label in (("chosen", True), ("rejected", False)):
        texts = row[column]
        if not isinstance(texts, list) or (texts and isinstance(texts[0], Mapping)):
            texts = [texts]  # one text, or one conversation
        for text in texts:
            sample += 1
            yield {**row, "completion": text, "label": label, "group": group, "sample": sample}


def _steps(row: Row) -> Row:
    found = labelled(row)
    question = row.get("question")
    reference = question.get("ground_truth_answer") if isinstance(question, Mapping) else None
    labels = [None if label is None else label >= 0.5 for label in found.labels]
    return {
        **row,
        "prompt": found.prompt,
        "question": found.prompt,
        "reference": row.get("reference", reference),
        "completion": "\n".join(found.steps),
        "label": None,
        "step_labels": labels,
    }
