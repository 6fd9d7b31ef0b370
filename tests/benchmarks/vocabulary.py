"""Peak memory of an update with a vocabulary of 150,000: 8 x 8 completions of 512 tokens.

    python tests/benchmarks/vocabulary.py

The plain way computes the logits of every token at once; ours applies the output head to completion tokens only,
a piece at a time. Each is measured in a process of its own, on a small random Llama. The plain way gets fewer
completions, and is measured with two and with four, to show what its memory grows with.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from markscheme.tasks import Completion
from step_inputs import make_model

# torch is imported inside functions, to keep the process small that starts the measured ones: on Linux, the peak
# memory that a new process reports is at least its parent's.

VOCABULARY = 150_000
COMPLETION_TOKENS = 512
PROMPT_TOKENS = 24
ALL_AT_ONCE = 1 << 30
"""A number of tokens per pass that no update reaches."""


def random_completions(count: int) -> list[Completion]:
    """Return completions of random tokens, eight per prompt."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def random_ids(length: int) -> list[int]:
        return torch.randint(2, VOCABULARY, (length,), generator=generator).tolist()

    prompts = [random_ids(PROMPT_TOKENS) for _ in range(math.ceil(count / 8))]
    return [
        Completion(
            "",
            token_ids=random_ids(COMPLETION_TOKENS),
            prompt_token_ids=prompts[i // 8],
            logprobs=[0.0] * COMPLETION_TOKENS,
        )
        for i in range(count)
    ]


def measure(way: str, count: int) -> dict[str, float]:
    """Do a forward and a backward pass over `count` completions in this process.

    Returns the CPU seconds, and by how many MiB the peak memory exceeds that of the loaded model.
    """
    import torch

    from markscheme.trainer.config.run_config import PolicyConfig
    from markscheme.trainer.models.batch import Sampled, for_each_token
    from markscheme.trainer.models.forward import Forward
    from markscheme.trainer.models.load_policy import load_policy

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), {"hidden": 64, "layers": 2}, VOCABULARY)
        policy = load_policy(PolicyConfig(), folder, torch.device("cpu"))
    completions = random_completions(count)
    before = peak_mib()
    began = time.process_time()
    budget = None if way == "shared" else ALL_AT_ONCE
    forward = Forward(policy, budget=budget, temperature=1.0, way=way)  # type: ignore[arg-type]
    sampled = Sampled(completions, for_each_token(completions, [1.0] * count))
    for _, logprobs, _ in forward.passes(policy.model, sampled, range(count)):
        logprobs.sum().backward()
    return {"peak_mib": peak_mib() - before, "cpu_s": time.process_time() - began}


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--way",
        choices=("shared", "whole"),
        help="measure our way (shared) or the plain one (whole) in this process, and print JSON",
    )
    parser.add_argument("--rows", type=int, default=64, help="number of completions, with --way")
    args = parser.parse_args()
    if args.way:
        print(json.dumps(measure(args.way, args.rows)))
        return
    print(
        f"one update, vocabulary {VOCABULARY:,}, completions of {COMPLETION_TOKENS} tokens;"
        " peak memory above that of the loaded model"
    )
    for way, count in (("whole", 2), ("whole", 4), ("shared", 8), ("shared", 64)):
        command = [sys.executable, __file__, "--way", way, "--rows", str(count)]
        process = subprocess.run(command, capture_output=True, text=True)
        name = "plain" if way == "whole" else "ours"
        if process.returncode:
            print(f"{name:6} {count:3} completions: exit status {process.returncode} (out of memory?)")
            continue
        result = json.loads(process.stdout.splitlines()[-1])
        all_logits_mib = count * COMPLETION_TOKENS * VOCABULARY * 4 / 2**20
        print(
            f"{name:6} {count:3} completions: {result['peak_mib']:8,.0f} MiB, {result['cpu_s']:.0f} s of CPU time"
            f" (their logits alone: {all_logits_mib:,.0f} MiB)",
            flush=True,
        )


if __name__ == "__main__":
    main()
