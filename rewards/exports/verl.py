"""A scheme of ours as verl's `compute_score(data_source, solution_str, ground_truth, extra_info)`."""

from collections.abc import Callable
from typing import Any

from ...tasks.problem import Completion, Problem
from ..scheme import MarkScheme


def as_verl(scheme: MarkScheme) -> Callable[..., dict[str, float]]:
    r"""Return a scheme as verl's `compute_score`.

    The problem is made from `ground_truth` (the reference, or tests) and from `extra_info` (its other
    columns, a `prompt` or `question` among them). verl cannot leave a row out, so such a row scores 0 and
    has `left_out` 1. Every row has the same keys, which verl's batches need.

        >>> from markscheme.rewards import MarkScheme, as_verl
        >>> from markscheme.tasks import load_task
        >>> compute_score = as_verl(MarkScheme(load_task("gsm8k")))
        >>> compute_score("gsm8k", r"<think>so</think>\boxed{2}", "2", {"question": "1 + 1?"})
        {'score': 1.1, 'acc': 1.0, 'left_out': 0.0, 'correct': 1.0, 'format': 1.0}
    """

    def compute_score(
        data_source: Any,
        solution_str: str,
        ground_truth: Any,
        extra_info: Any = None,
        prefill: str = "",
        **_: Any,
    ) -> dict[str, float]:
        ground_truth = _plain(ground_truth)
        info = {**(extra_info if isinstance(extra_info, dict) else {}), "data_source": data_source}
        prompt = _plain(info.get("prompt", info.get("question", "")))
        is_reference = isinstance(ground_truth, str | int | float | list | tuple)
        problem = Problem.model_validate(
            {
                "prompt": prompt if isinstance(prompt, str | list) else str(prompt),
                "reference": ground_truth if is_reference else None,
                "tests": None if is_reference else ground_truth,
                "info": info,
            }
        )
        scheme.check_references([problem])
        score = scheme.score([problem], [Completion(solution_str, prefill=prefill)])[0]
        return {
            "score": float(score.value or 0.0),
            "acc": float(bool(scheme.is_right(score))),
            "left_out": float(score.value is None),
            **{name: float(part.value or 0.0) for name, part in score.parts.items()},
        }

    return compute_score


def _plain(value: Any) -> Any:
    """Return numpy's scalars and arrays, which verl's batches hold, as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value
