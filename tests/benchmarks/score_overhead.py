"""Scoring overhead of three cheap rewards: ours against verifiers 0.1.14's `Rubric.score_group`.

Both sides in processes of their own, in turn, on the same 2,000 completions in groups of eight
with the same three functions. CPU time, so that a busy machine matters little. `make bench` makes
the peer's environment; by hand: score_overhead.py --peer-python PYTHON_WITH_VERIFIERS_0_1_14.
"""

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

FORM = re.compile(r"^<think>\n.*?\n</think>\n\\boxed\{.*?\}$", re.DOTALL)
BOX = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
WEIGHTS = {"form": 0.2, "exact": 1.0, "short": 0.1}


def form(text: str, gold: str) -> float:
    return 1.0 if FORM.match(text) else 0.0


def exact(text: str, gold: str) -> float:
    found = BOX.findall(text)
    return 1.0 if found and found[-1] == gold else 0.0


def short(text: str, gold: str) -> float:
    return max(0.0, 1.0 - len(text) / 4096)


def rows(count: int) -> list[tuple[str, str]]:
    rng = random.Random(7)
    made = []
    for i in range(count):
        gold = str(1000 + i // 8)
        thought = " ".join(rng.choice(("so", "we", "add", "then", "x")) for _ in range(rng.randint(20, 60)))
        answer = gold if rng.random() < 0.5 else str(rng.randint(10_000, 99_999))
        text = f"<think>\n{thought}\n</think>\n\\boxed{{{answer}}}"
        made.append((text if rng.random() > 0.15 else f"{thought} it is {answer}", gold))
    return made


def ours(made: list[tuple[str, str]]) -> Callable[[], float]:
    from markscheme.rewards import MarkScheme, reward
    from markscheme.tasks import Completion, Problem
    from markscheme.tasks.load import task_from
    from markscheme.tasks.yaml_file import YamlFile

    for function in (form, exact, short):

        def per_sample(problem: Any, completion: Any, f: Any = function) -> float:
            return f(completion.text, problem.reference)

        reward(f"bench_{function.__name__}")(per_sample)
    entries = {name: {"use": f"bench_{name}", "weight": weight} for name, weight in WEIGHTS.items()}
    scheme = MarkScheme(
        task_from(YamlFile(None, {"name": "bench", "data": {"path": "none"}, "rewards": entries}))
    )
    problems = [Problem(prompt="q", reference=gold) for _, gold in made]
    completions = [Completion(text) for text, _ in made]
    return lambda: sum(score.value or 0.0 for score in scheme.score(problems, completions))


def peer(made: list[tuple[str, str]]) -> Callable[[], float]:
    import asyncio
    import importlib

    vf: Any = importlib.import_module("verifiers")

    def wrapped(function: Any) -> Any:
        def graded(completion: Any, answer: str, **_: Any) -> float:
            return function(completion[-1]["content"], answer)

        graded.__name__ = function.__name__
        return graded

    rubric = vf.Rubric(funcs=[wrapped(f) for f in (form, exact, short)], weights=list(WEIGHTS.values()))

    def state(text: str, gold: str) -> Any:
        chat = [{"role": "assistant", "content": text}]
        return vf.State(
            prompt=[{"role": "user", "content": "q"}],
            completion=chat,
            answer=gold,
            task="t",
            info={},
            trajectory=[],
            timing={},
            example_id=0,
        )

    def run() -> float:
        states = [state(text, gold) for text, gold in made]

        async def score() -> None:
            for i in range(0, len(states), 8):
                await rubric.score_group(states[i : i + 8])

        asyncio.run(score())
        return sum(s["reward"] for s in states)

    return run


def measure(side: str, count: int) -> None:
    made = rows(count)
    run = {"ours": ours, "peer": peer}[side](made)
    run()
    best, total = float("inf"), 0.0
    for _ in range(5):
        start = time.process_time()
        total = run()
        best = min(best, time.process_time() - start)
    print(json.dumps({"seconds": best, "total": total}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--side", choices=("ours", "peer"))
    args = parser.parse_args()
    if args.side:
        return measure(args.side, args.count)
    pythons = {"ours": sys.executable} | ({"peer": args.peer_python} if args.peer_python else {})
    seconds: dict[str, list[float]] = {side: [] for side in pythons}
    totals: dict[str, float] = {}
    for _ in range(args.rounds):
        for side, python in pythons.items():
            command = [python, __file__, "--side", side, "--count", str(args.count)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            seconds[side].append(found["seconds"])
            totals[side] = found["total"]
    for side, times in seconds.items():
        each = statistics.median(times) / args.count
        print(
            f"{side:5} {each * 1e6:8.2f} us a completion   {1 / each:10,.0f} completions a CPU second   sum of rewards {totals[side]:.4f}"
        )
    if "peer" in seconds:
        ratios = [theirs / mine for theirs, mine in zip(seconds["peer"], seconds["ours"], strict=True)]
        print(
            f"ours is {statistics.median(ratios):.1f} times as fast (rounds: {', '.join(f'{r:.1f}' for r in ratios)})"
        )


if __name__ == "__main__":
    main()
