"""Reward models that learn along with a policy: what they buy, and what goes wrong without a guard.

    python tests/benchmarks/learned_rewards.py quality|guard|guard-code|picture|replay|forgetting|process [--seeds 0,1,2] [--out FOLDER]

quality      pair accuracy of Bradley-Terry models on frozen held-out prompts of `addition` and `list_programs`
guard        `addition` (`guard-code`: `list_programs`) with the learned score as the only reward: guards off and on
picture      the curves of `guard`, as over_optimisation.svg in the folder
replay       the same, three iterations: no update, updates without replay, and with both readings of 10 %
forgetting   the frozen pairs of the first iteration after three updates, by how much of the past is replayed
process      `list_programs` in process mode: the process reward model updated against frozen

Every policy starts from the tiny policy, and every model from what was sampled from it. Runs are kept in the folder
`--out`, so a second call only prints the tables again. Accuracies of policies are shares of 1,000 samples of test
prompts, which neither the guard nor any model has seen.
"""

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from markscheme.trainer import train
from markscheme.trainer.commands.cli import main as markscheme_command

GENTLE: dict[str, Any] = {
    "preset": "deepseekmath",
    "group_size": 8,
    "groups_per_step": 8,
    "iterations": 12,
    "steps": 6,
    "lr": 1e-4,
    "kl_coef": 0.04,
    "betas": [0.9, 0.95],
}
"""A learning rate at which updating the reward model pays; the quick start's 3e-4 collapses within 24 steps."""
LEARNS: dict[str, Any] = {"updates": 80, "batch": 8, "lr": 2e-3, "replay": {"unit": "batch", "fraction": 0.1}}
READINGS: dict[str, dict[str, Any]] = {
    "none": {"fraction": 0},
    "10 % of the batch": {"unit": "batch", "fraction": 0.1},
    "10 % of the history": {"unit": "history", "fraction": 0.1},
    "all": {"unit": "history", "fraction": 1},
}
GENERATORS = {
    "addition": {"generator": "addition", "seed": 0, "digits": 3, "limit": 4000},
    "list_programs": {"generator": "list_programs", "seed": 0, "limit": 4000},
}


def command(*arguments: object) -> None:
    """Run a `markscheme` command, which must succeed."""
    words = [str(argument) for argument in arguments]
    if markscheme_command(words) != 0:
        raise SystemExit(f"markscheme {' '.join(words)} failed")


def reward_model(out: Path, task: str, seed: int, prompts: int = 240, held_out: float = 0.1) -> Path:
    """Return the folder of an outcome reward model of the starting policy's samples, and its pairs beside it."""
    folder = out / f"rm-{task}-{seed}"
    if not (folder / "rm.json").exists():
        files = [out / f"{kind}-{task}-{seed}.jsonl" for kind in ("completions", "scores", "pairs")]
        sampling = ("--split", "train", "--max-new-tokens", 72, "--seed", seed)
        command("sample", task, "-n", 8, "--limit", prompts, *sampling, "-o", files[0])
        command("score", task, files[0], "-o", files[1])
        command("pairs", files[1], "-o", files[2], "--seed", seed, "--held-out", held_out)
        epochs = ("--epochs", 15, "--batch-prompts", 16, "--lr", "2e-3", "--seed", seed)
        command("train-rm", files[2], "--task", task, "-o", folder, *epochs)
    return folder.resolve()


def learned_task(out: Path, task: str, model: Path) -> Path:
    """Write a task whose only reward is the learned score, where the form is right."""
    path = out / f"learned-{model.name}.yaml"
    judged = {"use": "answer" if task == "addition" else "unit_tests", "weight": 0}
    form: dict[str, Any] = {"use": "think_answer", "weight": 0}
    if task == "list_programs":
        form = {
            "use": "regex",
            "pattern": r"<code>def f\(a\):\n( [^\n]+\n){3} return [^\n]+</code>",
            "weight": 0,
        }
    learned = {"use": "rm", "model": str(model), "calibration": "sigmoid", "when": "format"}
    own = "reference" if task == "addition" else "tests"
    content = {
        "name": f"learned_{task}",
        "data": GENERATORS[task],
        "problem": {name: "{{ " + name + " }}" for name in ("prompt", own, "solution")},
        "rewards": {"correct": judged, "format": form, "learned": learned},
    }
    path.write_text(json.dumps(content))
    return path


def run(out: Path, name: str, task: Path, seed: int, algorithm: dict[str, Any], **more: Any) -> Path:
    """Train, unless the folder has the run already, and return the folder."""
    folder = out / f"{name}-{seed}"
    if (folder / "summary.json").exists():
        if (
            json.loads((folder / "summary.json").read_text())["steps"]
            < algorithm["iterations"] * algorithm["steps"]
        ):
            train(folder, resume=True, overrides=[f"algorithm.iterations={algorithm['iterations']}"])
    else:
        every = algorithm["steps"]
        settings = {
            "tasks": [str(task)],
            "policy": {"model": "tiny"},
            "algorithm": algorithm,
            "sampling": {"temperature": 1.0, "max_new_tokens": 72},
            "eval": [{"task": str(task), "split": "test", "n": 4, "every": every, "limit": 250}],
            "save": {"every": every, "keep": 1},
            "seed": seed,
            "out": str(folder),
            **more,
        }
        train(settings)
    return folder


def rows(folder: Path, log: str) -> list[dict[str, Any]]:
    """Return a log of a run."""
    path = folder / log
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def accuracies(folder: Path) -> list[float]:
    """Return the accuracy of the policy's samples at each evaluation."""
    return [row["sampled_pass_at_1"] for row in rows(folder, "eval.jsonl")]


def curve(values: list[float]) -> str:
    """Return numbers in a row."""
    return " ".join(f"{value:.3f}".removeprefix("0") for value in values)


def quality(out: Path, seeds: list[int]) -> None:
    """Print the pair accuracy of reward models on held-out prompts."""
    (out / "quality").mkdir(exist_ok=True)
    for task in GENERATORS:
        for seed in seeds:
            folder = reward_model(out / "quality", task, seed, prompts=480, held_out=0.3)
            held = json.loads((folder / "rm.json").read_text())["held_out"]
            interval = f"[{held['low']:.3f}, {held['high']:.3f}]"
            print(
                f"{task} seed {seed}: pair accuracy {held['accuracy']:.3f} {interval} on {held['pairs']} pairs of"
                f" {held['prompts']} held-out prompts, ECE {held['ece']:.3f}, with length {held['length']:+.2f}"
            )


def guard(out: Path, seeds: list[int], task: str = "addition") -> None:
    """Print the curves of a learned reward alone, guards off and on."""
    finals: dict[str, list[float]] = {"start": [], "peak off": [], "off": [], "on": []}
    for seed in seeds:
        model = reward_model(out, task, seed)
        learned = learned_task(out, task, model)
        pairs = str(out / f"pairs-{task}-{seed}.jsonl")
        off = run(out, f"guard-off-{task}", learned, seed, GENTLE)
        settings = {"entry": "learned", "history": pairs, **LEARNS}
        on = run(out, f"guard-on-{task}", learned, seed, {**GENTLE, "std_floor": 0.15}, reward_model=settings)
        for name, folder in (("off", off), ("on", on)):
            score = [row["part/learned"] for row in rows(folder, "metrics.jsonl")]
            print(
                f"{task} seed {seed} {name:3}: accuracy {curve(accuracies(folder))}; score {score[0]:.2f} -> {score[-1]:.2f}"
            )
        for row in rows(on, "iterations.jsonl"):
            if row.get("rolled_back"):
                print(
                    f"    step {row['step']}: rolled back to step {row['best_step']} (accuracy {row['change']:+.3f})"
                )
        accepted = [row["accepted"] for row in rows(on, "reward_model.jsonl")]
        print(f"    updates accepted: {sum(accepted)} of {len(accepted)}", flush=True)
        finals["start"].append(accuracies(off)[0])
        finals["peak off"].append(max(accuracies(off)))
        finals["off"].append(accuracies(off)[-1])
        finals["on"].append(accuracies(on)[-1])
    print(
        f"{task}, mean of {len(seeds)} seeds: "
        + ", ".join(f"{name} {statistics.fmean(v):.3f}" for name, v in finals.items())
    )


def picture(out: Path, seeds: list[int], task: str = "addition") -> None:
    """Draw accuracy and score over the steps of `guard`'s runs."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    ink, accuracy, score = "#848d97", "#2f81f7", "#d29922"
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "markscheme", "font.family": "sans-serif"}):
        figure, panels = plt.subplots(1, 2, figsize=(7.2, 2.8), sharey=True)
        for axes, name in zip(panels, ("off", "on"), strict=True):
            for seed in seeds:
                folder = out / f"guard-{name}-{task}-{seed}"
                metrics, evaluations = rows(folder, "metrics.jsonl"), rows(folder, "eval.jsonl")
                labels = (
                    ("verified accuracy", "the model's score")
                    if seed == seeds[0] and name == "off"
                    else (None, None)
                )
                held_out = (
                    [row["step"] for row in evaluations],
                    [row["sampled_pass_at_1"] for row in evaluations],
                )
                axes.plot(*held_out, color=accuracy, linewidth=1.6, label=labels[0])
                smooth = [
                    statistics.fmean(r["part/learned"] for r in metrics[max(0, i - 5) : i + 1])
                    for i in range(len(metrics))
                ]
                axes.plot(
                    [row["step"] for row in metrics],
                    smooth,
                    color=score,
                    linewidth=1,
                    linestyle="--",
                    label=labels[1],
                )
            axes.set_title(f"learned reward alone, guards {name}", color=ink, fontsize=10)
            axes.set_ylim(0, 1)
            axes.set_xlabel("step", color=ink)
            axes.tick_params(colors=ink)
            axes.spines[["top", "right"]].set_visible(False)
            axes.spines[["left", "bottom"]].set_color(ink)
        panels[0].legend(frameon=False, labelcolor=ink, loc="lower left", fontsize=9)
        figure.tight_layout()
        figure.savefig(out / "over_optimisation.svg", transparent=True, metadata={"Date": None})


def replay(out: Path, seeds: list[int]) -> None:
    """Print what three iterations give with a frozen model, and with updates by how much is replayed."""
    algorithm = {**GENTLE, "iterations": 3, "steps": 12, "std_floor": 0.15}
    modes: dict[str, dict[str, Any]] = {"no update": {**LEARNS, "updates": 0}}
    modes |= {name: {**LEARNS, "replay": reading} for name, reading in READINGS.items()}
    finals: dict[str, list[float]] = {name: [] for name in modes}
    for seed in seeds:
        model = reward_model(out, "addition", seed)
        learned = learned_task(out, "addition", model)
        pairs = str(out / f"pairs-addition-{seed}.jsonl")
        for name, settings in modes.items():
            own = {
                "entry": "learned",
                "history": pairs,
                "guard": False,
                "held_out_prompts": 240,
                **settings,
            }
            folder = run(out, f"replay-{name.replace(' ', '_')}", learned, seed, algorithm, reward_model=own)
            metrics = rows(folder, "metrics.jsonl")
            scores = [
                statistics.fmean(row["part/learned"] for row in metrics[i : i + 12]) for i in (0, 12, 24)
            ]
            gaps = [
                statistics.fmean(row["part/learned"] - row["accuracy"] for row in metrics[i : i + 12])
                for i in (0, 12, 24)
            ]
            print(
                f"seed {seed} {name:20}: accuracy {curve(accuracies(folder))}; score {curve(scores)};"
                f" score - accuracy {curve(gaps)}",
                flush=True,
            )
            finals[name].append(accuracies(folder)[-1])
    for name, values in finals.items():
        print(f"{name:20}: mean {statistics.fmean(values):.3f} ({curve(values)})")


def forgetting(out: Path, seeds: list[int]) -> None:
    """Print the accuracy on the frozen pairs of the first iteration, before and after three updates."""
    print("on the frozen pairs of the starting policy (of `replay`'s runs): before, after updates 1, 2, 3")
    for name in READINGS:
        for seed in seeds:
            updates = rows(out / f"replay-{name.replace(' ', '_')}-{seed}", "reward_model.jsonl")
            olds = [
                updates[0]["before"]["old"],
                *((row.get("after") or row["before"])["old"] for row in updates),
            ]
            said = " ".join("x" if not row["accepted"] else "ok" for row in updates)
            print(
                f"{name:20} seed {seed}: {curve([old['accuracy'] for old in olds])} ({olds[0]['count']} pairs; {said})"
            )


def process(out: Path, seeds: list[int]) -> None:
    """Print what a process reward model gives that is updated along, against a frozen one."""
    rule = {"use": "step_checker", "check": "code_as_solution", "split": "code"}
    algorithm = {**GENTLE, "mode": "process", "iterations": 3, "steps": 16, "lr": 3e-4}
    pairs: list[tuple[float, float]] = []
    for seed in seeds:
        folder = out / f"prm-{seed}"
        labels = out / f"labels-{seed}.jsonl"
        if not (folder / "prm.json").exists():
            command(
                "label",
                "list_programs",
                "--by",
                "rule",
                "-o",
                labels,
                "-n",
                4,
                "--limit",
                300,
                "--seed",
                seed,
            )
            training = ("--epochs", 6, "--lr", "1e-3", "--task", "list_programs", "--seed", seed)
            command("train-prm", labels, "-o", folder, *training)
        model = {"use": "prm", "model": str(folder.resolve()), "split": "code"}
        ends = []
        for name, updates in (("frozen", 0), ("updated", 60)):
            learns = {
                "entry": "process",
                "history": str(labels),
                "labels": rule,
                "updates": updates,
                "batch": 32,
                "lr": 1e-3,
            }
            done = run(
                out,
                f"process-{name}",
                Path("list_programs"),
                seed,
                algorithm,
                reward_model={**learns, "guard": False},
                task_overrides=[f"process={json.dumps(model)}"],
            )
            ends.append(accuracies(done)[-1])
            print(f"seed {seed} {name:7}: accuracy {curve(accuracies(done))}")
            for row in rows(done, "reward_model.jsonl"):
                for when in ("before", "after"):
                    if when in row:
                        new = row[when]["new"]
                        print(
                            f"    iteration {row['iteration']} {when:6}: first-error F1 {new['first_error_f1']:.3f}, balanced"
                            f" accuracy {new['balanced_accuracy']:.3f} on {new['count']} steps of the current policy"
                        )
        pairs.append((ends[0], ends[1]))
    differences = [updated - frozen for frozen, updated in pairs]
    print(f"updated - frozen, paired: {curve(differences)}; mean {statistics.fmean(differences):+.3f}")


def main() -> None:
    """Run one experiment."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", choices=("quality", "guard", "guard-code", "picture", "replay", "forgetting", "process")
    )
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--out", type=Path, default=Path("build/learned_rewards"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    seeds = [int(seed) for seed in args.seeds.split(",")]
    if args.what == "guard-code":
        guard(args.out.resolve(), seeds, "list_programs")
    else:
        globals()[args.what](args.out.resolve(), seeds)


if __name__ == "__main__":
    main()
