"""A scheme of ours as a TRL reward function, and TRL's reward functions as rewards of ours.

TRL calls `f(prompts, completions, completion_ids, log_extra, log_metric, ..., **columns) -> list`.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem, said_by
from ...tasks.problems import ProblemMaker
from ..composition.registry import reward
from ..scheme import MarkScheme
from ..score import Score


def as_trl(scheme: MarkScheme, *, prefill: str = "") -> list[Callable[..., list[float | None]]]:
    r"""Return a scheme as a list of one TRL reward function, whose value is the scheme's total.

    One function and not one per entry, because TRL adds its functions up and our entries may gate each
    other. The data set needs the columns that the task's templates read (`prompt` is TRL's own). Every
    entry's mean goes to TRL's log. For a row that is left out the function returns None, and TRL leaves
    it out too.

        >>> from markscheme.rewards import MarkScheme, as_trl
        >>> from markscheme.tasks import load_task
        >>> (function,) = as_trl(MarkScheme(load_task("gsm8k")))
        >>> columns = {"question": ["1 + 1?"], "answer": ["It is 2.\n#### 2"]}
        >>> function(prompts=["1 + 1?"], completions=[r"<think>so</think>\boxed{2}"], **columns)
        [1.1]

    Args:
        scheme: the scheme.
        prefill: the start of the answer that your chat template puts into the prompt, such as
            `<think>` and a line break.
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
            Completion(_text(completion), token_ids=list(of_row), prefill=prefill)
            for completion, of_row in zip(completions, ids, strict=True)
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
    return completion if isinstance(completion, str) else said_by("assistant", completion)


def part_means(scores: Sequence[Score]) -> dict[str, float]:
    """Return each entry's mean value over the rows that have one."""
    means = {}
    for name in scores[0].parts if scores else ():
        values = [value for score in scores if (value := score.parts[name].value) is not None]
        if values:
            means[name] = sum(values) / len(values)
    return means


def from_trl(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    range: tuple[float, float] = (float("-inf"), float("inf")),  # noqa: A002 (the field's own word)
) -> Callable[..., Any]:
    """Register a TRL reward function as a reward that a task can name.

    The function gets `prompts`, `completions` (as messages where the prompt is messages),
    `completion_ids`, and each column of the rows as a list. Where it returns None (not applicable), the
    part is `not_applicable`.

        >>> from markscheme.rewards import from_trl
        >>> def short(prompts, completions, **columns):
        ...     return [float(len(completion) < 200) for completion in completions]
        >>> registered = from_trl(short, range=(0, 1))  # in a task: {use: short}

    Args:
        function: `f(prompts, completions, **columns) -> list[float | None]`, synchronous or not.
        name: what `use:` will say; the function's own name by default.
        range: lowest and highest value; a value outside is a bug of the function.

    Raises:
        RewardError: the function has no name and none is given, or the name is taken.
    """
    registered = name or getattr(function, "__name__", "")
    if not registered or registered == "<lambda>":
        raise RewardError(f"from_trl: {function!r} has no name that a task could use; give name=...")

    def arguments(problems: Sequence[Problem], completions: Sequence[Completion]) -> dict[str, Any]:
        chat = [not isinstance(problem.prompt, str) for problem in problems]
        texts = [
            [{"role": "assistant", "content": completion.text}] if is_chat else completion.text
            for completion, is_chat in zip(completions, chat, strict=True)
        ]
        prompts = [
            list(problem.prompt) if is_chat else problem.prompt
            for problem, is_chat in zip(problems, chat, strict=True)
        ]
        names = {key for problem in problems for key in problem.info} - {"prompt", "completion"}
        return {
            **{key: [problem.info.get(key) for problem in problems] for key in sorted(names)},
            "prompts": prompts,
            "completions": texts,
            "completion_ids": [completion.token_ids for completion in completions],
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
