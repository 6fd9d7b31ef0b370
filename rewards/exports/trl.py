"""Our schemes in other trainers, and TRL's functions in our schemes.

TRL:   f(prompts, completions, completion_ids, log_extra, log_metric, ..., **columns) -> list
verl:  compute_score(data_source, solution_str, ground_truth, extra_info) -> dict with "score"
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem
from ...tasks.problems import ProblemMaker
from ..composition.registry import reward
from ..score import Score

if TYPE_CHECKING:
    from ..scheme import MarkScheme


def as_trl(scheme: MarkScheme, *, prefill: str = "") -> list[Callable[..., list[float | None]]]:
    """Return a scheme as TRL reward functions: one, whose value is the scheme's total.

    One and not one an entry, since TRL adds functions up and our entries may gate each other. The
    data set needs the columns that the task's templates read (`prompt` is TRL's own). Every
    entry's mean goes to TRL's log. A row that is left out gives None, which TRL leaves out too.

    Args:
        scheme: the scheme.
        prefill: the start of the answer that the chat template puts into the prompt.
    """
    maker = ProblemMaker(scheme.task)

    def total(
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[list[int]] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        trainer_state: Any = None,
        **columns: Any,
    ) -> list[float | None]:
        rows = [
            {"prompt": prompt}
            | {name: column[i] for name, column in columns.items() if _is_column(column, prompts)}
            for i, prompt in enumerate(prompts)
        ]
        problems = [maker(row, f"row {i} of the batch") for i, row in enumerate(rows)]
        ids = completion_ids or [[]] * len(completions)
        answers = [
            Completion(_text(c), token_ids=list(i), prefill=prefill)
            for c, i in zip(completions, ids, strict=True)
        ]
        scores = scheme.score(problems, answers, step=getattr(trainer_state, "global_step", None))
        if log_metric is not None:
            for name, value in part_means(scores).items():
                log_metric(f"{scheme.task.name}/{name}", value)
        return [score.value for score in scores]

    total.__name__ = scheme.task.name
    return [total]


def _is_column(column: Any, prompts: Sequence[Any]) -> bool:
    return isinstance(column, list | tuple) and len(column) == len(prompts)


def _text(completion: Any) -> str:
    """Return the text of a TRL completion: text, or the assistant's messages."""
    if isinstance(completion, str):
        return completion
    return "".join(str(m.get("content") or "") for m in completion if m.get("role") == "assistant")


def part_means(scores: Sequence[Score]) -> dict[str, float]:
    """Return the mean value of each entry over the rows that have one."""
    means = {}
    for name in scores[0].parts if scores else ():
        values = [value for score in scores if (value := score.parts[name].value) is not None]
        if values:
            means[name] = sum(values) / len(values)
    return means


def as_verl(scheme: MarkScheme) -> Callable[..., dict[str, float]]:
    """Return a scheme as verl's `compute_score`.

    The problem comes from `ground_truth` (the reference), and from `extra_info` (its columns; a
    `prompt` or `question` among them). verl cannot leave a row out, so such a row scores 0 and has
    `left_out` 1; the keys are the same for every row, as verl's batches need.
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
        prompt = prompt if isinstance(prompt, str | list) else str(prompt)
        tests = ground_truth if not isinstance(ground_truth, str | int | float | list | tuple) else None
        reference = None if tests is not None else ground_truth
        problem = Problem.model_validate(
            {"prompt": prompt, "reference": reference, "tests": tests, "info": info}
        )
        scheme.check_references([problem])
        score = scheme.score([problem], [Completion(solution_str, prefill=prefill)])[0]
        parts = {name: float(part.value or 0.0) for name, part in score.parts.items()}
        right = scheme.is_right(score)
        return {
            "score": float(score.value or 0.0),
            "acc": float(bool(right)),
            "left_out": float(score.value is None),
            **parts,
        }

    return compute_score


def _plain(value: Any) -> Any:
    """Return numpy's scalars and arrays, which verl's batches hold, as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value


def from_trl(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    range: tuple[float, float] = (float("-inf"), float("inf")),  # noqa: A002
) -> Callable[..., Any]:
    """Return a TRL reward function as a registered batch reward.

    It gets `prompts`, `completions` (messages where the prompt is), `completion_ids` and each
    column of the rows as a list. TRL's None (not applicable) becomes `not_applicable`.

    Args:
        function: `f(prompts, completions, **columns) -> list[float | None]`, synchronous or not.
        name: its name for `use:`; the function's own by default.
        range: lowest and highest value; a value outside is a bug of the function.
    """
    registered = name or getattr(function, "__name__", "")
    if not registered or registered == "<lambda>":
        raise RewardError("from_trl: the function has no name; give name=...")

    def arguments(problems: Sequence[Problem], completions: Sequence[Completion]) -> dict[str, Any]:
        chat = [not isinstance(problem.prompt, str) for problem in problems]
        texts = [
            [{"role": "assistant", "content": c.text}] if is_chat else c.text
            for c, is_chat in zip(completions, chat, strict=True)
        ]
        prompts = [list(p.prompt) if is_chat else p.prompt for p, is_chat in zip(problems, chat, strict=True)]
        names = {key for problem in problems for key in problem.info} - {"prompt", "completion"}
        columns = {key: [problem.info.get(key) for problem in problems] for key in sorted(names)}
        return {
            **columns,
            "prompts": prompts,
            "completions": texts,
            "completion_ids": [c.token_ids for c in completions],
        }

    def values(result: Any) -> list[Any]:
        return [Score(None, "not_applicable") if value is None else value for value in result]

    if inspect.iscoroutinefunction(function):

        async def wrapped_async(problems: Sequence[Problem], completions: Sequence[Completion]) -> list[Any]:
            return values(await function(**arguments(problems, completions)))

        return reward(registered, range=range, batch=True)(wrapped_async)

    def wrapped(problems: Sequence[Problem], completions: Sequence[Completion]) -> list[Any]:
        return values(function(**arguments(problems, completions)))

    return reward(registered, range=range, batch=True)(wrapped)
