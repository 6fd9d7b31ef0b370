"""Labelling the steps of sampled completions: by Monte-Carlo estimation, or by a task's own `process:`.

Math-Shepherd (arXiv 2312.08935, section 3.3) estimates how good a step is by sampling k continuations of the
solution from there: the step's value is the share of continuations that reach a right answer. A continuation
starts from the sampled token ids up to the end of the step. Tokenising the text again could give other ids.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ...rewards.scheme import MarkScheme
from ...tasks.problem import Completion, Problem
from ...verifiers.steps.split import SplitPolicy, Step, split_steps
from ...verifiers.steps.token_positions import step_ends
from ..config.run_config import SamplingConfig
from ..engines.base import Engine
from ..models.policy import EncodedPrompt, Policy

Prefix = tuple[str, tuple[int, ...]]
"""A problem's id, and the token ids of its prompt followed by those of a completion up to a step's end."""


@dataclass
class Chain:
    """A completion with its steps."""

    problem: Problem
    completion: Completion
    steps: list[Step]
    ends: list[int]
    """Index of each step's last token in the completion's ids."""
    shares: list[float | None] = field(default_factory=list)
    """For each step, the share of its continuations that reach a right answer; None if it is not known.
    `monte_carlo` fills this in."""

    def prefix(self, step: int) -> Prefix:
        """Return the prefix that ends with a step, counted from 0."""
        ids = (*self.completion.prompt_token_ids, *self.completion.token_ids[: self.ends[step] + 1])
        return self.problem.id, ids


def chain_of(problem: Problem, completion: Completion, policy: Policy, split: SplitPolicy | str) -> Chain:
    """Split a sampled completion into steps, and find each step's last token."""
    steps = split_steps(completion.text, split, prefill=completion.prefill)
    ends = step_ends(completion.token_ids, completion.text, steps, policy.tokenizer, tail="zero")
    return Chain(problem, completion, steps, ends)


def monte_carlo(
    chains: Sequence[Chain],
    k: int,
    engine: Engine,
    policy: Policy,
    scheme: MarkScheme,
    sampling: SamplingConfig,
    *,
    seed: int,
) -> int:
    """Estimate the value of every step, and return how many continuations were sampled.

    The estimates are put into each chain's `shares`. Completions that begin with the same ids share the
    continuations from there. The last step of a completion needs none: its share is 1 for a right answer and
    0 for a wrong one. A step has no share if the policy's context has no room for its continuations, or if
    none of them could be judged.

    Args:
        chains: completions of any problems, changed in place.
        k: continuations per step.
        engine: samples the continuations.
        policy: the model from which the engine samples.
        scheme: judges whether an answer is right.
        sampling: `max_new_tokens` limits each continuation, not the whole completion.
        seed: seed of the sampling.
    """
    longest = math.inf if policy.context is None else policy.context - sampling.max_new_tokens
    # One chain for each prefix; chains that share a prefix have the same problem and prompt.
    chain_of_prefix: dict[Prefix, Chain] = {}
    for chain in chains:
        for step in range(len(chain.steps) - 1):
            prefix = chain.prefix(step)
            if len(prefix[1]) <= longest:
                chain_of_prefix.setdefault(prefix, chain)
    continued = _continuations(chain_of_prefix, k, engine, policy, sampling, seed)
    finished = [(chain.problem, chain.completion) for chain in chains]
    marks = _judged(scheme, [*continued, *finished])
    of_continued, of_finished = marks[: len(continued)], marks[len(continued) :]
    shares = {
        prefix: _share_right(of_continued[i * k : (i + 1) * k]) for i, prefix in enumerate(chain_of_prefix)
    }
    for chain, last in zip(chains, of_finished, strict=True):
        earlier = [shares.get(chain.prefix(step)) for step in range(len(chain.steps) - 1)]
        chain.shares = [*earlier, _share_right([last])] if chain.steps else []
    return len(continued)


def _continuations(
    chain_of_prefix: dict[Prefix, Chain],
    k: int,
    engine: Engine,
    policy: Policy,
    sampling: SamplingConfig,
    seed: int,
) -> list[tuple[Problem, Completion]]:
    """Return `k` sampled continuations of each prefix, in the prefixes' order, each as a whole completion."""
    prompts = [
        EncodedPrompt(list(ids), chain.completion.prefill) for (_, ids), chain in chain_of_prefix.items()
    ]
    groups = engine.groups(prompts, k, sampling, seed=seed) if prompts else []
    completions = []
    for ((_, ids), chain), group in zip(chain_of_prefix.items(), groups, strict=True):
        begun = ids[len(chain.completion.prompt_token_ids) :]
        for continuation in group:
            completions.append((chain.problem, _joined(chain, begun, continuation, policy)))
    return completions


def _joined(chain: Chain, begun: Sequence[int], continuation: Completion, policy: Policy) -> Completion:
    """Return the completion that begins with the ids `begun` and ends with a continuation."""
    ids = [*begun, *continuation.token_ids]
    return Completion(
        policy.decode(ids),
        token_ids=ids,
        prefill=chain.completion.prefill,
        finish_reason=continuation.finish_reason,
    )


def _judged(scheme: MarkScheme, answers: Sequence[tuple[Problem, Completion]]) -> list[bool | None]:
    """Return whether each answer is right; answers that are the same are scored once."""
    keys = [(problem.id, answer.text, answer.finish_reason) for problem, answer in answers]
    distinct = dict(zip(keys, answers, strict=True))
    problems = [problem for problem, _ in distinct.values()]
    completions = [completion for _, completion in distinct.values()]
    scores = scheme.score(problems, completions)
    marks = {key: scheme.is_right(score) for key, score in zip(distinct, scores, strict=True)}
    return [marks[key] for key in keys]


def _share_right(marks: Sequence[bool | None]) -> float | None:
    known = [mark for mark in marks if mark is not None]
    return sum(known) / len(known) if known else None


def monte_carlo_row(chain: Chain, prompt: str) -> dict[str, Any]:
    """Return a chain that `monte_carlo` has estimated as a row to train on.

    The label of a step is Math-Shepherd's hard estimate, whether any continuation reached a right answer.
    `shares` are its soft estimates, which the training uses if they are there.
    """
    return {
        **_row(chain.problem, chain.completion, chain.steps, prompt),
        "labels": [None if share is None else share > 0 for share in chain.shares],
        "shares": chain.shares,
    }


def rule_rows(
    scheme: MarkScheme, problems: Sequence[Problem], completions: Sequence[Completion], prompts: Sequence[str]
) -> list[dict[str, Any]]:
    """Return rows to train on, whose labels are the marks of the task's `process:`.

    A step is labelled right if its mark is at or above the middle of the marks' range. A step that could not
    be judged has the label None.
    """
    low, high = scheme.step_bounds
    middle = (low + high) / 2
    rows = []
    scores = scheme.score(problems, completions)
    for problem, completion, prompt, score in zip(problems, completions, prompts, scores, strict=True):
        marks = score.steps or []
        row = _row(problem, completion, [mark.step for mark in marks], prompt)
        row["labels"] = [None if mark.value is None else mark.value >= middle for mark in marks]
        rows.append(row)
    return rows


def _row(problem: Problem, completion: Completion, steps: Sequence[Step], prompt: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "problem": problem.id,
        "prompt": prompt,
        "completions": [completion.text[step.start : step.end] for step in steps],
    }
