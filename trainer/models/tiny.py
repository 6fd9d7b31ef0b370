"""The embedded policy: a 125,000-parameter Llama, built and warm-started here, nothing downloaded.

The tokenizer's tokens are a generator's text pieces. The warm start imitates the generator's sloppy
teacher, so that the policy has the skill and the format but prefers the wrong rule: its samples
hold what GRPO then selects. Saved as a plain Hugging Face folder in the user's cache, under a hash
of everything that goes into it.
"""

import hashlib
import inspect
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import torch
import transformers

from ...sandbox.errors import PolicyError
from ...tasks.problems import make_generator
from ...tasks.registry import GENERATORS, resolve
from ...tasks.schema import Task

RECIPE: dict[str, Any] = {
    "version": 1,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,  # head size 32: the smallest that vLLM's CPU attention takes
    "max_position_embeddings": 128,
    "initializer_range": 0.05,
    "sft_steps": 900,  # unless the generator says `warm_start_steps`
    "batch": 32,
    "lr": 5e-3,
    "betas": (0.9, 0.98),
    "weight_decay": 0.01,
    "warmup_steps": 20,
    "lr_floor": 0.01,  # of the cosine: noise at the end could flip which rule is the likelier one
}
PAD, EOS = "<pad>", "<eos>"


def tiny_policy(task: Task, seed: int, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """Return the folder of the tiny policy for a task, building it if it is not in the cache.

    Args:
        task: its generator must have `pieces` and `teacher`.
        seed: of the initial weights and the warm start's problems.
        progress: called with (steps done, steps in all).

    Raises:
        PolicyError: the task has no generator with a teacher.
    """
    generator = _generator(task)
    folder = cache_folder() / f"tiny-{type(generator).__name__.lower()}-{_key(task, generator, seed)}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
    try:
        with one_thread():
            _build(generator, task, seed, building, progress)
        building.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was quicker, with the same result
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: fastest at this size, and the same bits whoever asks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cache_folder() -> Path:
    """Return the user's cache folder for built policies."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "markscheme"


def _generator(task: Task) -> Any:
    name = task.data.generator
    where = task.where("data", "generator")
    if name is not None:
        made = resolve(name, [GENERATORS], folder=task.folder, where=where, allow_code=task.allow_code)
        generator = make_generator(made, task.data.parameters, where)
        if hasattr(generator, "teacher") and hasattr(generator, "pieces"):
            return generator
    raise PolicyError(
        "policy.model `tiny` needs a task whose generator has a teacher (such as"
        f" `addition`); for {task.name!r}"
        " give a model: --model FOLDER_OR_HUB_ID, or for train --set policy.model=FOLDER_OR_HUB_ID"
    )


def _key(task: Task, generator: Any, seed: int) -> str:
    """Return a hash of everything that the built policy depends on."""
    source = Path(inspect.getfile(type(generator)))
    content = {
        "recipe": RECIPE,
        "generator": task.data.generator,
        "parameters": task.data.parameters,
        "pieces": list(generator.pieces),
        "prompt": task.problem.prompt,
        "seed": seed,
        "source": hashlib.sha256(source.read_bytes()).hexdigest(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def build_tokenizer(pieces: tuple[str, ...]) -> Any:
    """Return a tokenizer whose tokens are exactly `pieces`, the longest taken first."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate((PAD, EOS, "<unk>", *pieces))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    longest_first = sorted(pieces, key=len, reverse=True)
    pattern = "|".join(
        "".join(f"\\{c}" if not c.isalnum() and c != "\n" else c for c in p) for p in longest_first
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.Fuse()  # pyright: ignore[reportAttributeAccessIssue]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _build(
    generator: Any, task: Task, seed: int, folder: Path, progress: Callable[[int, int], None] | None
) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tokenizer(tuple(generator.pieces))
    shape = {key: RECIPE[key] for key in list(RECIPE)[1:7]}
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        num_key_value_heads=RECIPE["num_attention_heads"],
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
        **shape,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        _warm_start(model, tokenizer, generator, seed, progress)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _warm_start(
    model: Any,
    tokenizer: Any,
    generator: Any,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Imitate the sloppy teacher on training problems, loss on the trace and the end token only."""
    steps, rng = getattr(generator, "warm_start_steps", RECIPE["sft_steps"]), Random(f"teacher/{seed}")
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=RECIPE["lr"],
        betas=RECIPE["betas"],
        weight_decay=RECIPE["weight_decay"],
    )
    warmup = RECIPE["warmup_steps"]
    model.train()
    rows = _endless(generator, seed)
    for step in range(steps):
        share = step / steps
        floor = RECIPE["lr_floor"]
        rate = min((step + 1) / warmup, floor + (1 - floor) / 2 * (1 + math.cos(math.pi * share)))
        for group in optimizer.param_groups:
            group["lr"] = RECIPE["lr"] * rate
        batch = [
            _example(tokenizer, row, generator.teacher(row, rng))
            for row, _ in zip(rows, range(RECIPE["batch"]), strict=False)
        ]
        width = max(len(ids) for ids, _ in batch)
        ids = torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in batch])
        labels = torch.tensor(
            [[-100] * start + ids[start:] + [-100] * (width - len(ids)) for ids, start in batch]
        )
        loss = model(input_ids=ids, attention_mask=(labels != -100) | (ids != 0), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if progress is not None:
            progress(step + 1, steps)
    model.eval()


def _endless(generator: Any, seed: int) -> Any:
    """Yield training rows for ever, every pass in another order."""
    epoch = 0
    while True:
        yield from generator.problems(seed + 7919 * (epoch + 1), "train")
        epoch += 1


def _example(tokenizer: Any, row: Mapping[str, Any], completion: str) -> tuple[list[int], int]:
    prompt = tokenizer(row["prompt"])["input_ids"]
    return prompt + tokenizer(completion)["input_ids"] + [tokenizer.eos_token_id], len(prompt)
