"""The overhead of scoring three cheap rewards, beside `Rubric.score_group` of verifiers 0.1.14.

    python tests/benchmarks/score_overhead.py --peer-python PYTHON_WITH_VERIFIERS_0_1_14

The two sides run in turn, each in processes of its own, with the same three functions on the same 2,000
completions in groups of eight. CPU time is measured, so that a busy machine matters little. `make bench` makes
the peer's environment; without `--peer-python`, only our side runs.
"""

import argparse
import asyncio
import importlib
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

Row = tuple[str, str]
"""A completion and the right answer."""
FORM = re.compile(r"^<think>\n.*?\n</think>\n\\boxed\{.*?\}$", re.DOTALL)
BOX = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")


def form(text: str, gold: str) -> float:
    return 1.0 if FORM.match(text) else 0.0


def exact(text: str, gold: str) -> float:
    boxes = BOX.findall(text)
    return 1.0 if boxes and boxes[-1] == gold else 0.0


def short(text: str, gold: str) -> float:
    return max(0.0, 1.0 - len(text) / 4096)


WEIGHTS = {form: 0.2, exact: 1.0, short: 0.1}
"""The three rewards and their weights."""


def random_rows(count: int) -> list[Row]:
    """Return completions in groups of eight; half of the answers are right, and some are without a box."""
    rng = random.Random(7)
    rows = []
    for i in range(count):
        gold = str(1000 + i // 8)
        thought = " ".join(rng.choice(("so", "we", "add", "then", "x")) for _ in range(rng.randint(20, 60)))
        answer = gold if rng.random() < 0.5 else str(rng.randint(10_000, 99_999))
        text = f"<think>\n{thought}\n</think>\n\\boxed{{{answer}}}"
        if rng.random() <= 0.15:
            text = f"{thought} it is {answer}"
        rows.append((text, gold))
    return rows


def scored_by_markscheme(rows: list[Row]) -> Callable[[], float]:
    """Return a function that scores the rows by a mark scheme, and returns the sum of their values."""
    # Imported here, because the peer's environment has no markscheme.
    from markscheme.rewards import MarkScheme, reward
    from markscheme.tasks import Completion, Problem
    from markscheme.tasks.load_task import task_from
    from markscheme.tasks.yaml_file import YamlFile

    def register(function: Callable[[str, str], float]) -> str:
        name = f"bench_{function.__name__}"

        @reward(name)
        def per_sample(problem: Any, completion: Any) -> float:
            return function(completion.text, problem.reference)

        return name

    entries = {
        function.__name__: {"use": register(function), "weight": weight}
        for function, weight in WEIGHTS.items()
    }
    task = {"name": "bench", "data": {"path": "none"}, "rewards": entries}
    scheme = MarkScheme(task_from(YamlFile(None, task)))
    problems = [Problem(prompt="q", reference=gold) for _, gold in rows]
    completions = [Completion(text) for text, _ in rows]

    def run() -> float:
        return sum(score.value or 0.0 for score in scheme.score(problems, completions))

    return run


def scored_by_verifiers(rows: list[Row]) -> Callable[[], float]:
    """Return a function that scores the rows by a rubric of verifiers, and returns the sum of their values."""
    verifiers: Any = importlib.import_module("verifiers")

    def as_reward(function: Callable[[str, str], float]) -> Any:
        def reward(completion: Any, answer: str, **_: Any) -> float:
            return function(completion[-1]["content"], answer)

        reward.__name__ = function.__name__
        return reward

    rubric = verifiers.Rubric(
        funcs=[as_reward(function) for function in WEIGHTS], weights=[*WEIGHTS.values()]
    )

    def state(text: str, gold: str) -> Any:
        return verifiers.State(
            prompt=[{"role": "user", "content": "q"}],
            completion=[{"role": "assistant", "content": text}],
            answer=gold,
            task="t",
            info={},
            trajectory=[],
            timing={},
            example_id=0,
        )

    def run() -> float:
        states = [state(text, gold) for text, gold in rows]

        async def score() -> None:
            for start in range(0, len(states), 8):
                await rubric.score_group(states[start : start + 8])

        asyncio.run(score())
        return sum(state["reward"] for state in states)

    return run


def measure(side: str, count: int) -> None:
    """Print the best CPU time of five runs of a side, and the sum of its values, as JSON."""
    sides = {"ours": scored_by_markscheme, "peer": scored_by_verifiers}
    run = sides[side](random_rows(count))
    run()
    best, total = float("inf"), 0.0
    for _ in range(5):
        start = time.process_time()
        total = run()
        best = min(best, time.process_time() - start)
    print(json.dumps({"seconds": best, "total": total}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", help="a Python that has verifiers 0.1.14")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2000, help="number of completions")
    parser.add_argument("--side", choices=("ours", "peer"), help="measure one side in this process")
    args = parser.parse_args()
    if args.side:
        measure(args.side, args.count)
        return
    pythons = {"ours": sys.executable}
    if args.peer_python:
        pythons["peer"] = args.peer_python
    seconds: dict[str, list[float]] = {side: [] for side in pythons}
    totals: dict[str, float] = {}
    for _ in range(args.rounds):
        for side, python in pythons.items():
            command = [python, __file__, "--side", side, "--count", str(args.count)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            result = json.loads(output)
            seconds[side].append(result["seconds"])
            totals[side] = result["total"]
    for side, times in seconds.items():
        each = statistics.median(times) / args.count
        print(
            f"{side:5} {each * 1e6:8.2f} us per completion   {1 / each:10,.0f} completions per CPU second"
            f"   sum of rewards {totals[side]:.4f}"
        )
    if "peer" in seconds:
        ratios = [theirs / ours for theirs, ours in zip(seconds["peer"], seconds["ours"], strict=True)]
        rounds = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        print(f"ours is {statistics.median(ratios):.1f} times as fast (rounds: {rounds})")


if __name__ == "__main__":
    main()
