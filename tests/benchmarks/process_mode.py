"""Process mode against outcome mode, paired over seeds: mean accuracy of the samples over whole runs.

    python tests/benchmarks/process_mode.py [--tasks addition,list_programs] [--seeds 0,1,2] [--prm]

Both modes start from the same warm-started policy and see the same problems. A run's figure is the share of
samples that are right, averaged over its steps. With `--prm`, a process reward model is trained first, on
Monte-Carlo labels and without any rule for steps; it is then the only signal for steps, beside the outcome gate.
Runs are kept in the folder `--out`, so a second call only prints the table again.
"""

import argparse
import json
import os
import statistics
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from markscheme.trainer import train
from markscheme.trainer.commands.cli import main as markscheme_command


def accuracy_of_run(folder: Path, task: str, overrides: list[str]) -> float:
    """Train, unless the folder has the run already; return the share of right samples, averaged over the steps."""
    if not (folder / "summary.json").exists():
        train(task, overrides=[*overrides, f"out={json.dumps(str(folder))}", "eval=[]"])
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return statistics.fmean(json.loads(line)["accuracy"] for line in lines)


def trained_reward_model(out: Path, task: str, seed: int) -> Path:
    """Label steps of the untrained policy's samples by Monte-Carlo continuations, and train a reward model on them.

    Returns its folder. A model that is there already is kept.
    """
    folder = out / f"prm-{task}-{seed}"
    if not (folder / "prm.json").exists():
        labels = out / f"labels-{task}-{seed}.jsonl"
        run_command("label", task, "-o", labels, "-n", 4, "-k", 16, "--limit", 600, "--seed", seed)
        run_command(
            "train-prm", labels, "-o", folder, "--epochs", 12, "--lr", "1e-3", "--task", task, "--seed", seed
        )
    return folder.resolve()


def run_command(*arguments: object) -> None:
    """Run a `markscheme` command, which must succeed."""
    words = [str(argument) for argument in arguments]
    if markscheme_command(words) != 0:
        raise SystemExit(f"markscheme {' '.join(words)} failed")


def reward_model_override(folder: Path, task: str) -> str:
    """Return the setting that makes a reward model the signal for a task's steps."""
    split = "code" if task == "list_programs" else "lines"
    return f"task.process={{use: prm, model: {json.dumps(str(folder))}, split: {split}}}"


def print_quality(folder: Path, seed: int) -> None:
    """Print how well a reward model judges the steps that it was not trained on."""
    held_out = json.loads((folder / "prm.json").read_text(encoding="utf-8"))["held_out"]
    measures = ("balanced_accuracy", "first_error_f1", "auroc", "ece")
    quality = ", ".join(f"{measure} {held_out[measure]:.3f}" for measure in measures)
    print(f"  reward model of seed {seed} on {held_out['steps']} held-out steps: {quality}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default="addition,list_programs")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--out", type=Path, default=Path("runs/process-mode"), help="keeps the runs")
    parser.add_argument("--prm", action="store_true", help="judge steps by a trained reward model")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], help="a setting of the process-mode runs"
    )
    args = parser.parse_args()
    print("share of right samples, averaged over the run (outcome mode -> process mode)")
    for task in args.tasks.split(","):
        gains = []
        for seed in map(int, args.seeds.split(",")):
            outcome_overrides = [f"seed={seed}", "algorithm.mode=outcome"]
            process_overrides = [f"seed={seed}", "algorithm.mode=process", *args.overrides]
            outcome = accuracy_of_run(args.out / f"{task}-outcome-{seed}", task, outcome_overrides)
            if args.prm:
                reward_model = trained_reward_model(args.out, task, seed)
                print_quality(reward_model, seed)
                process_overrides.append(reward_model_override(reward_model, task))
            process_folder = args.out / f"{task}-{'prm' if args.prm else 'process'}-{seed}"
            process = accuracy_of_run(process_folder, task, process_overrides)
            gains.append(process - outcome)
            print(f"  {task:14} seed {seed}: {outcome:.4f} -> {process:.4f}  ({gains[-1]:+.4f})", flush=True)
        print(f"  {task:14} mean difference over the seeds {statistics.fmean(gains):+.4f}", flush=True)


if __name__ == "__main__":
    main()
