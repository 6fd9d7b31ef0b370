"""Names that several test files share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markscheme.tasks import Completion, Problem, Task
from markscheme.verifiers import Verdict, compare_answers, extract_answer, verifier, verify_answer

ROOT = Path(__file__).resolve().parent.parent
MakeTask = Callable[..., Task]
LABELLED: list[dict[str, Any]] = [
    json.loads(line) for line in (ROOT / "tests/data/answers.jsonl").read_text(encoding="utf-8").splitlines()
]
"""Answers with the mark that they deserve, and where each row comes from."""


def judged(row: dict[str, Any]) -> Verdict:
    """Judge a labelled row: a pair, or a completion."""
    if "answer" in row:
        return compare_answers(row["reference"], row["answer"])
    return verify_answer(row["reference"], row["completion"], extract=row["extract"])


def boxed(answer: str, thought: str = "so") -> Completion:
    """A completion in the usual form."""
    return Completion(f"<think>{thought}</think>\\boxed{{{answer}}}")


@verifier("doubtful")
def doubtful(problem: Problem, completion: Completion, *, extract: str = "strict") -> bool | Verdict | None:
    """As `answer`, but one that cannot tell where the answer has a letter in it."""
    found = extract_answer(completion.text, extract=extract)
    if found.text is not None and any(c.isalpha() for c in found.text):
        return None
    return verify_answer(problem.references, completion.text, extract=extract)


def small_policy(folder: Path, architecture: str = "llama", *, chat: bool = False, **changes: object) -> Path:
    """Save a random-weight model of a real architecture, with a character tokenizer, to a folder."""
    import torch
    import transformers

    from markscheme.trainer.models.tiny import build_tokenizer

    characters = "abcdefghijklmnopqrstuvwxyz0123456789+-=?.,:<>/\\{}|_ \n" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    tokenizer = build_tokenizer(tuple(characters))
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    shape = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 256,
        "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None, "initializer_range": 0.2, **changes,
    }  # fmt: skip
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(architecture, **shape)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)
"""R1-style: the generation prompt opens the thinking part."""
