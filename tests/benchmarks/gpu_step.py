"""A training step of a real size: random-weight Qwen-class models, the plain way against ours.

    python tests/benchmarks/gpu_step.py                     # every case, on the GPU
    python tests/benchmarks/gpu_step.py --model 0.5B --completion 1024 --group 8
    python tests/benchmarks/gpu_step.py --tiny --device cpu # only to see that it runs

Needs torch 2.11+, transformers 5.16+, pydantic and jinja2; nothing is installed or downloaded. One step is 4
prompts of 160 tokens with G completions each, whose lengths are spread over a quarter to all of the
given length. `plain`: every completion with its prompt, padded to the longest, logits of every position.
`ours`: prompts once, rows by length, the head in pieces. Both compute in bfloat16 over float32 weights,
with layers computed again in the backward pass, and both split into passes of the same budget of tokens.
Sampling is timed on the first `--sample` tokens.
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
if importlib.util.find_spec("markscheme") is None:  # from a checkout, without an install
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


class Ids:
    """In the place of a tokenizer: nothing here is text."""

    pad_token_id = 0

    def decode(self, ids: Any, **kwargs: Any) -> str:
        """Return nothing."""
        return ""


def make_policy(size: str, device: torch.device) -> Policy:
    """Return a random model of a size, float32 weights, bfloat16 computation."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    vocabulary = 512 if size == "tiny" else VOCABULARY
    config = Qwen2Config(
        vocab_size=vocabulary, num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=32768, **SIZES[size]
    )  # fmt: skip
    with device:
        model = Qwen2ForCausalLM(config).float().eval()
    checkpoint_layers(model, size)
    return Policy(model, Ids(), (vocabulary - 1,), size, dtype=torch.bfloat16)


def make_completions(vocabulary: int, length: int, group: int) -> list[Completion]:
    """Return the completions of a step, of random tokens."""
    generator = torch.Generator().manual_seed(1)

    def ids(n: int) -> list[int]:
        return torch.randint(1, vocabulary - 1, (n,), generator=generator).tolist()

    made = []
    for _ in range(GROUPS):
        prompt = ids(PROMPT)
        for i in range(group):
            n = length // 4 + (3 * length // 4) * i // max(group - 1, 1)
            made.append(Completion("", token_ids=ids(n), prompt_token_ids=prompt, logprobs=[-1.0] * n))
    return made


class Clock:
    """Seconds of each phase, the device waited for."""

    def __init__(self, device: torch.device):
        self.device, self.seconds = device, dict[str, float]()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what is inside."""
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
    """Do one update; the advantages are those of half right, half wrong."""
    rows = len(completions)
    sampled = Sampled(completions, for_each_token(completions, [1.0 if i % 2 else -1.0 for i in range(rows)]))
    forward = Forward(policy, budget=budget, temperature=1.0, way=way)  # type: ignore[arg-type]
    passes = forward.passes(policy.model, sampled, range(rows))
    while True:
        with clock.phase("forward"):
            found = next(passes, None)  # at a block's end also the backward pass through its prompts
        if found is None:
            break
        batch, logprobs_BT, _ = found
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


def sample(policy: Policy, completions: list[Completion], group: int, tokens: int, clock: Clock) -> None:
    """Sample the first tokens of every completion."""
    prompts = [EncodedPrompt(c.prompt_token_ids) for c in completions[::group]]
    with clock.phase("sampling"):
        list(_engine(policy).generate(prompts, group, SamplingConfig(max_new_tokens=tokens), seed=0))


_ENGINES: dict[int, HfEngine] = {}


def _engine(policy: Policy) -> HfEngine:
    return _ENGINES.setdefault(id(policy), HfEngine(policy))


def case(size: str, length: int, group: int, device: torch.device, tokens: int, budget: int) -> None:
    """Measure one case both ways and print it."""
    policy = make_policy(size, device)
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=1e-6, fused=True)
    completions = make_completions(policy.model.config.vocab_size, length, group)
    total = sum(len(c.token_ids) for c in completions)
    sampling = Clock(device)
    _engine(policy)  # its probe is not part of the time
    sample(policy, completions, group, tokens, sampling)
    rate = len(completions) * tokens / sampling.seconds["sampling"]
    rows = {}
    for way in ("whole", "shared"):
        seconds, peak = _measured(policy, completions, way, budget, device, optimizer)
        spent = sum(seconds.values())
        shares = {name: round(value / spent, 3) for name, value in seconds.items()}
        rows[way] = {"tokens_per_s": round(total / spent), "peak_gb": round(peak, 2), "shares": shares}
    print(
        json.dumps(
            {
                "model": size,
                "completion": length,
                "group": group,
                "tokens": total,
                "plain": rows["whole"],
                "ours": rows["shared"],
                "speed": round(rows["shared"]["tokens_per_s"] / max(rows["whole"]["tokens_per_s"], 1), 2),
                "sampling_tokens_per_s": round(rate),
            }
        ),
        flush=True,
    )
    del policy, optimizer
    _ENGINES.clear()
    gc.collect()


def _measured(
    policy: Policy, completions: list[Completion], way: str, budget: int, device: torch.device, optimizer: Any
) -> tuple[dict[str, float], float]:
    """Return the seconds of each phase and the peak in GB, after one round to warm up."""
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


def main() -> None:
    """Print one line of JSON a case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("0.5B", "1.5B"), action="append")
    parser.add_argument("--completion", type=int, action="append")
    parser.add_argument("--group", type=int, action="append")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sample", type=int, default=128, help="tokens of each completion that are sampled")
    parser.add_argument("--budget", type=int, default=16384, help="tokens of one pass")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    device = torch.device(args.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}", file=sys.stderr)
    if args.tiny:
        return case("tiny", 64, 4, device, 8, 1024)
    for size in args.model or ("0.5B", "1.5B"):
        for length in args.completion or (1024, 4096):
            for group in args.group or (8, 16):
                case(size, length, group, device, args.sample, args.budget)
    return None


if __name__ == "__main__":
    main()
