"""Exchange with TRL: a mark scheme as a TRL reward function, and TRL reward functions as rewards of a task.

TRL calls `f(prompts, completions, completion_ids, log_extra, log_metric, ..., **columns) -> list`.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ...sandbox.errors import RewardError
from ...tasks.problem import Completion, Problem, said_by
from ...tasks.rows.problem_maker import ProblemMaker
from ...verifiers.decoding import decoded, end_ids_of
from ..composition.reward_functions import reward
from ..scheme import MarkScheme
from ..score import Score


def as_trl(
    scheme: MarkScheme, *, prefill: str = "", tokenizer: Any = None
) -> list[Callable[..., list[float | None]]]:
    r"""Return a mark scheme as a list of one TRL reward function, whose value is the scheme's total.

    It is one function, not one per entry, because TRL adds up the values of its functions, while the entries
    of a scheme may gate each other or be combined in another way. The data set must have the columns that the
    task's templates read, except `prompt`, which TRL passes. The mean of every entry is written to TRL's log.
    For a row that the scheme leaves out, the function returns None, and TRL leaves it out too.

        >>> from markscheme.rewards import MarkScheme, as_trl
        >>> from markscheme.tasks import load_task
        >>> (function,) = as_trl(MarkScheme(load_task("gsm8k")))
        >>> columns = {"question": ["1 + 1?"], "answer": ["It is 2.\n#### 2"]}
        >>> function(prompts=["1 + 1?"], completions=[r"<think>so</think>\boxed{2}"], **columns)
        [1.1]

    Args:
        scheme: the mark scheme to export.
        prefill: the start of the answer, if the chat template puts one at the end of the prompt, such as
            `<think>` and a line break.
        tokenizer: the trainer's `processing_class`. Give it: TRL says nothing about where a completion ended,
            and its texts lack special tokens, which `<think>` and `<answer>` are in some tokenizers. With
            the tokenizer, the text is decoded again from `completion_ids`, special tokens included, and a
            completion whose last token does not end it counts as cut off (`finish_reason: length`). Without
            it, every completion counts as possibly cut off, so that a box or a code block that is never
            closed does not pay.
    """
    if not isinstance(scheme, MarkScheme):
        raise RewardError(f"as_trl takes MarkScheme(load_task(...)) (given: {scheme!r:.60})")
    maker = ProblemMaker(scheme.task)

    def total(
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[list[int]] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        trainer_state: Any = None,
        **columns: Any,
    ) -> list[float | None]:
        per_row = {name: column for name, column in columns.items() if _is_column(column, len(prompts))}
        problems = []
        for i, prompt in enumerate(prompts):
            row = {"prompt": prompt} | {name: column[i] for name, column in per_row.items()}
            problems.append(maker(row, f"row {i} of the batch"))
        all_ids = completion_ids or [[]] * len(completions)
        answers = [
            _completion(completion, list(ids), prefill, tokenizer)
            for completion, ids in zip(completions, all_ids, strict=True)
        ]
        scores = scheme.score(problems, answers, step=getattr(trainer_state, "global_step", None))
        if log_metric is not None:
            for name, value in part_means(scores).items():
                log_metric(f"{scheme.task.name}/{name}", value)
        return [score.value for score in scores]

    total.__name__ = scheme.task.name
    return [total]


def _is_column(value: Any, rows: int) -> bool:
    """Whether an argument from TRL holds one value per row; TRL passes other objects too."""
    return isinstance(value, list | tuple) and len(value) == rows


def _completion(said: Any, ids: list[int], prefill: str, tokenizer: Any) -> Completion:
    """Return a completion of TRL's, a text or chat messages, with what its ids say about its end."""
    text, finish_reason = _text(said), "length"
    if tokenizer is not None and ids:
        tokenizer = getattr(tokenizer, "tokenizer", tokenizer)  # that of a multimodal processor
        if ids[-1] in end_ids_of(tokenizer):
            finish_reason = "stop"
        if isinstance(said, str) or len(said) == 1:  # the ids of several messages hold a tool's text too
            text = decoded(ids, tokenizer)
    return Completion(text, token_ids=ids, prefill=prefill, finish_reason=finish_reason)


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else said_by("assistant", completion)


def part_means(scores: Sequence[Score]) -> dict[str, float]:
    """Return each entry's mean over the scores in which it has a value; entries without any are left out."""
    means = {}
    for name in scores[0].parts if scores else ():
        values = [score.parts[name].value for score in scores]
        known = [value for value in values if value is not None]
        if known:
            means[name] = sum(known) / len(known)
    return means


def from_trl(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    range: tuple[float, float] = (float("-inf"), float("inf")),  # noqa: A002 (as in @reward)
) -> Callable[..., Any]:
    """Register a TRL reward function as a reward that a task can name, and return the registered function.

    As in TRL, the function is called with `prompts`, `completions` (chat messages if the prompts are),
    `completion_ids`, and each column of the rows as a list. If it returns None for a row, the part is
    `not_applicable`.

        >>> from markscheme.rewards import from_trl
        >>> def short(prompts, completions, **columns):
        ...     return [float(len(completion) < 200) for completion in completions]
        >>> registered = from_trl(short, range=(0, 1))  # in a task: {use: short}

    Args:
        function: `f(prompts, completions, **columns) -> list[float | None]`, synchronous or asynchronous.
        name: the name to give in a task's `use:`; by default the function's own.
        range: the lowest and highest value that the function returns, by default unlimited; a value outside
            is a `bug`.

    Raises:
        RewardError: the function has no name and `name` is not given, or the name is taken.
    """
    registered = name or getattr(function, "__name__", "")
    if not registered or registered == "<lambda>":
        raise RewardError(f"from_trl: {function!r} has no name that a task could use; give name='...'")

    async def wrapped_async(problems: Sequence[Problem], completions: Sequence[Completion]) -> list[Any]:
        return _values(await function(**_trl_arguments(problems, completions)))

    def wrapped(problems: Sequence[Problem], completions: Sequence[Completion]) -> list[Any]:
        return _values(function(**_trl_arguments(problems, completions)))

    register = reward(registered, range=range, batch=True)
    return register(wrapped_async if inspect.iscoroutinefunction(function) else wrapped)


def _trl_arguments(problems: Sequence[Problem], completions: Sequence[Completion]) -> dict[str, Any]:
    """Return the keyword arguments that TRL would call a reward function with for these rows."""
    prompts: list[Any] = []
    texts: list[Any] = []
    for problem, completion in zip(problems, completions, strict=True):
        if isinstance(problem.prompt, str):
            prompts.append(problem.prompt)
            texts.append(completion.text)
        else:
            prompts.append(list(problem.prompt))
            texts.append([{"role": "assistant", "content": completion.text}])
    names = {name for problem in problems for name in problem.info} - {"prompt", "completion"}
    return {
        **{name: [problem.info.get(name) for problem in problems] for name in sorted(names)},
        "prompts": prompts,
        "completions": texts,
        "completion_ids": [completion.token_ids for completion in completions],
    }


def _values(result: Sequence[float | None]) -> list[Any]:
    return [Score(None, "not_applicable") if value is None else value for value in result]
