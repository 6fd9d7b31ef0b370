"""Peak memory and rows per second of the offline commands, and of the start of `train`, at two numbers of rows.

    python tests/benchmarks/offline_memory.py [--rows 20000 200000]

Every figure is of a process of its own. The rows are sums with a reasoning of some 60 words, eight completions
per problem for `score` and `evaluate`, and one per problem for the others.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASK = """name: sums
data: {path: problems.jsonl, held_out: 0.01}
problem: {prompt: "{{ question }}", reference: "{{ answer }}"}
rewards: {correct: {use: answer}, format: {use: think_answer, weight: 0.1}}
"""
WORDS = "we add the ones then the tens and carry where the sum of a column is above nine".split()


def write_inputs(folder: Path, rows: int) -> None:
    """Write a task, its problems, a file of completions, and a small random policy."""
    rng = random.Random(0)
    (folder / "sums.yaml").write_text(TASK)
    with (
        (folder / "problems.jsonl").open("w") as problems,
        (folder / "completions.jsonl").open("w") as answers,
    ):
        for i in range(rows):
            a, b = rng.randrange(10**9), rng.randrange(10**9)
            problem = {"question": f"{a}+{b}=", "answer": str(a + b)}
            problems.write(json.dumps(problem) + "\n")
            if i % 8 == 0:
                for _ in range(8):
                    said = a + b + rng.choice((0, 1))
                    text = f"<think>{' '.join(rng.choices(WORDS, k=60))}</think>\\boxed{{{said}}}"
                    row = {**problem, "completion": text, "label": said == a + b}
                    answers.write(json.dumps(row) + "\n")


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command and return its peak memory in MB and its wall time in seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\n{out.decode()[-2000:]}{err.decode()[-2000:]}")
    peak = float(out.decode().rsplit("peak ", 1)[1].split()[0])
    return peak, seconds


# VmHWM is of this program alone; ru_maxrss would count the process that it was forked from.
RUN = (
    "import re, sys; from pathlib import Path; from markscheme.trainer.commands.cli import main;"
    " code = main(sys.argv[1:]);"
    " print('peak', int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]) / 1024);"
    " sys.exit(code)"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--only", nargs="*", help="commands to measure")
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from support import small_policy

    model = ["--model", "policy", "--split", "train", "--max-new-tokens", "2"]
    commands = {
        "score": "score sums.yaml completions.jsonl -o scores.jsonl --label label".split(),
        "evaluate": "evaluate scores.jsonl".split(),
        "sample": ["sample", "sums.yaml", "-n", "1", *model, "-o", "sampled.jsonl"],
        "label": ["label", "sums.yaml", "-n", "1", "-k", "1", *model, "-o", "labels.jsonl"],
        "check": "check sums.yaml".split(),
        "rescore": "rescore scores.jsonl --diff".split(),
        "train (0 steps)": ["train", "run.yaml", "--out", "run"],
    }
    print(f"{'command':16s}" + "".join(f"{rows:>10,} rows: MB  rows/s" for rows in arguments.rows))
    table: dict[str, list[str]] = {name: [] for name in commands}
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_inputs(folder, rows)
            small_policy(folder / "policy", max_position_embeddings=64)
            (folder / "run.yaml").write_text(
                "tasks: [sums.yaml]\npolicy: {model: policy}\nalgorithm: {steps: 0}\neval: []\n"
                "sampling: {max_new_tokens: 2}\n"
            )
            for command, given in commands.items():
                if arguments.only and command not in arguments.only:
                    continue
                limit = ["--limit", str(rows)] if command in ("sample", "label", "check") else []
                peak, seconds = measured([sys.executable, "-c", RUN, *given, *limit], folder)
                table[command].append(f"{peak:18.0f} {rows / seconds:8.0f}")
    for command, cells in table.items():
        if cells:
            print(f"{command:16s}" + "".join(cells))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
