"""A process reward model in torch: loaded by what its folder holds, run on many inputs, batched by length.

Every head becomes two logits a step, bad and good: scoring takes their softmax, training their
cross-entropy. Shapes: `_B` inputs of a batch, `_T` tokens, `_N` steps, `_2` bad and good.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...sandbox.errors import RewardError
from .batching import by_length, right_padded
from .prm_formats import Encoder, PrmFormat, PrmInput
from .torch_runtime import choose_device, quiet

Dtype = Literal["float32", "bfloat16", "float16"]
HEADS = ("score.", "v_head.")
"""How the weights of a head that transformers has no class for begin (Qwen2.5-Math-PRM, Skywork)."""


class HeadedModel(nn.Module):
    """A backbone with the head that its checkpoint brings: linear layers, with ReLU between them."""

    def __init__(self, backbone: Any, layers: Sequence[nn.Linear]):
        super().__init__()
        self.backbone = backbone
        self.config = backbone.config
        between = [part for layer in layers for part in (nn.ReLU(), layer)]
        self.head = nn.Sequential(*between[1:])

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return what the head gives at every token, `[B, T, classes]`."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.head(hidden)


class Prm:
    """A process reward model with its tokenizer and its format."""

    def __init__(
        self, model: Any, tokenizer: Any, form: PrmFormat, *, name: str = "", batch_tokens: int = 8192
    ):
        self.model, self.tokenizer, self.form = model, tokenizer, form
        self.encoder = Encoder(form, tokenizer, name or "the reward model")
        self.batch_tokens = batch_tokens

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @property
    def context(self) -> int | None:
        """The most tokens that the model reads."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @torch.no_grad()
    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """Return the probability that each step is right, one list an input; computed in float32."""
        scores: list[list[float]] = [[] for _ in inputs]
        for rows in by_length([len(one.ids) for one in inputs], self.batch_tokens):
            chances = self.pairs([inputs[i] for i in rows]).float().softmax(-1)[:, 1].tolist()
            for i in rows:
                count = len(inputs[i].places)
                scores[i], chances = chances[:count], chances[count:]
        return scores

    def pairs(self, inputs: Sequence[PrmInput]) -> Tensor:
        """Return the logits of bad and good at every place, `[N, 2]`, in the order of the inputs."""
        ids_BT = right_padded([one.ids for one in inputs], torch.long).to(self.device)
        mask_BT = right_padded([[1] * len(one.ids) for one in inputs], torch.long).to(self.device)
        rows = torch.tensor([b for b, one in enumerate(inputs) for _ in one.places], device=self.device)
        places = torch.tensor([p for one in inputs for p in one.places], device=self.device)
        given_NC = self._at(ids_BT, mask_BT, rows, places)
        if self.form.head == "value":
            return torch.cat([torch.zeros_like(given_NC), given_NC], -1)
        return given_NC[:, list(self.encoder.answer_ids)]

    def _at(self, ids_BT: Tensor, mask_BT: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        """Return the head's output at the places; a vocabulary is never computed for every token."""
        if isinstance(self.model, HeadedModel):
            return self.model(ids_BT, mask_BT)[rows, places]
        if self.form.head == "tokens":
            wanted = sorted(set(places.tolist()))
            column = {place: i for i, place in enumerate(wanted)}
            logits = self.model(
                input_ids=ids_BT,
                attention_mask=mask_BT,
                use_cache=False,
                logits_to_keep=torch.tensor(wanted, device=self.device),
            ).logits
            return logits[rows, torch.tensor([column[p] for p in places.tolist()], device=self.device)]
        return self.model(input_ids=ids_BT, attention_mask=mask_BT).logits[rows, places]


def load_prm(
    source: str | Path,
    form: PrmFormat,
    *,
    device: str = "auto",
    dtype: Dtype = "float32",
    batch_tokens: int = 8192,
) -> Prm:
    """Load a process reward model from a folder or the hub.

    Raises:
        RewardError: there is none, its head is not the format's, or its tokenizer lacks what marks the
            steps.
    """
    from transformers import AutoTokenizer

    if not Path(source).is_dir() and ("/" not in str(source) or str(source).startswith((".", "/", "~"))):
        raise RewardError(f"the reward model {str(source)!r} cannot be loaded: there is no such folder")
    try:
        with quiet(reports=True):
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = (
                _load(str(source), form).to(device=choose_device(device), dtype=getattr(torch, dtype)).eval()
            )
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise RewardError(f"the reward model {str(source)!r} cannot be loaded: {said}") from error
    if not tokenizer.is_fast:
        raise RewardError(
            f"{source}: its tokenizer says nothing of positions in the text; a fast one is needed"
        )
    return Prm(model, tokenizer, form, name=str(source), batch_tokens=batch_tokens)


def _load(source: str, form: PrmFormat) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForTokenClassification

    if form.head == "tokens":
        return _whole(AutoModelForCausalLM, source)
    kind = (AutoConfig.from_pretrained(source).architectures or [""])[0]
    if form.head == "classes" and kind.endswith("ForTokenClassification"):
        model = _whole(AutoModelForTokenClassification, source)
        if model.config.num_labels != 2:
            raise RewardError(f"{source}: has {model.config.num_labels} classes; a step is right or wrong: 2")
        return model
    return _headed(source, form, kind)


def _whole(kind: Any, source: str) -> Any:
    """Load a model of which no weight is missing: one that is would be random, and mark at random."""
    model, told = kind.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
    if told["missing_keys"]:
        raise RewardError(f"{source}: its weights lack {', '.join(sorted(told['missing_keys'])[:4])}")
    return model


def _headed(source: str, form: PrmFormat, kind: str) -> HeadedModel:
    """Load a backbone, and its head from the weights that stand beside it."""
    from transformers import AutoModel

    biases = _weights(source)
    weights = {name: w for name, w in biases.items() if name.endswith("weight")}
    wanted = 1 if form.head == "value" else 2
    layers = []
    for name in sorted(weights):
        bias = biases.get(name.removesuffix("weight") + "bias")
        layer = nn.Linear(weights[name].shape[1], weights[name].shape[0], bias=bias is not None)
        layer.weight.data = weights[name].float()
        if bias is not None:
            layer.bias.data = bias.float()
        layers.append(layer)
    if not layers or layers[-1].out_features != wanted:
        has = f"gives {layers[-1].out_features}" if layers else "is not there"
        raise RewardError(
            f"{source} ({kind}): format {form.name!r} reads {wanted} number(s) from a head, which {has}"
        )
    return HeadedModel(_whole(AutoModel, source), layers)


def _weights(source: str) -> dict[str, Tensor]:
    """Return the head's weights of a checkpoint, those of all its shards."""
    from huggingface_hub import snapshot_download
    from safetensors import safe_open

    folder = Path(source) if Path(source).is_dir() else Path(snapshot_download(source))
    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys() if name.startswith(HEADS)}  # noqa: SIM118
    return found
