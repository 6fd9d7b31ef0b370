"""A mark scheme as verl's `compute_score(data_source, solution_str, ground_truth, extra_info)`."""

from collections.abc import Callable, Collection
from typing import Any

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem
from ..scheme import MarkScheme

TAKEN = frozenset(
    {"score", "acc", "left_out", "reward", "input", "output", "gts", "step", "uid", "data_source"}
    | {"reward_model", "extra_info", "raw_prompt", "num_turns", "ability", "index", "overlong"}
)
"""Keys that the result has, and columns of verl's batches and logs that such a key would overwrite."""


def as_verl(scheme: MarkScheme) -> Callable[..., dict[str, float]]:
    r"""Return a mark scheme as a function for verl's `compute_score`.

    The problem is made from `ground_truth` (the reference, or the tests of a program) and `extra_info` (the
    row's other columns, with the prompt in `prompt` or `question`). The result has `score`, `acc` (1 if the
    completion is right), `left_out`, and the value of every entry under its name, or under `entry_NAME` where
    verl or this function uses the name itself (`entry_score`). verl cannot leave a row out of its group, so
    such a row has `score` 0 and `left_out` 1. The keys are the same for every row, as verl's batches need.

    verl does not say whether a completion was cut off, so every one counts as possibly cut off
    (`finish_reason: length`), and a box or a code block that is never closed does not pay. Its texts lack
    special tokens: if `<think>` is one of the tokenizer's (`markscheme check TASK --model M` says so), format
    checks fail, and a box in the thinking part looks like the answer.

        >>> from markscheme.rewards import MarkScheme, as_verl
        >>> from markscheme.tasks import load_task
        >>> compute_score = as_verl(MarkScheme(load_task("gsm8k")))
        >>> compute_score("gsm8k", r"<think>so</think>\boxed{2}", "2", {"question": "1 + 1?"})
        {'score': 1.1, 'acc': 1.0, 'left_out': 0.0, 'correct': 1.0, 'format': 1.0}
    """
    if not isinstance(scheme, MarkScheme):
        raise RewardError(f"as_verl takes MarkScheme(load_task(...)) (given: {scheme!r:.60})")
    entries = {*scheme.task.rewards, *scheme.task.watch}
    keys = {name: _key(name, entries) for name in entries}

    def compute_score(
        data_source: Any,
        solution_str: str,
        ground_truth: Any,
        extra_info: Any = None,
        prefill: str = "",
        **_: Any,
    ) -> dict[str, float]:
        columns = extra_info if isinstance(extra_info, dict) else {}
        info = {**columns, "data_source": data_source}
        prompt = _plain(info.get("prompt", info.get("question", "")))
        if not isinstance(prompt, str | list):
            prompt = str(prompt)
        ground_truth = _plain(ground_truth)
        is_reference = isinstance(ground_truth, str | int | float | list | tuple)
        judged_by = "reference" if is_reference else "tests"
        problem = Problem.model_validate({"prompt": prompt, judged_by: ground_truth, "info": info})
        scheme.check_references([problem])
        completion = Completion(solution_str, prefill=prefill, finish_reason="length")
        score = scheme.score([problem], [completion])[0]
        return {
            "score": float(score.value or 0.0),
            "acc": float(bool(scheme.is_right(score))),
            "left_out": float(score.value is None),
            **{keys.get(name, name): float(part.value or 0.0) for name, part in score.parts.items()},
        }

    return compute_score


def _key(name: str, entries: Collection[str]) -> str:
    """Return the key of an entry: its name, with `entry_` in front where verl would take it for its own."""
    key = name
    while key in TAKEN or (key != name and key in entries):
        key = f"entry_{key}"
    return key


def _plain(value: Any) -> Any:
    """Return a numpy scalar or array, as verl's batches hold them, as a plain Python value."""
    return value.tolist() if hasattr(value, "tolist") else value
