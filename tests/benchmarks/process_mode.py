"""Process mode against outcome mode, paired over seeds: sampled accuracy over whole runs.

    python tests/benchmarks/process_mode.py [--tasks addition,list_programs] [--seeds 0,1,2] [--prm]

Both modes start from the same warm-started policy and see the same problems; a run's figure is the mean
over its steps of the share of right samples. With `--prm` a process reward model is trained first, on
Monte-Carlo labels without any rule for steps, and is then the only step signal beside the outcome gate.
Runs are kept in `--out`, so that a second call prints the table again.
"""

import argparse
import json
import os
import statistics
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from markscheme.trainer import train
from markscheme.trainer.commands.cli import main as command


def accuracy(folder: Path, task: str, overrides: list[str]) -> float:
    """Run unless it was run already; return the mean share of right samples over the steps."""
    if not (folder / "summary.json").exists():
        train(task, overrides=[*overrides, f"out={json.dumps(str(folder))}", "eval=[]"])
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return statistics.fmean(json.loads(line)["accuracy"] for line in lines)


def trained_prm(out: Path, task: str, seed: int) -> Path:
    """Label steps of the untrained policy's samples by Monte-Carlo completion, and train on them."""
    folder = out / f"prm-{task}-{seed}"
    if not (folder / "prm.json").exists():
        rows = out / f"labels-{task}-{seed}.jsonl"
        common = ["--seed", str(seed)]
        assert (
            command(["label", task, "-o", str(rows), "-n", "4", "-k", "16", "--limit", "600", *common]) == 0
        )
        training = ["--epochs", "12", "--lr", "1e-3", "--task", task, *common]
        assert command(["train-prm", str(rows), "-o", str(folder), *training]) == 0
    return folder


def main() -> None:
    """Print a table with each seed."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--tasks", default="addition,list_programs")
    arguments.add_argument("--seeds", default="0,1,2")
    arguments.add_argument("--out", type=Path, default=Path("runs/process-mode"))
    arguments.add_argument("--prm", action="store_true")
    arguments.add_argument("--set", dest="overrides", action="append", default=[])
    args = arguments.parse_args()
    print("mean share of right samples over the run (outcome mode -> process mode)")
    for task in args.tasks.split(","):
        gains = []
        for seed in map(int, args.seeds.split(",")):
            common = [f"seed={seed}"]
            plain = accuracy(args.out / f"{task}-outcome-{seed}", task, [*common, "algorithm.mode=outcome"])
            process, name = [*common, "algorithm.mode=process", *args.overrides], "process"
            if args.prm:
                model = trained_prm(args.out, task, seed).resolve()
                split = "code" if task == "list_programs" else "lines"
                process.append(f"task.process={{use: prm, model: {json.dumps(str(model))}, split: {split}}}")
                name = "prm"
                held = json.loads((model / "prm.json").read_text(encoding="utf-8"))["held_out"]
                told = ", ".join(
                    f"{key} {held[key]:.3f}"
                    for key in ("balanced_accuracy", "first_error_f1", "auroc", "ece")
                )
                print(f"  reward model of seed {seed} on {held['steps']} held-out steps: {told}", flush=True)
            marked = accuracy(args.out / f"{task}-{name}-{seed}", task, process)
            gains.append(marked - plain)
            print(f"  {task:14} seed {seed}: {plain:.4f} -> {marked:.4f}  ({gains[-1]:+.4f})", flush=True)
        print(f"  {task:14} paired mean {statistics.fmean(gains):+.4f}", flush=True)


if __name__ == "__main__":
    main()
