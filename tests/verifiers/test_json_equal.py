"""`json_equal`: JSON with the values of the reference, and nothing else."""

import pytest

from markscheme.tasks import Completion, Problem
from markscheme.verifiers.json_equal import json_equal

REFERENCE = '{"a": 2, "b": [1, "x"], "c": null}'
RIGHT = [
    REFERENCE,
    '{"c":null,"b":[1,"x"],"a":2.0}',
    "<think>{}</think>\n```json\n" + REFERENCE + "\n```",
    '{"a": 2e0, "b": [1, "\\u0078"], "c": null}',
]
WRONG = [
    '{"a": "2", "b": [1, "x"], "c": null}',
    '{"a": 2, "b": ["x", 1], "c": null}',
    '{"a": 2, "b": [true, "x"], "c": null}',
    '{"a": 2, "b": [1, "x"]}',
    '{"a": 2, "b": [1, "x"], "c": null, "d": 1}',
    '{"a": 3, "a": 2, "b": [1, "x"], "c": null}',
    '{"a": 2, "b": [1, "x"], "c": NaN}',
    f"[{REFERENCE}]",
    f"<think>{REFERENCE}</think>",
    f"{REFERENCE} or {REFERENCE}",
    "",
    "[" * 100_000,
]


@pytest.mark.parametrize(("text", "right"), [(one, True) for one in RIGHT] + [(one, False) for one in WRONG])
def test_values_are_compared(text: str, right: bool) -> None:
    verdict = json_equal(Problem(prompt="q", reference=REFERENCE), Completion(text))
    assert verdict.correct is right


def test_any_of_several_references_is_right() -> None:
    problem = Problem(prompt="q", reference=("[1]", "[2]"))
    marks = [json_equal(problem, Completion(text)).correct for text in ("[1]", "[2]", "[1, 2]")]
    assert marks == [True, True, False]
