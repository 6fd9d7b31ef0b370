"""`evaluate` on real completions with marks falsified on purpose, and `compare` on pairs of schemes of known difference.

    python tests/benchmarks/offline.py [falsified] [compare]

`falsified` reads ../shared/data: 2,640 GSM8K and 400 MATH completions with their authors' labels.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from markscheme.rewards import evaluate_scores
from markscheme.rewards.offline.compare import compare
from markscheme.rewards.offline.evaluation import Evaluation
from markscheme.rewards.offline.table import read_tables
from markscheme.rewards.rows.read_scores import rows_of_mappings
from markscheme.trainer.commands.cli import main as command

DATA = Path(os.environ.get("MARKSCHEME_SHARED", "../shared")) / "data"
SETS = {
    "gsm8k": ["--set", "problem.reference={{ reference }}", "--set", 'extract=[{after: "A: "}]'],
    "math": ["--set", "problem.reference={{ reference }}"],
}
RATES = {"gsm8k": (0.02, 0.08), "math": (0.08, 0.03)}
"""Shares of wrong and of right marks that are falsified, in the first half of the strata; the other way round in the rest."""


def scored(folder: Path, name: str) -> list[dict[str, Any]]:
    path, by = folder / f"{name}.jsonl", {"gsm8k": "model", "math": "level"}[name]
    file = str(DATA / f"{name}_model_solutions.jsonl")
    assert (
        command(["score", "gsm8k", file, *SETS[name], "--label", "correct", "--by", by, "-o", str(path)]) == 0
    )
    return [json.loads(line) for line in path.read_text().splitlines()]


def falsified(
    rows: list[dict[str, Any]], rates: tuple[float, float], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return the rows with marks flipped at rates that depend on the stratum."""
    strata = sorted({row["stratum"] for row in rows[1:]})
    changed = [rows[0]]
    for row in rows[1:]:
        of_wrong, of_right = rates if strata.index(row["stratum"]) < len(strata) / 2 else rates[::-1]
        flips = rng.random() < (of_right if row["label"] else of_wrong)
        right = row["label"] != flips
        changed.append({**row, "right": right, "value": float(right)})
    return changed


def show_falsified() -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        for task in SETS:
            rows = scored(Path(name), task)
            plain = evaluate_scores(rows)
            assert plain.labels is not None
            print(
                f"{task}: {plain.rows} rows, {plain.problems} problems, marks that differ: {plain.labels.confusion}"
            )
            held = {kind: [0, 0] for kind in ("false positives", "false negatives")}
            for _ in range(200):
                count(evaluate_scores(falsified(rows, RATES[task], rng)), RATES[task], held)
            for kind, (inside, total) in held.items():
                print(
                    f"  {kind}: {inside} of {total} intervals by stratum hold the injected rate ({inside / total:.1%})"
                )


def count(found: Evaluation, rates: tuple[float, float], held: dict[str, list[int]]) -> None:
    """Count the intervals by stratum that hold the injected rates."""
    assert found.labels is not None
    strata = sorted(found.labels.by_stratum)
    for i, stratum in enumerate(strata):
        wrong, right = rates if i < len(strata) / 2 else rates[::-1]
        errors = found.labels.by_stratum[stratum]
        for kind, rate, one in (
            ("false positives", wrong, errors.false_positive),
            ("false negatives", right, errors.false_negative),
        ):
            held[kind][0] += one.low <= rate <= one.high
            held[kind][1] += 1


def marks(rng: np.random.Generator, rates: np.ndarray[Any, Any], shift: float) -> Any:
    part = {"value": None, "weight": 1.0, "status": "ok", "reason": ""}
    base = {"task": "t", "task_hash": "", "status": "ok", "parts": {"c": part}}
    rows = []
    for i, rate in enumerate(rates):
        for j, right in enumerate(rng.random(8) < np.clip(rate + shift, 0, 1)):
            rows.append(
                {
                    **base,
                    "problem": f"p{i}",
                    "completion": str(j),
                    "value": float(right),
                    "right": bool(right),
                }
            )
    return read_tables(rows_of_mappings(rows))["t"]


def show_compare() -> None:
    rng = np.random.default_rng(0)
    for problems in (100, 300):
        for shift in (0.0, 0.05, 0.1):
            flagged, regressed, detectable = 0, 0, []
            for _ in range(200):
                rates = rng.beta(0.8, 0.8, problems) * 0.9
                found = compare(marks(rng, rates, shift), marks(rng, rates, 0.0))
                flagged += found.differences[0].p < 0.05
                regressed += found.regressed(0.0)
                detectable.append(found.differences[0].detectable)
            print(
                f"{problems} problems x 8, B worse by {shift:.2f}: of 200 pairs {flagged} are called different,"
                f" {regressed} regressed; each says it finds {np.mean(detectable):.3f} in 80 % of cases"
            )


if __name__ == "__main__":
    for part in sys.argv[1:] or ["falsified", "compare"]:
        {"falsified": show_falsified, "compare": show_compare}[part]()
