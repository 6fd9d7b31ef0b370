"""The model that learns, with its tokenizer: loading, prompts, end tokens, limits."""

import inspect
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from torch.utils.checkpoint import checkpoint

from ...sandbox.errors import PolicyError
from ...tasks.problem import Problem
from ...tasks.schema import Task
from ..config.run_config import PolicyConfig
from .lora import add_adapter


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as the policy gets it."""

    token_ids: list[int]
    prefill: str = ""
    """What the template already opened of the answer; see `Completion.prefill`."""


@dataclass
class Policy:
    """A causal language model with what is needed to prompt it and to know when it ends."""

    model: Any
    tokenizer: Any
    eos_ids: tuple[int, ...]
    name: str
    use_chat_template: bool = True
    dtype: torch.dtype = torch.float32
    """Of the computation; the weights are float32, or small updates would be rounded away."""
    source: str = ""
    """The folder or hub id that it was loaded from."""
    notes: list[str] = field(default_factory=list)
    """What was changed of it, for the reader."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    def computing(self) -> AbstractContextManager[Any]:
        """Return the context in which the model is called."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """Compute in full precision for a while: what is compared should differ by rounding only."""
        before, self.dtype = self.dtype, torch.float32
        try:
            yield
        finally:
            self.dtype = before

    @property
    def pad_id(self) -> int:
        """An id for padding; its positions are masked, so any id serves."""
        pad = self.tokenizer.pad_token_id
        return self.eos_ids[0] if pad is None else pad

    @property
    def context(self) -> int | None:
        """The most positions that the model takes, prompt and completion together.

        Where longer ones change the scaling of all positions (longrope), as many as change nothing: beyond,
        a completion's log-probabilities would depend on what it is computed beside.
        """
        config = self.model.config.get_text_config()
        most = getattr(config, "max_position_embeddings", None)
        rope = getattr(config, "rope_parameters", None) or {}
        original = rope.get("original_max_position_embeddings") or getattr(
            config, "original_max_position_embeddings", None
        )
        if "longrope" in str(rope) and original is not None:
            return original if most is None else min(most, original)
        return most

    def render(self, task: Task, problem: Problem) -> tuple[str, str]:
        """Return the prompt's text as the policy reads it, and the `prefill` at its end.

        Raises:
            PolicyError: chat messages or a system text, and the tokenizer has no chat template.
        """
        has_template = bool(self.tokenizer.chat_template)
        is_chat = not isinstance(problem.prompt, str)
        if not has_template and (is_chat or task.system):
            what = "prompts are chat messages" if is_chat else "has a system text"
            raise PolicyError(
                f"task {task.name!r} {what}, and the tokenizer of {self.name!r} has no chat template;"
                " give a chat model, or make the prompt one text and drop `system:`"
            )
        if not has_template or not (is_chat or task.system or self.use_chat_template):
            return str(problem.prompt), ""
        messages = [{"role": "user", "content": problem.prompt}] if not is_chat else list(problem.prompt)
        if task.system:
            messages = [{"role": "system", "content": task.system}, *messages]
        with_opening, without = (self._templated(task, messages, opening) for opening in (True, False))
        opening = with_opening[_common_start(with_opening, without) :]
        opened = opening.rfind("<think>")
        prefill = opening[opened:] if opened >= 0 and "</think>" not in opening[opened:] else ""
        return with_opening, prefill

    def _templated(self, task: Task, messages: Sequence[Any], opening: bool) -> str:
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opening)
        except TemplateError as error:
            raise PolicyError(
                f"task {task.name!r}: the chat template of {self.name!r} refuses the messages: {error};"
                " change the prompt or `system:`"
            ) from error

    def encode(self, task: Task, problem: Problem, *, max_new_tokens: int) -> EncodedPrompt:
        """Return a problem's prompt as ids.

        Raises:
            PolicyError: the prompt is empty, or with `max_new_tokens` exceeds the context.
        """
        text, prefill = self.render(task, problem)
        from_template = bool(self.tokenizer.chat_template) and text != problem.prompt
        # A chat template writes the special tokens itself; adding them again would double BOS.
        ids = self.tokenizer(text, add_special_tokens=not from_template)["input_ids"]
        if not ids:
            raise PolicyError(f"problem {problem.id} of {task.name!r}: the prompt has no tokens ({text!r})")
        if self.context is not None and len(ids) + max_new_tokens > self.context:
            raise PolicyError(
                f"problem {problem.id} of {task.name!r}: prompt of {len(ids)} tokens and"
                f" {max_new_tokens} new ones"
                f" exceed the context of {self.context}; lower sampling.max_new_tokens or drop long prompts"
            )
        self._check_round_trip(text, ids, problem, task)
        return EncodedPrompt(list(ids), prefill)

    def _check_round_trip(self, text: str, ids: Sequence[int], problem: Problem, task: Task) -> None:
        """Refuse a tokenizer that has no tokens for a prompt: its ids would mean something else."""
        unknown = self.tokenizer.unk_token_id
        if unknown is not None and unknown in ids and self.tokenizer.unk_token not in text:
            raise PolicyError(
                f"problem {problem.id} of {task.name!r}: the tokenizer of {self.name!r} has"
                f" no tokens for parts of the prompt {text[:80]!r}; give another policy.model"
            )
        words = len(text.split())
        if words >= 4 and 2 * len(self.tokenizer.decode(list(ids)).split()) < words:
            raise PolicyError(
                f"problem {problem.id} of {task.name!r}: the tokenizer of {self.name!r}"
                f" ({type(self.tokenizer).__name__}) drops the spaces of the prompt {text[:80]!r};"
                " transformers chose it by the model's type: its files fit another one"
            )

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return generated ids as text, without special tokens."""
        return self.tokenizer.decode(
            list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Hide transformers' bars for loading and saving."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _common_start(one: str, two: str) -> int:
    """Return how many characters two texts begin with alike."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(two)))


def load_policy(
    config: PolicyConfig,
    path: str | Path,
    device: torch.device,
    *,
    adapter: Path | None = None,
    seed: int = 0,
) -> Policy:
    """Load a model and its tokenizer from a folder or the hub.

    Args:
        config: with `lora`, an adapter is put into the model.
        path: the model.
        device: where it goes.
        adapter: a saved adapter to go on with.
        seed: of a new adapter.

    Raises:
        PolicyError: it does not load, or has no end-of-sequence token.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = os.path.expanduser(str(path))
    if name.startswith((".", "/")) and not Path(name).is_dir():
        raise PolicyError(f"policy.model {config.model!r} does not load: there is no such folder")
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise PolicyError(
            f"policy.model {config.model!r} does not load: {type(error).__name__}:"
            f" {str(error).splitlines()[0]};"
            " give `tiny`, a folder with a model and its tokenizer, or a hub id"
        ) from error
    model = model.to(device).eval()  # pyright: ignore[reportArgumentType]
    takes = inspect.signature(model.forward).parameters
    if not {"past_key_values", "cache_params"} & set(takes):
        raise PolicyError(
            f"policy.model {config.model!r} ({type(model).__name__}) keeps no cache of what it has read,"
            " so it cannot be sampled from; give a causal language model"
        )
    if config.lora is not None:
        add_adapter(model, config.lora, adapter, seed=seed)
    if config.gradient_checkpointing:
        checkpoint_layers(model, config.model)
    ends = end_tokens(model, tokenizer, config.model)
    return Policy(
        model,
        tokenizer,
        ends,
        config.model,
        config.chat_template,
        getattr(torch, config.dtype),
        name,
        _dropout(model),
    )


def _dropout(model: Any) -> list[str]:
    """Say that dropout is off: sampler and update must be one distribution, so the model stays in `eval`."""
    settings = model.config.get_text_config().to_dict()
    found = [f"{k} {v}" for k, v in settings.items() if "drop" in k and isinstance(v, float) and v > 0]
    return [f"dropout is set to 0 ({', '.join(found)}): what is sampled is what is trained"] if found else []


def checkpoint_layers(model: Any, name: str) -> None:
    """Let every decoder layer be computed again in the backward pass, instead of kept.

    transformers' own switch drops the cache that shared prompts live in. Ours wraps the same layers;
    their caches keep nothing that a second computation would change.

    Raises:
        PolicyError: the model has no such layers.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise PolicyError(
            f"policy.model {name!r} ({type(model).__name__}) has no layers that can be computed again;"
            " drop gradient_checkpointing"
        )
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)


def end_tokens(model: Any, tokenizer: Any, name: str) -> tuple[int, ...]:
    """Return every id that ends a completion: of the generation settings, model and tokenizer.

    Raises:
        PolicyError: there is none, so that no completion would ever end.
    """
    found: list[int] = []
    for source in (
        tokenizer.eos_token_id,
        getattr(model.generation_config, "eos_token_id", None),
        model.config.get_text_config().eos_token_id,
    ):
        found += source if isinstance(source, list) else [source] if source is not None else []
    if not found:
        raise PolicyError(
            f"policy {name!r} has no end-of-sequence token: no completion would end; set"
            " eos_token in its tokenizer"
        )
    return tuple(dict.fromkeys(found))


def choose_device(name: str) -> torch.device:
    """Return the device that `auto` or a torch name means.

    Raises:
        PolicyError: torch does not know it, or the machine does not have it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("mps"):
        raise PolicyError("device 'mps' has no float64, which the loss is computed in; use device: cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise PolicyError(
            f"device {name!r} cannot be used: {str(error).splitlines()[0]}; try device: auto"
        ) from error
