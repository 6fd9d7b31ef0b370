"""A training step beside TRL's: CPU time a completion token, and peak memory.

    python tests/benchmarks/step.py                 # every shape, then the memory of each side alone
    python tests/benchmarks/step.py --shape long    # one of them

Both sides train the same random Llama on the same prompts with the same reward (the share of digits), in
float32, on one thread, each through its whole loop: sampling, scoring, update, logging. They take
turns step by step in one process (TRL's loop runs, and after each of its steps one of ours), so that
what else the machine does hits both alike. Needs trl==1.16.0 beside markscheme[train].
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
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

SHAPES: dict[str, dict[str, int]] = {
    "8x8x64": {"groups": 8, "group_size": 8, "new_tokens": 64, "filler": 0, "hidden": 128, "layers": 4, "steps": 12},
    "long prompt": {"groups": 4, "group_size": 8, "new_tokens": 64, "filler": 240, "hidden": 128, "layers": 4, "steps": 8},
    "2x4x32": {"groups": 2, "group_size": 4, "new_tokens": 32, "filler": 0, "hidden": 64, "layers": 2, "steps": 60},
    "widely differing": {"groups": 4, "group_size": 8, "new_tokens": 768, "filler": 140, "hidden": 128, "layers": 4, "steps": 6},
}  # fmt: skip
WARM_UP = 2
CHARACTERS = "".join(map(chr, range(32, 127))) + "\n"


def digit_share(text: str) -> float:
    """The reward."""
    return sum(c.isdigit() for c in text) / max(len(text), 1)


def make_model(folder: Path, shape: dict[str, int], vocabulary: int | None = None) -> None:
    """Save a random Llama with a tokenizer of characters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from markscheme.trainer.models.tiny import build_tokenizer

    torch.manual_seed(0)
    tokenizer = build_tokenizer(tuple(CHARACTERS))
    config = LlamaConfig(
        vocab_size=vocabulary or len(tokenizer), hidden_size=shape["hidden"], intermediate_size=4 * shape["hidden"],
        num_hidden_layers=shape["layers"], num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=1024,
        tie_word_embeddings=False, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_prompts(filler: int) -> list[str]:
    """64 questions of 17 to 23 characters, with something before them."""
    from random import Random

    rng = Random(0)
    start = ("Work it out step by step. " * (filler // 26 + 1))[:filler]
    return [f"{start}Compute {rng.randint(1, 9999)} + {rng.randint(1, 9999)} = " for _ in range(64)]


class Ours:
    """Our loop, one step at a time."""

    def __init__(self, place: Path, shape: dict[str, int], **algorithm: Any):
        from markscheme.trainer.config.run_file import load_run
        from markscheme.trainer.run.folder import RunFolder
        from markscheme.trainer.run.progress import Silent
        from markscheme.trainer.run.setup import set_up

        (place / "digits.py").write_text(
            "from markscheme.rewards import reward\n@reward('digits')\ndef digits(problem, completion):\n"
            "    return sum(c.isdigit() for c in completion.text) / max(len(completion.text), 1)\n"
        )
        rows = [{"prompt": prompt, "reference": "0"} for prompt in make_prompts(shape["filler"])]
        (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (place / "digits.yaml").write_text(
            "name: digits\ndata: {path: rows.jsonl}\nproblem: {reference: '{{ reference }}'}\n"
            "rewards: {digits: {use: 'digits.py:digits'}}\n"
        )
        config = load_run(
            {
                "tasks": [str(place / "digits.yaml")],
                "policy": {"model": str(place / "model")},
                "algorithm": {
                    "preset": "trl",
                    "group_size": shape["group_size"],
                    "groups_per_step": shape["groups"],
                    "steps": 1000,
                    "lr": 1e-3,
                    "schedule": "constant",
                    **algorithm,
                },
                "sampling": {"max_new_tokens": shape["new_tokens"]},
                "save": {"every": 1000},
            }
        )
        self.run = set_up(config, RunFolder(place / "run"), False, Silent(), True)
        self.rows: list[tuple[float, int]] = []
        self.outside: list[float] = []

    def step(self) -> None:
        """Do one step and time it."""
        from markscheme.trainer.loop.grpo import grpo_step
        from markscheme.trainer.run.records import record_step

        run, began = self.run, time.process_time()
        made = grpo_step(run.done + 1, run.learner, run.engine, run.tasks, run.order)
        run.done = made.number
        record_step(run, made)
        tokens = sum(len(c.token_ids) for group in made.groups for c in group.completions)
        self.rows.append((time.process_time() - began, tokens))


class ModelTime:
    """CPU seconds in the model (its cache included) and the optimizer, and in picking tokens."""

    def __init__(self, ours: Ours):
        import torch

        from markscheme.trainer.engines import hf as hf_engine
        from markscheme.trainer.models import forward, kv_cache

        self.spent = {"model": 0.0, "sampling": 0.0}
        self._inside = False
        self._wrap(hf_engine.HfEngine, "forward", "model")
        self._wrap(hf_engine._Decoding, "_pick", "sampling")
        self._wrap(kv_cache.GrowingLayer, "reorder_cache", "model")
        self._wrap(forward.SharedPrompts, "__init__", "model")
        self._wrap(forward.SharedPrompts, "backward", "model")
        self._wrap(forward.Forward, "_logprobs", "model")
        self._wrap(torch.Tensor, "backward", "model")
        self._wrap(torch.nn.utils, "clip_grad_norm_", "model")
        self._wrap(ours.run.learner.optimizer, "step", "model")

    def _wrap(self, owner: Any, name: str, kind: str) -> None:
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


def outside(steps: int = 10) -> dict[str, float]:
    """Return the shares of a step, 8x8x64, that are neither the model's nor the optimizer's."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        make_model(place / "model", SHAPES["8x8x64"])
        ours = Ours(place, SHAPES["8x8x64"])
        for _ in range(WARM_UP):
            ours.step()
        watched, before = ModelTime(ours), len(ours.rows)
        for _ in range(steps):
            ours.step()
        total = sum(seconds for seconds, _ in ours.rows[before:])
        return {
            "outside": 1 - sum(watched.spent.values()) / total,
            "picking": watched.spent["sampling"] / total,
        }


def run_trl(place: Path, shape: dict[str, int], ours: Ours | None, steps: int) -> list[tuple[float, int]]:
    """TRL's loop, with one of our steps after each of its own."""
    import contextlib

    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer  # pyright: ignore[reportMissingImports]

    rows: list[tuple[float, int]] = []
    counted = {"tokens": 0, "began": 0.0}

    def digits(completions: list[str], completion_ids: list[list[int]], **kwargs: Any) -> list[float]:
        counted["tokens"] = sum(map(len, completion_ids))
        return [digit_share(text) for text in completions]

    class Turns(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            counted["began"] = counted["began"] or time.process_time()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            rows.append((time.process_time() - counted["began"], int(counted["tokens"])))
            if ours is not None:
                ours.step()
            counted["began"] = time.process_time()

    rows_per_step = shape["groups"] * shape["group_size"]
    config = GRPOConfig(
        output_dir=str(place / "trl"), per_device_train_batch_size=rows_per_step, gradient_accumulation_steps=1,
        num_generations=shape["group_size"], max_completion_length=shape["new_tokens"], learning_rate=1e-3,
        lr_scheduler_type="constant", max_steps=steps, temperature=1.0, top_p=1.0, top_k=0, logging_steps=10**6,
        save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True, shuffle_dataset=False, bf16=False,
        gradient_checkpointing=False,
    )  # fmt: skip
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(place / "model"), args=config, reward_funcs=[digits],
        processing_class=AutoTokenizer.from_pretrained(place / "model"), callbacks=[Turns()],
        train_dataset=Dataset.from_dict({"prompt": make_prompts(shape["filler"])}),
    )  # fmt: skip
    with contextlib.redirect_stdout(sys.stderr):
        trainer.train()
    return rows


def per_token(rows: list[tuple[float, int]]) -> float:
    """The median step's CPU milliseconds a completion token."""
    return statistics.median(1000 * seconds / tokens for seconds, tokens in rows[WARM_UP:])


def one(name: str, side: str) -> None:
    """Run one shape here and print a line of JSON."""
    import torch

    torch.set_num_threads(1)
    shape = SHAPES[name]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        make_model(place / "model", shape)
        ours = Ours(place, shape) if side in ("both", "ours") else None
        steps = shape["steps"] + WARM_UP if side == "both" else 4
        theirs = run_trl(place, shape, ours, steps) if side in ("both", "trl") else []
        if side == "ours" and ours is not None:
            for _ in range(steps):
                ours.step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found: dict[str, Any] = {"shape": name, "side": side, "peak_mib": round(peak, 1)}
    if theirs:
        found |= {"trl_ms": per_token(theirs), "trl_tokens": statistics.fmean(t for _, t in theirs)}
    if ours is not None:
        found |= {"ours_ms": per_token(ours.rows), "tokens": statistics.fmean(t for _, t in ours.rows)}
    print(json.dumps(found))


def apart(name: str, side: str) -> dict[str, Any]:
    """Run one shape in a process of its own."""
    command = [sys.executable, __file__, "--shape", name, "--side", side]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(ran.stderr[-3000:])
    return json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, help="only this one")
    parser.add_argument("--side", choices=("both", "ours", "trl"), help="here, in this process")
    parser.add_argument("--outside", action="store_true", help="only the share that is not model compute")
    args = parser.parse_args()
    if args.outside:
        return print(json.dumps(outside()))
    if args.side:
        return one(args.shape or "8x8x64", args.side)
    print("CPU milliseconds a completion token, one thread, median step, interleaved")
    print(f"{'shape':18} {'TRL 1.16':>9} {'ours':>8} {'ratio':>6}   tokens a step (TRL, ours)")
    for name in [args.shape] if args.shape else SHAPES:
        found = apart(name, "both")
        ratio = found["ours_ms"] / found["trl_ms"]
        print(
            f"{name:18} {found['trl_ms']:9.3f} {found['ours_ms']:8.3f} {ratio:6.2f}"
            f"   {found['trl_tokens']:.0f}, {found['tokens']:.0f}",
            flush=True,
        )
    ran = subprocess.run([sys.executable, __file__, "--outside"], capture_output=True, text=True)
    shares = json.loads(ran.stdout.splitlines()[-1])
    print(
        f"8x8x64, share of the step's CPU time outside of model and optimizer: {shares['outside']:.1%}"
        f" (and {shares['picking']:.1%} picks tokens)"
    )
    for name in [args.shape] if args.shape else ("8x8x64", "widely differing"):
        peaks = {side: apart(name, side)["peak_mib"] for side in ("trl", "ours")}
        print(
            f"peak memory alone, {name}: TRL {peaks['trl']:.0f} MiB, ours {peaks['ours']:.0f} MiB,"
            f" {peaks['ours'] / peaks['trl']:.2f}"
        )


if __name__ == "__main__":
    main()
