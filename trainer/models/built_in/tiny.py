"""The embedded policy `tiny`: a Llama of 125,000 parameters, built and warm-started here without downloads.

Its tokenizer has one token for each text piece of the task's generator. The warm start imitates the
generator's teacher, which knows the format but more often than not breaks a rule (in `addition` it forgets a
carry). The policy then prefers the wrong rule but still samples the right one, which GRPO can select.

The result is a plain Hugging Face folder in the user's cache, named by a hash of everything it depends on.
"""

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import torch
import transformers
from torch import Tensor

from ....sandbox.errors import PolicyError
from ....tasks.name_lookup import GENERATORS, resolve
from ....tasks.rows.sources import make_generator
from ....tasks.schema import Task
from ..notes import Note, ignored
from .cache import built_once

RECIPE: dict[str, Any] = {
    "version": 1,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,  # head size 32: the smallest that vLLM's CPU attention takes
    "max_position_embeddings": 128,
    "initializer_range": 0.05,
    "sft_steps": 900,  # unless the generator has `warm_start_steps`
    "batch": 32,
    "lr": 5e-3,
    "betas": (0.9, 0.98),
    "weight_decay": 0.01,
    "warmup_steps": 20,
    "lr_floor": 0.01,  # lowest share of lr; higher rates at the end could change which rule is likelier
}
_SHAPE = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "max_position_embeddings",
    "initializer_range",
)
"""Keys of the recipe that are settings of `LlamaConfig`."""

PAD, EOS, UNKNOWN = "<pad>", "<eos>", "<unk>"
PAD_ID, EOS_ID = 0, 1
"""Places of the special tokens in the vocabulary of `build_tokenizer`."""

NOT_LEARNED = -100
"""Label of a token that transformers leaves out of the loss."""

WarmStartProgress = Callable[[int, int], None]
"""Called after each step of the warm start with (steps done, steps in all)."""


def tiny_policy(
    task: Task, seed: int, *, progress: WarmStartProgress | None = None, note: Note = ignored
) -> Path:
    """Return the folder of the tiny policy for a task; build it first if it is not in the cache.

    Args:
        task: its generator must have `pieces` and a `teacher`.
        seed: for the initial weights, and for the problems and mistakes of the warm start.
        progress: called after each step of the warm start.
        note: called with one line before that.

    Raises:
        PolicyError: the task has no generator with a teacher.
    """
    generator = _generator(task)

    def build(folder: Path) -> None:
        note(
            "building the tiny policy: 125,000 parameters, which imitate a teacher that makes mistakes (about"
            " half a minute to two minutes; it is kept in the cache for the next run)"
        )
        with one_thread():
            _build(generator, seed, folder, progress)

    return built_once(f"tiny-{type(generator).__name__.lower()}-{_key(task, generator, seed)}", build)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread inside a `with` block.

    That is fastest for a model of this size. It also makes results reproducible to the bit, since the number
    of threads changes the last bits.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _generator(task: Task) -> Any:
    """Return the task's generator.

    Raises:
        PolicyError: the task has none, or it has no teacher to imitate.
    """
    name = task.data.generator
    where = task.where("data", "generator")
    if name is not None:
        factory = resolve(name, [GENERATORS], folder=task.folder, where=where, allow_code=task.allow_code)
        generator = make_generator(factory, task.data.parameters, where)
        if hasattr(generator, "teacher") and hasattr(generator, "pieces"):
            return generator
    raise PolicyError(
        "policy.model `tiny` needs a task whose generator has a teacher, such as `addition`; for task"
        f" {task.name!r} give a model: --model MODEL, or for train --set policy.model=MODEL, with `smollm2`,"
        " a folder (also the `final` of an earlier run) or a hub id"
    )


def _key(task: Task, generator: Any, seed: int) -> str:
    """Return a hash of everything on which the built policy depends."""
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
    """Return a tokenizer whose tokens are exactly `pieces`; where several match, the longest is taken."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate((PAD, EOS, UNKNOWN, *pieces))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    longest_first = sorted(pieces, key=len, reverse=True)
    pattern = Regex("|".join(_escaped(piece) for piece in longest_first))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(pattern, "isolated")  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.Fuse()  # pyright: ignore[reportAttributeAccessIssue]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _escaped(piece: str) -> str:
    """Return a pattern that matches a piece literally, in the syntax of `tokenizers` (Oniguruma)."""
    escaped = ""
    for character in piece:
        # A letter or digit after a backslash would have a meaning of its own.
        bare = character.isalnum() or character == "\n"
        escaped += character if bare else f"\\{character}"
    return escaped


def _build(generator: Any, seed: int, folder: Path, progress: WarmStartProgress | None) -> None:
    """Make tokenizer and model, warm-start the model, and save both to a folder."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tokenizer(tuple(generator.pieces))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        num_key_value_heads=RECIPE["num_attention_heads"],
        tie_word_embeddings=True,
        pad_token_id=PAD_ID,
        eos_token_id=EOS_ID,
        bos_token_id=None,
        **{key: RECIPE[key] for key in _SHAPE},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        _warm_start(model, tokenizer, generator, seed, progress)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _warm_start(
    model: Any, tokenizer: Any, generator: Any, seed: int, progress: WarmStartProgress | None
) -> None:
    """Train the model to imitate the teacher's answers to training problems."""
    steps = getattr(generator, "warm_start_steps", RECIPE["sft_steps"])
    rng = Random(f"teacher/{seed}")
    rows = _endless(generator, seed)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=RECIPE["lr"],
        betas=RECIPE["betas"],
        weight_decay=RECIPE["weight_decay"],
    )
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, steps)
        examples = [
            _example(tokenizer, row, generator.teacher(row, rng)) for row in islice(rows, RECIPE["batch"])
        ]
        next(rows)  # skips a row, because the published results were measured with this order of rows
        ids, labels = _padded(examples)
        attention_mask = (labels != NOT_LEARNED) | (ids != PAD_ID)
        loss = model(input_ids=ids, attention_mask=attention_mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if progress is not None:
            progress(step + 1, steps)
    model.eval()


def _rate(step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 0: the lower of a linear warm-up and a cosine.

    The cosine falls to the floor `lr_floor`.
    """
    floor = RECIPE["lr_floor"]
    warmup = (step + 1) / RECIPE["warmup_steps"]
    cosine = floor + (1 - floor) / 2 * (1 + math.cos(math.pi * (step / steps)))
    return RECIPE["lr"] * min(warmup, cosine)


def _endless(generator: Any, seed: int) -> Iterator[Mapping[str, Any]]:
    """Yield training rows without end, in another order in each pass over them."""
    epoch = 0
    while True:
        yield from generator.problems(seed + 7919 * (epoch + 1), "train")
        epoch += 1


def _example(tokenizer: Any, row: Mapping[str, Any], completion: str) -> tuple[list[int], int]:
    """Return the ids of prompt, completion and end token, and the length of the prompt."""
    prompt = tokenizer(row["prompt"])["input_ids"]
    return prompt + tokenizer(completion)["input_ids"] + [tokenizer.eos_token_id], len(prompt)


def _padded(examples: list[tuple[list[int], int]]) -> tuple[Tensor, Tensor]:
    """Return ids and labels `[B, T]`, padded on the right; prompts and padding are labelled NOT_LEARNED."""
    width = max(len(ids) for ids, _ in examples)
    padded_ids, labels = [], []
    for ids, prompt_length in examples:
        padding = width - len(ids)
        padded_ids.append(ids + [PAD_ID] * padding)
        labels.append([NOT_LEARNED] * prompt_length + ids[prompt_length:] + [NOT_LEARNED] * padding)
    return torch.tensor(padded_ids), torch.tensor(labels)
