"""`check` on every shipped task: on real rows where there are some, else on the rows of its labelled cases.

python tests/benchmarks/check_tasks.py [--data ../shared/data]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from markscheme.rewards import check_task
from markscheme.rewards.check.cases import OWN, cases_file
from markscheme.tasks import load_task
from markscheme.tasks.load_task import shipped_tasks


def real_rows(name: str, data: Path) -> list[dict[str, object]] | None:
    """Return rows of a task's data set, in its own columns; None if there are none here."""
    files = {"gsm8k": "gsm8k_train.jsonl", "mbpp": "mbpp.jsonl", "math500": "math_model_solutions.jsonl"}
    if name not in files or not (data / files[name]).is_file():
        return None
    rows = [json.loads(line) for line in (data / files[name]).read_text(encoding="utf-8").splitlines()]
    if name != "math500":
        return rows
    by_question = {row["question"]: row for row in rows if row["correct"]}
    return [
        {
            "problem": question,
            "answer": row["reference"],
            "solution": row["completion"],
            "unique_id": str(row["problem"]),
        }
        for question, row in by_question.items()
    ]


def case_rows(name: str) -> list[dict[str, object]]:
    """Return the rows of a task's labelled cases, each once."""
    path = cases_file(load_task(name))
    assert path is not None
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = {column: value for column, value in json.loads(line).items() if column not in OWN}
        rows[json.dumps(row)] = row
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    args = parser.parse_args()
    print(f"{'task':16}{'rows':>14}{'seconds':>9}  result")
    for name in sorted(shipped_tasks()):
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            overrides: list[str] = []
            told = "generated"
            if load_task(name).data.generator is None:
                rows = real_rows(name, args.data)
                told = f"{len(rows)} real" if rows else "fixtures"
                path = Path(folder) / "rows.jsonl"
                path.write_text("".join(json.dumps(row) + "\n" for row in rows or case_rows(name)))
                overrides = [
                    f"data.path={path}",
                    "data.name=null",
                    "data.streaming=false",
                    "data.limit=null",
                ]
            findings = check_task(load_task(name, overrides=overrides))
        failed = [finding for finding in findings if finding.good is False]
        seconds = time.perf_counter() - start
        print(f"{name:16}{told:>14}{seconds:9.1f}  {'passes' if not failed else 'FAILS'}", flush=True)
        for finding in failed:
            print(f"    {finding.name}: {finding.said}")
            for detail in finding.details[:5]:
                print(f"        {detail[:300]}")


if __name__ == "__main__":
    main()
