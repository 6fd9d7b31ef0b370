"""The scores of each family of process reward models as its model card computes them.

One completion at a time, so without padding, and without any code of the package: what the package computes
is compared with this.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file

from prm_models import TOKEN_CLASSIFIERS


@torch.no_grad()
def scores_by_hand(family: str, folder: Path, prompt: str, steps: Sequence[str]) -> list[float]:
    """Return the probability that each step is right, by the model saved in a folder."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model_class: Any = transformers.AutoModelForCausalLM
    if family in TOKEN_CLASSIFIERS:
        model_class = transformers.AutoModelForTokenClassification
    model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
    return _COMPUTATIONS[family](model, tokenizer, folder, prompt, steps)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _math_shepherd(
    model: Any, tokenizer: Any, folder: Path, prompt: str, steps: Sequence[str]
) -> list[float]:
    """Every step ends in ки, at which the model predicts + or -."""
    text = f"{prompt} " + "\n".join(f"Step {number}: {step} ки" for number, step in enumerate(steps, 1))
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    tag = _ids(tokenizer, "ки")[-1]
    pair = [_ids(tokenizer, "+")[-1], _ids(tokenizer, "-")[-1]]
    scores = model(ids).logits[:, :, pair].softmax(-1)[:, :, 0]
    return scores[ids == tag].tolist()


def _rlhflow(model: Any, tokenizer: Any, folder: Path, prompt: str, steps: Sequence[str]) -> list[float]:
    """Every step is a turn of the user, to which the assistant answers + or -; one forward pass per step."""
    pair = [_ids(tokenizer, "+")[-1], _ids(tokenizer, "-")[-1]]
    scores: list[float] = []
    turns: list[dict[str, str]] = []
    for index, step in enumerate(steps):
        content = f"{prompt} {step}" if index == 0 else step
        turns += [{"role": "user", "content": content}, {"role": "assistant", "content": "+"}]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        # The text ends in the answer and <eos>, so the answer is predicted at the third token from the end.
        logits = model(torch.tensor([_ids(tokenizer, text)])).logits[0, -3, pair]
        scores.append(logits.softmax(-1)[0].item())
    return scores


def _qwen(model: Any, tokenizer: Any, folder: Path, prompt: str, steps: Sequence[str]) -> list[float]:
    """Every step ends in <extra_0>, at which a head of two layers gives two classes."""
    messages = [
        {
            "role": "system",
            "content": "Please reason step by step, and put your final answer within \\boxed{}.",
        },
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": "<extra_0>".join(steps) + "<extra_0>"},
    ]
    ids = torch.tensor([_ids(tokenizer, tokenizer.apply_chat_template(messages, tokenize=False))])
    hidden = model.model(ids).last_hidden_state
    weights = load_file(folder / "model.safetensors")
    inner = (hidden @ weights["score.0.weight"].T + weights["score.0.bias"]).relu()
    logits = inner @ weights["score.2.weight"].T + weights["score.2.bias"]
    (separator,) = _ids(tokenizer, "<extra_0>")
    return logits.softmax(-1)[..., 1][ids == separator].tolist()


def _skywork(model: Any, tokenizer: Any, folder: Path, prompt: str, steps: Sequence[str]) -> list[float]:
    """Prompt, steps and line breaks are encoded one by one; a head gives the logit at each line break."""
    ids, places = _ids_of_pieces(tokenizer, prompt + "\n", steps)
    weights = load_file(folder / "model.safetensors")
    hidden = model.model(torch.tensor([ids])).last_hidden_state
    logits = hidden @ weights["v_head.summary.weight"].T + weights["v_head.summary.bias"]
    return logits[0, places, 0].sigmoid().tolist()


def _trl(model: Any, tokenizer: Any, folder: Path, prompt: str, steps: Sequence[str]) -> list[float]:
    """As in TRL's PRMTrainer, prompt, steps and line breaks are encoded one by one; a token classifier."""
    ids, places = _ids_of_pieces(tokenizer, prompt, steps)
    return model(torch.tensor([ids])).logits[0, places].softmax(-1)[:, 1].tolist()


def _ids_of_pieces(tokenizer: Any, prompt: str, steps: Sequence[str]) -> tuple[list[int], list[int]]:
    ids, places = _ids(tokenizer, prompt), []
    for step in steps:
        ids += [*_ids(tokenizer, step), *_ids(tokenizer, "\n")]
        places.append(len(ids) - 1)
    return ids, places


def _classes(model: Any, tokenizer: Any, folder: Path, prompt: str, steps: Sequence[str]) -> list[float]:
    """The whole text is encoded at once; a token classifier.

    WordPiece has no token for a line break, so a step's score is at its own last token.
    """
    text, ids, places = prompt + "\n", [], []
    for step in steps:
        text += step + "\n"
        ids = tokenizer(text)["input_ids"]
        places.append(len(ids) - 1)
    return model(torch.tensor([ids])).logits[0, places].softmax(-1)[:, 1].tolist()


_COMPUTATIONS: dict[str, Callable[..., list[float]]] = {
    "math_shepherd": _math_shepherd,
    "rlhflow": _rlhflow,
    "qwen": _qwen,
    "skywork": _skywork,
    "trl": _trl,
    "classes": _classes,
}
