"""Process reward models on torch: loading them, whatever head their checkpoint has, and scoring in batches.

Whatever the head, the model's output at a step is turned into two logits, bad and good: scoring takes their
softmax, training their cross-entropy. Shape suffixes: `_B` inputs of a batch, `_T` tokens, `_N` steps, `_C`
columns of the head's output.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...sandbox.errors import RewardError
from .prm_formats import Dtype, Encoder, PrmFormat, PrmInput
from .torch_runtime import by_length, choose_device, quiet, right_padded

HEADS = ("score.", "v_head.")
"""Prefixes of a head's weights in checkpoints whose head transformers has no class for (Qwen, Skywork)."""


class HeadedModel(nn.Module):
    """A backbone with the head from its checkpoint: linear layers with ReLU between them."""

    def __init__(self, backbone: Any, layers: Sequence[nn.Linear]):
        super().__init__()
        self.backbone = backbone
        self.config = backbone.config
        parts: list[nn.Module] = []
        for layer in layers:
            if parts:
                parts.append(nn.ReLU())
            parts.append(layer)
        self.head = nn.Sequential(*parts)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the head's output at every token, `[B, T, C]`."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.head(hidden)


class Prm:
    """A process reward model with its tokenizer and its input format."""

    def __init__(
        self, model: Any, tokenizer: Any, form: PrmFormat, *, name: str = "", batch_tokens: int = 8192
    ):
        self.model, self.tokenizer, self.form = model, tokenizer, form
        self.encoder = Encoder(form, tokenizer, name or "the reward model")
        self.batch_tokens = batch_tokens

    @property
    def device(self) -> torch.device:
        """The device that the model's weights are on."""
        return next(self.model.parameters()).device

    @property
    def context(self) -> int | None:
        """The most tokens of one input; None if the model sets no limit."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    @torch.no_grad()
    def score(self, inputs: Sequence[PrmInput]) -> list[list[float]]:
        """Return the probability that each step is right, one list per input; the softmax is in float32."""
        scores: list[list[float]] = [[] for _ in inputs]
        for rows in by_length([len(one.ids) for one in inputs], self.batch_tokens):
            probabilities = self.pairs([inputs[i] for i in rows]).float().softmax(-1)[:, 1].tolist()
            start = 0
            for i in rows:
                end = start + len(inputs[i].places)
                scores[i] = probabilities[start:end]
                start = end
        return scores

    def pairs(self, inputs: Sequence[PrmInput]) -> Tensor:
        """Return the logits of bad and good at every place, `[N, 2]`, in the order of the inputs."""
        ids_BT = right_padded([one.ids for one in inputs], torch.long).to(self.device)
        mask_BT = right_padded([[1] * len(one.ids) for one in inputs], torch.long).to(self.device)
        rows = torch.tensor([b for b, one in enumerate(inputs) for _ in one.places], device=self.device)
        places = torch.tensor([place for one in inputs for place in one.places], device=self.device)
        output_NC = self._output_at(ids_BT, mask_BT, rows, places)
        if self.form.head == "value":
            # The sigmoid of a value is the softmax of 0 and that value.
            return torch.cat([torch.zeros_like(output_NC), output_NC], -1)
        return output_NC[:, list(self.encoder.answer_ids)]

    def _output_at(self, ids_BT: Tensor, mask_BT: Tensor, rows: Tensor, places: Tensor) -> Tensor:
        """Return the head's output at the places, `[N, C]`."""
        if isinstance(self.model, HeadedModel):
            return self.model(ids_BT, mask_BT)[rows, places]
        if self.form.head != "tokens":
            return self.model(input_ids=ids_BT, attention_mask=mask_BT).logits[rows, places]
        # Of a language model, only the logits at the places are computed: those of a whole vocabulary at
        # every token would be the largest tensor by far.
        positions = sorted(set(places.tolist()))
        column_of = {position: column for column, position in enumerate(positions)}
        logits = self.model(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            use_cache=False,
            logits_to_keep=torch.tensor(positions, device=self.device),
        ).logits
        columns = torch.tensor([column_of[place] for place in places.tolist()], device=self.device)
        return logits[rows, columns]


def load_prm(
    source: str | Path,
    form: PrmFormat,
    *,
    device: str = "auto",
    dtype: Dtype = "float32",
    batch_tokens: int = 8192,
) -> Prm:
    """Load a process reward model from a folder or the Hugging Face hub.

    Raises:
        RewardError: there is no such model, its head does not give what the format reads, weights are
            missing, or its tokenizer cannot encode the format.
    """
    from transformers import AutoTokenizer

    name = str(source)
    # The id of a model on the hub is `owner/model`; any other name can only be a folder.
    if not Path(source).is_dir() and ("/" not in name or name.startswith((".", "/", "~"))):
        raise RewardError(
            f"the reward model {name!r} cannot be loaded: there is no such folder; give a model's folder, or"
            " its id on the hub, such as Qwen/Qwen2.5-Math-PRM-7B"
        )
    try:
        with quiet(reports=True):
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = _load(name, form).to(device=choose_device(device), dtype=getattr(torch, dtype)).eval()
    except (OSError, ValueError) as error:
        message = " ".join(str(error).split())[:200]
        raise RewardError(f"the reward model {name!r} cannot be loaded: {message}") from error
    if not tokenizer.is_fast:
        raise RewardError(
            f"{name}: its tokenizer does not report the positions of tokens in the text; expected a fast one"
            " (a tokenizer.json beside the model)"
        )
    return Prm(model, tokenizer, form, name=name, batch_tokens=batch_tokens)


def _load(source: str, form: PrmFormat) -> Any:
    """Load the model with the class that fits the format's head and the checkpoint."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForTokenClassification

    if form.head == "tokens":
        return _complete(AutoModelForCausalLM, source)
    architecture = (AutoConfig.from_pretrained(source).architectures or [""])[0]
    if form.head == "classes" and architecture.endswith("ForTokenClassification"):
        model = _complete(AutoModelForTokenClassification, source)
        if model.config.num_labels != 2:
            raise RewardError(
                f"{source}: the model has {model.config.num_labels} classes; format {form.name!r} needs 2,"
                " wrong and right"
            )
        return model
    return _headed(source, form, architecture)


def _complete(model_class: Any, source: str) -> Any:
    """Load a model, and check that its checkpoint has every weight.

    transformers initialises missing weights at random, and the model would then mark steps at random.
    """
    model, info = model_class.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
    if info["missing_keys"]:
        missing = ", ".join(sorted(info["missing_keys"])[:4])
        raise RewardError(f"{source}: its weights lack {missing}; give a model with all of its weights")
    return model


def _headed(source: str, form: PrmFormat, architecture: str) -> HeadedModel:
    """Load a backbone, and build its head from the checkpoint's own weights."""
    from transformers import AutoModel

    tensors = _head_tensors(source)
    layers = []
    for name in sorted(tensors):
        if not name.endswith("weight"):
            continue
        weight = tensors[name]
        bias = tensors.get(name.removesuffix("weight") + "bias")
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        layer.weight.data = weight.float()
        if bias is not None:
            layer.bias.data = bias.float()
        layers.append(layer)
    outputs = 1 if form.head == "value" else 2
    if not layers or layers[-1].out_features != outputs:
        found = f"one that gives {layers[-1].out_features}" if layers else "none"
        raise RewardError(
            f"{source} ({architecture}): format {form.name!r} reads {outputs} number(s) per token from a"
            f" head, and the checkpoint has {found}; give the `form` that the model was trained with"
        )
    return HeadedModel(_complete(AutoModel, source), layers)


def _head_tensors(source: str) -> dict[str, Tensor]:
    """Return the weights and biases of a checkpoint's head, from all of its shards."""
    from huggingface_hub import snapshot_download
    from safetensors import safe_open

    folder = Path(source) if Path(source).is_dir() else Path(snapshot_download(source))
    tensors: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (safe_open is not a mapping)
                if name.startswith(HEADS):
                    tensors[name] = file.get_tensor(name)
    return tensors
