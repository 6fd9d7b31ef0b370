"""Helpers that several test files share: labelled answers, completions, schemes, and a small policy."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markscheme.rewards import MarkScheme, Score
from markscheme.tasks import Completion, Problem, Task
from markscheme.verifiers import Verdict, compare_answers, extract_answer, verifier, verify_answer

ROOT = Path(__file__).resolve().parent.parent
"""The root of the repository."""
MakeTask = Callable[..., Task]
"""The type of the fixture `make_task`."""
PrmFolder = Callable[[str], Path]
"""The type of the fixture `prm_folder`."""


def read_labelled(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file of labelled answers in tests/data."""
    return [
        json.loads(line) for line in (ROOT / "tests/data" / name).read_text(encoding="utf-8").splitlines()
    ]


def rows_in(path: Path | str) -> list[dict[str, Any]]:
    """Return the rows of a file that a command wrote, without its header."""
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    assert "header" in rows[0]
    return rows[1:]


LABELLED_ANSWERS = read_labelled("answers.jsonl")
"""Answers and completions, each with the mark that it deserves (`correct`) and the source of the row."""
LAST_TIER_PAIR = (r"\sum_{n=1}^{3} n^2", r"\sum_{n=1}^{3} n n")
"""Two equal formulas that only the last tier of the answer judge, math-verify, can read."""
HANGING_PAIRS = [
    (
        rf"\int_0^1 \frac{{\ln(1+x+x^5)}}{{1+x^{{{n}}}}} dx",
        rf"\int_0^1 \frac{{\ln(1+x+x^5)}}{{1+x^{{{n + 2}}}}} dx",
    )
    for n in range(9, 29, 2)
]
"""Ten pairs that only the last tier can read, each of which keeps sympy busy for minutes."""

TWO_PLUS_TWO = Problem(prompt="What is 2+2?", reference="4", info={"kind": "math"})


def judge_labelled(row: dict[str, Any]) -> Verdict:
    """Judge a row of `LABELLED_ANSWERS`: a bare answer, or a completion."""
    question = row.get("question")
    if "answer" in row:
        return compare_answers(row["reference"], row["answer"], question=question)
    return verify_answer(row["reference"], row["completion"], extract=row["extract"], question=question)


def boxed(answer: str, thought: str = "so") -> Completion:
    """Return a completion that thinks first and then gives its answer in a box."""
    return Completion(f"<think>{thought}</think>\\boxed{{{answer}}}")


def score_one(task: Task, completion: Completion, problem: Problem = TWO_PLUS_TWO, **options: Any) -> Score:
    """Score a single completion by a task's mark scheme."""
    (score,) = MarkScheme(task).score([problem], [completion], **options)
    return score


def asserts(*lines: str, **options: Any) -> dict[str, Any]:
    """Return tests of a program that are a list of asserts."""
    return {"type": "asserts", "asserts": list(lines), **options}


@verifier("doubtful")
def doubtful(problem: Problem, completion: Completion, *, extract: str = "strict") -> bool | Verdict | None:
    """Judge as `answer` does, but leave every answer with a letter in it undecided."""
    answer = extract_answer(completion.text, extract=extract).text
    if answer is not None and any(character.isalpha() for character in answer):
        return None
    return verify_answer(problem.references, completion.text, extract=extract)


def small_policy(folder: Path, architecture: str = "llama", *, chat: bool = False, **changes: object) -> Path:
    """Save a random-weight model of a real architecture, with a character tokenizer, and return the folder.

    Args:
        folder: where to save.
        architecture: a model type of transformers.
        chat: whether the tokenizer has a chat template.
        changes: settings of the model that differ from the small ones below.
    """
    # Imported here because most test files do without torch.
    import torch
    import transformers

    from markscheme.trainer.models.built_in.tiny import build_tokenizer

    characters = "abcdefghijklmnopqrstuvwxyz0123456789+-=?.,:<>/\\{}|_ \n" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    tokenizer = build_tokenizer(tuple(characters))
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "max_position_embeddings": 256,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
        # Ten times the usual 0.02, so that the logits of so small a model differ.
        "initializer_range": 0.2,
        **changes,
    }
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(architecture, **settings)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)
"""As in DeepSeek-R1, the generation prompt already opens the thinking part."""
