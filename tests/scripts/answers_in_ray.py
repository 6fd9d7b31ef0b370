"""Answers judged inside Ray: in tasks, in a threaded actor and in an asyncio actor; prints JSON.

    python tests/scripts/answers_in_ray.py tests/data/answers.jsonl

Runs in an environment that has Ray and gmpy2, which sympy would use for its integers if it could.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ray
from ray import cloudpickle
from sympy.external.gmpy import GROUND_TYPES

import support
from markscheme.sandbox import with_deadline
from markscheme.verifiers import compare_answers
from markscheme.verifiers.answers import math_verify
from support import HANGING_PAIRS, LAST_TIER_PAIR, judge_labelled


def judge(rows: list[dict[str, Any]]) -> list[bool | None]:
    return [judge_labelled(row).correct for row in rows]


def judge_hard() -> list[Any]:
    """Judge a pair that only the last tier can read, and one on which it hangs."""
    math_verify.LIMIT_S = 2.0
    verdicts = [compare_answers(*LAST_TIER_PAIR), compare_answers(*HANGING_PAIRS[0])]
    return [(verdict.correct, verdict.reason.value, verdict.tier) for verdict in verdicts]


class Judge:
    def rows(self, rows: list[dict[str, Any]]) -> list[bool | None]:
        return judge(rows)

    def hard(self) -> list[Any]:
        return judge_hard()


class AsyncJudge:
    """As `Judge`, but with coroutines, which Ray runs in one event loop."""

    async def rows(self, rows: list[dict[str, Any]]) -> list[bool | None]:
        return judge(rows)

    async def hard(self) -> list[Any]:
        return judge_hard()


def main() -> None:
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    cloudpickle.register_pickle_by_value(support)  # Ray's workers cannot import it
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    task, hard_task = ray.remote(judge), ray.remote(judge_hard)
    threaded = ray.remote(Judge).options(max_concurrency=4).remote()
    asynchronous = ray.remote(AsyncJudge).remote()
    result = {
        "task": ray.get(task.remote(rows)),
        "hard_task": ray.get(hard_task.remote()),
        "threads": ray.get([threaded.rows.remote(rows) for _ in range(4)]),
        "hard_threads": ray.get(threaded.hard.remote()),
        "asyncio": ray.get(asynchronous.rows.remote(rows)),
        "hard_asyncio": ray.get(asynchronous.hard.remote()),
        "ground_types_here": GROUND_TYPES,
        "ground_types_there": with_deadline("worker_jobs:ground_types", [()], timeout_s=60)[0],
    }
    ray.shutdown()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
