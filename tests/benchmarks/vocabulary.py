"""Peak memory of an update with a vocabulary of 150,000: 8 x 8 completions of 512 tokens.

    python tests/benchmarks/vocabulary.py

The plain way (logits of every token at once) against ours (the head on completion tokens, in pieces), each
in a process of its own, on a small random Llama. The plain way is also given fewer completions, to
show what its memory grows with.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

VOCABULARY, TOKENS, PROMPT = 150_000, 512, 24


def measure(way: str, rows: int) -> dict[str, float]:
    """Do one forward and backward pass over `rows` completions, eight to a prompt."""
    import torch
    from step_inputs import make_model

    from markscheme.tasks import Completion
    from markscheme.trainer.config.run_config import PolicyConfig
    from markscheme.trainer.models.batch import Sampled, for_each_token
    from markscheme.trainer.models.forward import Forward
    from markscheme.trainer.models.load_policy import load_policy

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), {"hidden": 64, "layers": 2}, VOCABULARY)
        policy = load_policy(PolicyConfig(), folder, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)

    def ids(n: int) -> list[int]:
        return torch.randint(2, VOCABULARY, (n,), generator=generator).tolist()

    prompts = [ids(PROMPT) for _ in range(-(-rows // 8))]
    completions = [
        Completion("", token_ids=ids(TOKENS), prompt_token_ids=prompts[i // 8], logprobs=[0.0] * TOKENS)
        for i in range(rows)
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.process_time()
    budget = None if way == "shared" else 1 << 30
    forward = Forward(policy, budget=budget, temperature=1.0, way=way)  # type: ignore[arg-type]
    sampled = Sampled(completions, for_each_token(completions, [1.0] * rows))
    for _, logprobs, _ in forward.passes(policy.model, sampled, range(rows)):
        logprobs.sum().backward()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak_mib": peak - before, "cpu_s": time.process_time() - began}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--way", choices=("shared", "whole"), help="here, in this process")
    parser.add_argument("--rows", type=int, default=64)
    args = parser.parse_args()
    if args.way:
        return print(json.dumps(measure(args.way, args.rows)))
    print(
        f"one update, vocabulary {VOCABULARY:,}, completions of {TOKENS} tokens; memory above the loaded model"
    )
    for way, rows in (("whole", 2), ("whole", 4), ("shared", 8), ("shared", 64)):
        command = [sys.executable, __file__, "--way", way, "--rows", str(rows)]
        ran = subprocess.run(command, capture_output=True, text=True)
        name = "plain" if way == "whole" else "ours"
        if ran.returncode:
            print(f"{name:6} {rows:3} completions: ended by {ran.returncode} (out of memory?)")
            continue
        found = json.loads(ran.stdout.splitlines()[-1])
        logits = rows * TOKENS * VOCABULARY * 4 / 2**20
        print(
            f"{name:6} {rows:3} completions: {found['peak_mib']:8,.0f} MiB (all logits once: {logits:,.0f} MiB),"
            f" {found['cpu_s']:.0f} s of CPU",
            flush=True,
        )


if __name__ == "__main__":
    main()
