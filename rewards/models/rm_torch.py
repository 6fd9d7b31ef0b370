"""Outcome reward models on torch: any sequence classifier with one number per completion.

The head is applied to a hidden state that is chosen here, and not by transformers, which takes the last token
that is not the padding token: with padding by the end token, as is usual, it reads the token before the end.
Shape suffixes: `_B` inputs of a batch, `_T` tokens, `_H` hidden units.
"""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ...sandbox.errors import RewardError, first_line
from .prm_formats import Dtype
from .rm_inputs import Form, Pooling, RmEncoder, RmInput
from .torch_runtime import by_length, choose_device, quiet, right_padded

ABOUT = "rm.json"
"""The file in a model's folder that says how its inputs are built and its scores calibrated."""


class Rm:
    """An outcome reward model with its tokenizer and the way its inputs are built."""

    def __init__(self, model: Any, encoder: RmEncoder, pooling: Pooling, *, batch_tokens: int = 8192):
        self.model, self.encoder, self.batch_tokens = model, encoder, batch_tokens
        self.pooling: Pooling = pooling
        self.tokenizer, self.name = encoder.tokenizer, encoder.name
        self.compute_dtype = torch.float32
        """With bfloat16, the forward pass runs under autocast; the weights keep their type."""
        self._pad_id = padding_of(encoder.tokenizer)

    @property
    def device(self) -> torch.device:
        """The device that the model's weights are on."""
        return next(self.model.parameters()).device

    @property
    def context(self) -> int | None:
        """The most tokens of one input; None if the model sets no limit."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        embeddings = getattr(backbone_of(self.model), "embeddings", None)
        # RoBERTa counts positions from the padding id on.
        first = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
        return limit if limit is None or first is None else limit - first - 1

    @torch.no_grad()
    def score(self, inputs: Sequence[RmInput]) -> list[float]:
        """Return the raw score of every input; equal inputs get equal scores, to the last bit."""
        keys = [(tuple(one.ids), one.answer) for one in inputs]
        distinct = list(dict(zip(keys, inputs, strict=True)).values())
        scores: dict[Any, float] = {}
        for rows in by_length([len(one.ids) for one in distinct], self.batch_tokens):
            batch = [distinct[i] for i in rows]
            for one, value in zip(batch, self.forward(batch).float().tolist(), strict=True):
                scores[tuple(one.ids), one.answer] = value
        return [scores[key] for key in keys]

    def forward(self, inputs: Sequence[RmInput]) -> Tensor:
        """Return the scores `[B]` of one batch."""
        ids_BT = right_padded([one.ids for one in inputs], torch.long, fill=self._pad_id).to(self.device)
        mask_BT = right_padded([[1] * len(one.ids) for one in inputs], torch.long).to(self.device)
        arguments: dict[str, Tensor] = {"input_ids": ids_BT, "attention_mask": mask_BT}
        if inputs[0].types is not None:
            types = [one.types or [0] * len(one.ids) for one in inputs]
            arguments["token_type_ids"] = right_padded(types, torch.long).to(self.device)
        is_float32 = self.compute_dtype == torch.float32
        with nullcontext() if is_float32 else torch.autocast(self.device.type, dtype=self.compute_dtype):
            if self.pooling == "own":
                return self.model(**arguments).logits[:, 0]
            hidden_BTH = backbone_of(self.model)(**arguments).last_hidden_state
            return head_of(self.model, self.name)(self._pooled(hidden_BTH, inputs))[:, 0]

    def _pooled(self, hidden_BTH: Tensor, inputs: Sequence[RmInput]) -> Tensor:
        """Return the hidden state to score, `[B, H]`."""
        rows = torch.arange(len(inputs), device=self.device)
        if self.pooling == "last":
            return hidden_BTH[rows, torch.tensor([len(one.ids) - 1 for one in inputs], device=self.device)]
        width = hidden_BTH.shape[1]
        places = torch.arange(width, device=self.device)
        starts = torch.tensor([one.answer[0] for one in inputs], device=self.device)[:, None]
        ends = torch.tensor([max(one.answer[1], one.answer[0] + 1) for one in inputs], device=self.device)[
            :, None
        ]
        share_BT = ((places >= starts) & (places < ends)).to(hidden_BTH.dtype)
        return (hidden_BTH * share_BT[..., None]).sum(1) / share_BT.sum(1, keepdim=True)

    def about(self) -> dict[str, Any]:
        """Return what `rm.json` says of the inputs."""
        return {
            "schema": 1,
            "form": self.encoder.form,
            "pooling": self.pooling,
            "inputs": self.encoder.fingerprint(self.pooling),
            "pad_id": self._pad_id,
        }


def padding_of(tokenizer: Any) -> int:
    """Return an id to pad with that is not the end token."""
    end = tokenizer.eos_token_id
    for candidate in (tokenizer.pad_token_id, tokenizer.unk_token_id):
        if candidate is not None and candidate != end:
            return candidate
    return 1 if end == 0 else 0


def backbone_of(model: Any) -> Any:
    """Return the part of a sequence classifier that gives the hidden states."""
    return getattr(model, model.base_model_prefix)


def head_of(model: Any, name: str) -> nn.Linear:
    """Return the linear layer that turns a hidden state into the score.

    Raises:
        RewardError: the head is not a single linear layer, so it cannot be given another hidden state.
    """
    head = getattr(model, "score", None) or getattr(model, "classifier", None)
    if not isinstance(head, nn.Linear):
        raise RewardError(
            f"{name}: the head of {type(model).__name__} is not one linear layer, so only the model's own"
            " pooling fits it; give `pooling: own`"
        )
    return head


def read_about(source: str | Path) -> dict[str, Any]:
    """Return what a model's folder says of its inputs and calibration; empty if it says nothing."""
    path = Path(source) / ABOUT
    if not Path(source).is_dir():
        from transformers.utils.hub import cached_file

        found = cached_file(
            str(source),
            ABOUT,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            _raise_exceptions_for_gated_repo=False,
        )
        path = Path(found) if found else path
    if not path.is_file():
        return {}
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RewardError(f"{path}: cannot be read: {error}; train the model again") from error
    if not isinstance(about, dict) or about.get("schema", 1) != 1:
        raise RewardError(f"{path}: was not written by this version of markscheme; train the model again")
    return about


def load_rm(
    source: str | Path,
    *,
    form: Form | None = None,
    pooling: Pooling | None = None,
    device: str = "auto",
    dtype: Dtype = "float32",
    batch_tokens: int = 8192,
    new_head: bool = False,
) -> Rm:
    """Load an outcome reward model from a folder or the Hugging Face hub.

    Args:
        source: the folder or the hub id.
        form: how inputs are laid out; None = as the folder's rm.json says, or else by the chat template.
        pooling: which hidden state is scored; None = as rm.json says, or else what is usual for the model.
        device: `auto`, or a torch device.
        dtype: the type of the weights.
        batch_tokens: the most tokens of one forward pass, padding included.
        new_head: give a model without a scalar head a new one, of zeros, for training.

    Raises:
        RewardError: there is no such model, it has no scalar head, weights are missing, or its inputs would
            differ from those that it was trained with.
    """
    name = str(source)
    if not Path(source).is_dir() and ("/" not in name or name.startswith((".", "/", "~"))):
        raise RewardError(
            f"the reward model {name!r} cannot be loaded: there is no such folder; give a model's folder, or"
            " its id on the hub, such as Skywork/Skywork-Reward-V2-Qwen3-0.6B"
        )
    about = read_about(source)
    tokenizer, model = _loaded(source, new_head=new_head)
    is_decoder = hasattr(model, "score")
    usual = _usual_form(tokenizer, is_decoder=is_decoder, training=new_head)
    encoder = RmEncoder(form or about.get("form", usual), tokenizer, name)
    pool: Pooling = pooling or about.get("pooling", "last" if is_decoder else "own")
    rm = Rm(model, encoder, pool, batch_tokens=batch_tokens)
    if pool != "own":
        head_of(model, name)
    if not new_head and about and encoder.fingerprint(pool) != about.get("inputs"):
        raise RewardError(
            f"{name}: its inputs would differ from those that it was trained with (rm.json: form"
            f" {about.get('form')}, pooling {about.get('pooling')}); was its tokenizer or chat template"
            " replaced, or another form given? restore it, or train the model again"
        )
    model.config.get_text_config().pad_token_id = padding_of(tokenizer)
    model.to(device=choose_device(device), dtype=getattr(torch, dtype)).eval()
    return rm


def _loaded(source: str | Path, *, new_head: bool) -> tuple[Any, Any]:
    """Return the tokenizer and the classifier of a folder or hub id."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        with quiet(reports=True):
            tokenizer = AutoTokenizer.from_pretrained(source)
            model, info = AutoModelForSequenceClassification.from_pretrained(
                source,
                dtype=torch.float32,
                output_loading_info=True,
                **({"num_labels": 1} if new_head else {}),
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise RewardError(
            f"the reward model {str(source)!r} cannot be loaded: {first_line(error)}"
        ) from error
    _check_head(model, info["missing_keys"], str(source), new_head=new_head)
    return tokenizer, model


def _usual_form(tokenizer: Any, *, is_decoder: bool, training: bool) -> Form:
    """Return the form of a model that does not say which it was trained with.

    Only the training may choose a form for a tokenizer without a chat template: when scoring, none is given.
    """
    if tokenizer.chat_template or not training:
        return "chat"
    return "text" if is_decoder else "pair"


def _check_head(model: Any, missing: Sequence[str], name: str, *, new_head: bool) -> None:
    """Check that a model has all weights and one output; with `new_head`, make a missing head.

    transformers initialises missing weights at random, and the model would then score at random.
    """
    backbone = f"{model.base_model_prefix}."
    others = [key for key in missing if key.startswith(backbone) and ".pooler." not in f".{key}"]
    if others:
        raise RewardError(f"{name}: its weights lack {', '.join(sorted(others)[:4])}")
    if model.config.num_labels != 1:
        raise RewardError(
            f"{name}: a reward model gives one number, and this one has {model.config.num_labels} classes;"
            " give a model with one label, or train one with `markscheme train-rm`"
        )
    if missing and not new_head:
        raise RewardError(
            f"{name}: has no trained scalar head (its weights lack {', '.join(sorted(missing)[:4])}), so its"
            " scores would be random; train one with `markscheme train-rm`"
        )
    if any(not key.startswith(backbone) for key in missing):
        layers = [
            module
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and not name.startswith(backbone)
        ]
        for parameter in layers[-1].parameters():  # zeros in an earlier layer would let no gradient through
            nn.init.zeros_(parameter)
