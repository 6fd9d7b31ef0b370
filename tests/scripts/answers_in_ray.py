"""Answers judged inside Ray: in tasks, in a threaded actor and in an asyncio one; gmpy2 is installed."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray
import sympy.external.gmpy

from markscheme.sandbox import with_deadline
from markscheme.verifiers import compare_answers, verify_answer
from markscheme.verifiers.answers import math_verify as last_tier

ROWS = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
HARD = (r"\sum_{n=1}^{3} n^2", r"\sum_{n=1}^{3} n n")
HANGING = (r"\int_0^1 \frac{\ln(1+x+x^5)}{1+x^9} dx", r"\int_0^1 \frac{\ln(1+x+x^5)}{1+x^{11}} dx")


def judge(rows: list[dict[str, Any]]) -> list[bool | None]:
    return [
        compare_answers(row["reference"], row["answer"]).correct
        if "answer" in row
        else verify_answer(row["reference"], row["completion"], extract=row["extract"]).correct
        for row in rows
    ]


def judge_hard() -> list[Any]:
    last_tier.LIMIT_S = 2.0
    return [(v.correct, v.reason.value, v.tier) for v in (compare_answers(*HARD), compare_answers(*HANGING))]


class Judge:
    def rows(self, rows: list[dict[str, Any]]) -> list[bool | None]:
        return judge(rows)

    def hard(self) -> list[Any]:
        return judge_hard()


class AsyncJudge:
    async def rows(self, rows: list[dict[str, Any]]) -> list[bool | None]:
        return judge(rows)

    async def hard(self) -> list[Any]:
        return judge_hard()


def main() -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    task, hard_task = ray.remote(judge), ray.remote(judge_hard)
    threaded = ray.remote(Judge).options(max_concurrency=4).remote()
    asynchronous = ray.remote(AsyncJudge).remote()
    found = {
        "task": ray.get(task.remote(ROWS)), "hard_task": ray.get(hard_task.remote()),
        "threads": ray.get([threaded.rows.remote(ROWS) for _ in range(4)]), "hard_threads": ray.get(threaded.hard.remote()),
        "asyncio": ray.get(asynchronous.rows.remote(ROWS)), "hard_asyncio": ray.get(asynchronous.hard.remote()),
        "ground_types_here": sympy.external.gmpy.GROUND_TYPES,
        "ground_types_there": with_deadline("worker_jobs:ground_types", [()], timeout_s=60)[0],
    }  # fmt: skip
    ray.shutdown()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
