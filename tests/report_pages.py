"""What tests read from reports: the data in a page, and files of scores to make one of."""

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HEADER = {
    "header": {
        "kind": "scores",
        "schema": 2,
        "libraries": {},
        "tasks": {
            "t": {
                "combine": "sum",
                "range": [0.0, 1.0],
                "entries": {
                    "correct": {"component": "answer", "weight": 1.0, "watched": False},
                    "truth": {"component": "exact_match", "weight": 0.0, "watched": True},
                },
            }
        },
    }
}
HOSTILE = "</script><script>document.title='taken'</script><!-- <b>bold</b> \u202egnihton\u202c &amp; \U0001f600 \x07"
"""Markup, an end of the script, marks that turn the direction of text, an emoji and a bell."""


def data_of(html: str) -> dict[str, Any]:
    """Return the data in a page."""
    found = re.search(r'<script type="text/plain" id="data">([^<]*)</script>', html)
    assert found is not None
    return json.loads(gzip.decompress(base64.b64decode(found[1])))


def score(problem: str, text: str, value: float | None, **more: Any) -> dict[str, Any]:
    """Return a score row of task `t`, whose watched entry `truth` agrees unless `truth` says otherwise."""
    right = None if value is None else value >= 1
    truth = more.pop("truth", right)
    reason = more.pop("reason", "equal" if right else "different")
    verdict = {
        "correct": truth,
        "reason": "passed",
        "extracted": text[:20],
        "tier": "",
        "share": None,
        "evidence": {},
    }
    return {
        "schema": 2, "task": "t", "task_hash": "h", "problem": problem, "prompt": f"What is {problem}?",
        "reference": "4", "completion": text, "value": value, "status": "ok" if value is not None else "abstain",
        "right": right, "tokens": len(text),
        "parts": {
            "correct": {"value": value, "weight": 1.0, "status": "ok", "reason": reason},
            "truth": {"value": 0.0, "weight": 0.0, "status": "ok", "reason": "passed", "verdict": verdict},
        },
        **more,
    }  # fmt: skip


def write_scores(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write score rows with a header."""
    path.write_text("".join(json.dumps(row) + "\n" for row in (HEADER, *rows)), encoding="utf-8")
    return path


def some_scores(path: Path, *, flipped: bool = False, problems: int = 30) -> Path:
    """Write four completions for each of some problems: all wrong, mixed or all right in turn.

    Args:
        path: the file.
        flipped: pay the first completion of every third problem the other way.
        problems: how many.
    """
    rows = []
    for i in range(problems):
        for j in range(4):
            value = float(j < i % 5)
            if flipped and j == 0 and i % 3 == 0:
                value = 1.0 - value
            text = f"{HOSTILE} so {i}" if j == 3 else f"I think it is {i}-{j}.\nDone."
            steps = [
                {"start": 0, "end": 13, "value": 1.0, "status": "ok", "reason": "", "advantage": 0.25},
                {"start": 14, "end": len(text), "value": 0.0, "status": "ok", "reason": "failed"},
            ]
            truth = value < 1 if i == 7 else None
            rows.append(score(f"p{i}", text, value, truth=truth, steps=steps if j == 1 else None))
    return write_scores(path, rows)
