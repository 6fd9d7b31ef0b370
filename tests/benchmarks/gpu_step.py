"""A training step of a real size: Qwen-class models with random weights, the plain way against ours.

    python tests/benchmarks/gpu_step.py                     # every case, on the GPU
    python tests/benchmarks/gpu_step.py --model 0.5B --completion 1024 --group 8
    python tests/benchmarks/gpu_step.py --tiny --device cpu # only to see that it runs

Needs torch 2.11+, transformers 5.16+, pydantic and jinja2; nothing is installed or downloaded. One step has four
prompts of 160 tokens with `--group` completions each, whose lengths are spread from a quarter of `--completion`
tokens to all of them. `plain` computes every completion together with its prompt, padded to the longest, and the
logits of every position. `ours` computes each prompt once, batches completions by length, and computes the logits
of completion tokens only, a piece at a time. Both compute in bfloat16 over float32 weights, recompute layers in the
backward pass, and split the step into passes of the same number of tokens (`--budget`). Sampling is timed on the
first `--sample` tokens of each completion.
"""

import argparse
import gc
import importlib.util
import json
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if importlib.util.find_spec("markscheme") is None:
    # Not installed: the root of the checkout is the package, under another name.
    package = types.ModuleType("markscheme")
    package.__path__ = [str(ROOT)]
    sys.modules["markscheme"] = package

import torch
from torch.nn.utils import clip_grad_norm_

from markscheme.tasks import Completion
from markscheme.trainer.config.run_config import SamplingConfig
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.models.batch import Sampled, for_each_token
from markscheme.trainer.models.forward import Forward
from markscheme.trainer.models.load_policy import checkpoint_layers
from markscheme.trainer.models.policy import EncodedPrompt, Policy
from markscheme.trainer.objective.policy_loss import policy_loss

SIZES: dict[str, Any] = {
    "0.5B": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    "1.5B": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4},
}  # fmt: skip
VOCABULARY, PROMPT, GROUPS = 151_936, 160, 4


class NoTokenizer:
    """Stands in for a tokenizer: the benchmark works on random token ids, and never on text."""

    pad_token_id = 0
    eos_token_id = None

    def decode(self, ids: Any, **kwargs: Any) -> str:
        return ""


def make_policy(size: str, device: torch.device) -> Policy:
    """Return a random model of one of `SIZES`, with float32 weights that computes in bfloat16."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    vocabulary = 512 if size == "tiny" else VOCABULARY
    config = Qwen2Config(
        vocab_size=vocabulary,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        max_position_embeddings=32768,
        **SIZES[size],
    )
    with device:
        model = Qwen2ForCausalLM(config).float().eval()
    checkpoint_layers(model, size)
    return Policy(model, NoTokenizer(), (vocabulary - 1,), size, dtype=torch.bfloat16)


def make_completions(vocabulary: int, length: int, group: int) -> list[Completion]:
    """Return the completions of a step, of random tokens; those of a group differ evenly in length."""
    generator = torch.Generator().manual_seed(1)

    def random_ids(count: int) -> list[int]:
        return torch.randint(1, vocabulary - 1, (count,), generator=generator).tolist()

    completions = []
    for _ in range(GROUPS):
        prompt = random_ids(PROMPT)
        for i in range(group):
            tokens = length // 4 + (3 * length // 4) * i // max(group - 1, 1)
            completions.append(
                Completion(
                    "", token_ids=random_ids(tokens), prompt_token_ids=prompt, logprobs=[-1.0] * tokens
                )
            )
    return completions


class Clock:
    """The seconds of each phase. It waits for the GPU at both ends, because CUDA calls return before they are done."""

    def __init__(self, device: torch.device):
        self.device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to `seconds[name]`."""
        self._wait()
        began = time.perf_counter()
        yield
        self._wait()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def update(
    policy: Policy, completions: list[Completion], way: str, budget: int, clock: Clock, optimizer: Any
) -> None:
    """Do one update, with the advantages of a step in which every second completion is right."""
    rows = len(completions)
    advantages = [1.0 if i % 2 else -1.0 for i in range(rows)]
    sampled = Sampled(completions, for_each_token(completions, advantages))
    forward = Forward(policy, budget=budget, temperature=1.0, way=way)  # type: ignore[arg-type]
    passes = forward.passes(policy.model, sampled, range(rows))
    while True:
        # At the end of a block of prompts, this also does the backward pass through them.
        with clock.phase("forward"):
            next_pass = next(passes, None)
        if next_pass is None:
            break
        batch, logprobs_BT, _ = next_pass
        loss, _ = policy_loss(
            logprobs_BT,
            logprobs_BT.detach(),
            batch.advantages_BT,
            batch.mask_BT,
            aggregate="sequence_mean",
            denominator=rows,
        )
        with clock.phase("backward"):
            loss.backward()
    with clock.phase("optimizer"):
        clip_grad_norm_(policy.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def measure_update(
    policy: Policy, completions: list[Completion], way: str, budget: int, device: torch.device, optimizer: Any
) -> tuple[dict[str, float], float]:
    """Return the seconds of each phase of an update and the peak memory in GB, after one update to warm up.

    Both are infinite if the memory does not suffice.
    """
    try:
        update(policy, completions, way, budget, Clock(device), optimizer)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        clock = Clock(device)
        update(policy, completions, way, budget, clock, optimizer)
    except torch.OutOfMemoryError:
        optimizer.zero_grad()
        return {"out of memory": float("inf")}, float("inf")
    peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else float("nan")
    return clock.seconds, peak


def tokens_sampled_per_s(
    policy: Policy, completions: list[Completion], group: int, tokens: int, device: torch.device
) -> float:
    """Sample the first tokens of every completion, and return the tokens per second."""
    engine = HfEngine(policy)  # outside the timed block: it first checks the model with a probe
    prompts = [EncodedPrompt(completion.prompt_token_ids) for completion in completions[::group]]
    clock = Clock(device)
    with clock.phase("sampling"):
        list(engine.generate(prompts, group, SamplingConfig(max_new_tokens=tokens), seed=0))
    return len(completions) * tokens / clock.seconds["sampling"]


def measure_case(
    size: str, length: int, group: int, device: torch.device, sampled_tokens: int, budget: int
) -> None:
    """Measure sampling and the update both ways, and print a line of JSON."""
    policy = make_policy(size, device)
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=1e-6, fused=True)
    completions = make_completions(policy.model.config.vocab_size, length, group)
    tokens = sum(len(completion.token_ids) for completion in completions)
    sampling_rate = tokens_sampled_per_s(policy, completions, group, sampled_tokens, device)
    results = {}
    for way in ("whole", "shared"):
        seconds, peak = measure_update(policy, completions, way, budget, device, optimizer)
        total = sum(seconds.values())
        shares = {phase: round(value / total, 3) for phase, value in seconds.items()}
        results[way] = {"tokens_per_s": round(tokens / total), "peak_gb": round(peak, 2), "shares": shares}
    line = {
        "model": size,
        "completion": length,
        "group": group,
        "tokens": tokens,
        "plain": results["whole"],
        "ours": results["shared"],
        "speed": round(results["shared"]["tokens_per_s"] / max(results["whole"]["tokens_per_s"], 1), 2),
        "sampling_tokens_per_s": round(sampling_rate),
    }
    print(json.dumps(line), flush=True)
    # Objects in reference cycles keep the weights alive; free them before the next model is made.
    del policy, optimizer
    gc.collect()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("0.5B", "1.5B"), action="append")
    parser.add_argument("--completion", type=int, action="append", help="tokens of the longest completion")
    parser.add_argument("--group", type=int, action="append", help="completions per prompt")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sample", type=int, default=128, help="tokens to sample of each completion")
    parser.add_argument("--budget", type=int, default=16384, help="tokens per pass")
    parser.add_argument("--tiny", action="store_true", help="one small case, only to see that it runs")
    args = parser.parse_args()
    device = torch.device(args.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}", file=sys.stderr)
    if args.tiny:
        measure_case("tiny", 64, 4, device, sampled_tokens=8, budget=1024)
        return
    for size in args.model or ("0.5B", "1.5B"):
        for length in args.completion or (1024, 4096):
            for group in args.group or (8, 16):
                measure_case(size, length, group, device, args.sample, args.budget)


if __name__ == "__main__":
    main()
