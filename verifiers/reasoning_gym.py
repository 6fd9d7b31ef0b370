"""The verifier `reasoning_gym`: answers to reasoning-gym's problems, judged by its own scorers."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import cache
from threading import Lock
from typing import Any

from ..sandbox.errors import RewardError
from ..tasks.generators.reasoning_gym import reasoning_gym as known_datasets
from ..tasks.problem import Completion, Problem
from .completion import ThinkingMark, thinking_marks, whole_answer
from .extraction.extract import ExtractSpec, extract_by, ready_rules
from .verdict import Reason, Verdict, verifier

_QUIET = Lock()
"""Held while standard output is redirected, which is one for all threads."""
RIGHT_FROM = 1.0 - 1e-6
"""The lowest score that calls an answer right; lower ones are partial credit."""


@cache
def _scorer(dataset: str) -> Callable[..., Any]:
    return known_datasets().create_dataset(dataset, size=1, seed=0).score_answer


@verifier("reasoning_gym")
def reasoning_gym(
    problem: Problem,
    completion: Completion,
    *,
    extract: ExtractSpec = "strict",
    thinking: Sequence[ThinkingMark] = (),
) -> Verdict:
    """Judge the final answer by the scorer of the reasoning-gym data set that the problem is from.

    An answer is right if its score is 1; a lower score is partial credit, which it is worth as a reward. The
    problem must come from `data: {generator: reasoning_gym, ...}`.

    In a task: `{use: reasoning_gym}`

    Args:
        problem: with the columns `question`, `answer`, `metadata` and `dataset`.
        completion: the completion.
        extract: how the answer is found; an entry without it takes the task's own.
        thinking: further marks of the thinking part; an entry without it takes the task's own.
    """
    missing = [name for name in ("question", "answer", "metadata", "dataset") if name not in problem.info]
    if missing:
        raise RewardError(
            f"problem {problem.id} lacks {', '.join(missing)}: it is not from `generator: reasoning_gym`"
        )
    text = whole_answer(problem, completion, thinking)
    found = extract_by(ready_rules(extract), text, thinking_marks(thinking))
    if found.text is None or found.span is None or found.reason is not None:
        return Verdict(False, found.reason or Reason.NO_ANSWER, extracted=found.text, tier="extract")
    answer = text[slice(*found.span)].strip()
    scorer = _scorer(problem.info["dataset"])
    with _QUIET, redirect_stdout(io.StringIO()):  # some scorers print what they think of an answer
        score = float(scorer(answer=answer, entry=dict(problem.info)))
    reason = Reason.EQUAL if score >= RIGHT_FROM else Reason.DIFFERENT
    return Verdict(score >= RIGHT_FROM, reason, answer, "reasoning_gym", worth=min(max(score, 0.0), 1.0))
