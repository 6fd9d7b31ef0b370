"""A training step beside TRL's: CPU time per completion token, and peak memory.

    python tests/benchmarks/step.py                         # every shape, then the memory of each side alone
    python tests/benchmarks/step.py --shape "long prompt"   # one of them

Both sides train the same random Llama on the same prompts with the same reward (the share of digits), in
float32, on one thread, each through its whole loop: sampling, scoring, update, logging. They take turns in one
process: after each step of TRL's loop, our loop does one step. So whatever else the machine is doing slows
both alike. Needs trl==1.16.0 beside markscheme[train].
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

from step_inputs import LEARNING_RATE, SHAPES, TimedStep, make_model, make_prompts

WARM_UP = 2
"""The first steps, which are not counted."""
STEPS_FOR_MEMORY = 4
REWARD_FILE = """
from markscheme.rewards import reward
@reward('digits')
def digits(problem, completion):
    return sum(c.isdigit() for c in completion.text) / max(len(completion.text), 1)
"""
TASK_FILE = """
name: digits
data: {path: rows.jsonl}
problem: {reference: '{{ reference }}'}
rewards: {digits: {use: 'digits.py:digits'}}
"""


def write_task(folder: Path, shape: dict[str, Any]) -> Path:
    """Write the prompts and the reward as a task, and return the task's file."""
    rows = [{"prompt": prompt, "reference": "0"} for prompt in make_prompts(shape)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "digits.py").write_text(REWARD_FILE)
    task = folder / "digits.yaml"
    task.write_text(TASK_FILE)
    return task


class MarkschemeLoop:
    """Our training loop, one step at a time."""

    def __init__(self, folder: Path, shape: dict[str, Any]):
        from markscheme.trainer.config.run_file import load_run
        from markscheme.trainer.run.folder import RunFolder
        from markscheme.trainer.run.progress import Silent
        from markscheme.trainer.run.resume import Start
        from markscheme.trainer.run.setup import set_up

        config = load_run(
            {
                "tasks": [str(write_task(folder, shape))],
                "policy": {"model": str(folder / "model"), "chat_template": False},
                "algorithm": {
                    "preset": "trl",
                    "group_size": shape["group_size"],
                    "groups_per_step": shape["groups"],
                    "steps": 1000,
                    "lr": shape.get("lr", LEARNING_RATE),
                    "schedule": "constant",
                },
                "sampling": {"max_new_tokens": shape["new_tokens"]},
                "save": {"every": 1000},
            }
        )
        self.run = set_up(config, RunFolder(folder / "run"), Start(), Silent(), True)
        self.steps: list[TimedStep] = []

    def step(self) -> None:
        """Do one step and append its cost to `steps`."""
        from markscheme.trainer.loop.grpo import grpo_step
        from markscheme.trainer.run.records import record_step

        run, began = self.run, time.process_time()
        result = grpo_step(run.done + 1, run.learner, run.engine, run.tasks, run.order)
        run.done = result.number
        record_step(run, result)
        tokens = sum(len(completion.token_ids) for group in result.groups for completion in group.completions)
        self.steps.append(TimedStep(time.process_time() - began, tokens))


class ModelTime:
    """The CPU seconds spent in the model (with its cache) and the optimizer, and those spent picking tokens."""

    def __init__(self, loop: MarkschemeLoop):
        import torch

        from markscheme.trainer.engines import hf as hf_engine
        from markscheme.trainer.models import forward, kv_cache

        self.spent = {"model": 0.0, "sampling": 0.0}
        self._inside = False
        """Whether a timed function is running, so that one called by another isn't counted twice."""
        self._time_calls(hf_engine.HfEngine, "forward", "model")
        self._time_calls(hf_engine._Decoding, "_pick", "sampling")
        self._time_calls(kv_cache.GrowingLayer, "reorder_cache", "model")
        self._time_calls(forward.SharedPrompts, "__init__", "model")
        self._time_calls(forward.SharedPrompts, "backward", "model")
        self._time_calls(forward.Forward, "_logprobs", "model")
        self._time_calls(torch.Tensor, "backward", "model")
        self._time_calls(torch.nn.utils, "clip_grad_norm_", "model")
        self._time_calls(loop.run.learner.optimizer, "step", "model")

    def _time_calls(self, owner: Any, name: str, kind: str) -> None:
        """Replace a function of a class, an object or a module with one that adds its time to `spent[kind]`."""
        function = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return function(*args, **kwargs)
            began, self._inside = time.process_time(), True
            try:
                return function(*args, **kwargs)
            finally:
                self.spent[kind] += time.process_time() - began
                self._inside = False

        setattr(owner, name, timed)


def shares_outside_the_model(steps: int = 10) -> dict[str, float]:
    """Return which share of the CPU time of our step, 8x8x64, is spent outside the model and the optimizer.

    Picking tokens is a share of its own (`picking`), and not part of `outside`.
    """
    shape = SHAPES["8x8x64"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "model", shape)
        loop = MarkschemeLoop(folder, shape)
        for _ in range(WARM_UP):
            loop.step()
        model_time = ModelTime(loop)
        for _ in range(steps):
            loop.step()
    total = sum(step.cpu_s for step in loop.steps[WARM_UP:])
    return {
        "outside": 1 - sum(model_time.spent.values()) / total,
        "picking": model_time.spent["sampling"] / total,
    }


def ms_per_token(steps: Sequence[TimedStep]) -> float:
    """Return the median over the steps of CPU milliseconds per completion token."""
    return statistics.median(1000 * step.cpu_s / step.tokens for step in steps[WARM_UP:])


def tokens_per_step(steps: Sequence[TimedStep]) -> float:
    return statistics.fmean(step.tokens for step in steps)


def measure(shape_name: str, side: str) -> dict[str, Any]:
    """Train in this process with one side or with both; return the peak memory and each side's times."""
    import torch

    torch.set_num_threads(1)
    shape = SHAPES[shape_name]
    our_loop: MarkschemeLoop | None = None
    trl_steps: list[TimedStep] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder / "model", shape)
        if side != "trl":
            our_loop = MarkschemeLoop(folder, shape)
        steps = shape["steps"] + WARM_UP if side == "both" else STEPS_FOR_MEMORY
        if side == "ours" and our_loop is not None:
            for _ in range(steps):
                our_loop.step()
        else:
            from step_trl import train_with_trl  # only where TRL is needed: it adds to the peak memory

            trl_steps = train_with_trl(folder, shape, steps, our_loop.step if our_loop else None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result: dict[str, Any] = {"shape": shape_name, "side": side, "peak_mib": round(peak, 1)}
    if trl_steps:
        result |= {"trl_ms": ms_per_token(trl_steps), "trl_tokens": tokens_per_step(trl_steps)}
    if our_loop is not None:
        result |= {"ours_ms": ms_per_token(our_loop.steps), "tokens": tokens_per_step(our_loop.steps)}
    return result


def run_in_new_process(*arguments: str) -> dict[str, Any]:
    """Run this script with other arguments, and return the JSON that it prints."""
    command = [sys.executable, __file__, *arguments]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{process.stderr[-3000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def print_times(shape_names: Sequence[str]) -> None:
    print("CPU milliseconds per completion token, one thread, median step, the two sides in turn")
    print(f"{'shape':18} {'TRL 1.16':>9} {'ours':>8} {'ratio':>6}   tokens per step (TRL, ours)")
    for name in shape_names:
        result = run_in_new_process("--shape", name, "--side", "both")
        ratio = result["ours_ms"] / result["trl_ms"]
        print(
            f"{name:18} {result['trl_ms']:9.3f} {result['ours_ms']:8.3f} {ratio:6.2f}"
            f"   {result['trl_tokens']:.0f}, {result['tokens']:.0f}",
            flush=True,
        )


def print_shares_outside_the_model() -> None:
    shares = run_in_new_process("--outside")
    print(
        f"8x8x64, our step: {shares['outside']:.1%} of its CPU time is spent outside the model and the optimizer,"
        f" and another {shares['picking']:.1%} on picking tokens"
    )


def print_memory(shape_names: Sequence[str]) -> None:
    for name in shape_names:
        trl, ours = (
            run_in_new_process("--shape", name, "--side", side)["peak_mib"] for side in ("trl", "ours")
        )
        print(
            f"{name}, peak memory of each side alone: TRL {trl:.0f} MiB, ours {ours:.0f} MiB, ratio {ours / trl:.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, help="measure only this shape")
    parser.add_argument(
        "--side", choices=("both", "ours", "trl"), help="measure in this process, and print JSON"
    )
    parser.add_argument(
        "--outside", action="store_true", help="only the share outside the model, in this process, as JSON"
    )
    args = parser.parse_args()
    if args.outside:
        print(json.dumps(shares_outside_the_model()))
    elif args.side:
        print(json.dumps(measure(args.shape or "8x8x64", args.side)))
    else:
        print_times([args.shape] if args.shape else list(SHAPES))
        print_shares_outside_the_model()
        print_memory([args.shape] if args.shape else ["8x8x64", "widely differing", "SmolLM2-135M"])


if __name__ == "__main__":
    main()
