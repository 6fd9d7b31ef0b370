"""Labels of steps: by Monte-Carlo completion from any policy and engine, or by a task's own rule.

Math-Shepherd (arXiv 2312.08935), section 3.3: from each step the completer goes on k times, and the step is
worth the share that reaches a right answer. It goes on from the sampled ids themselves, cut where the
step ends, so that nothing is tokenised anew.
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


@dataclass
class Chain:
    """A completion with its steps, and where each ends in the sampled ids."""

    problem: Problem
    completion: Completion
    steps: list[Step]
    ends: list[int]
    shares: list[float | None] = field(default_factory=list)
    """Of each step, the share of continuations that reach a right answer; None = none could be judged."""

    def prefix(self, step: int) -> tuple[str, tuple[int, ...]]:
        """Return the problem, and prompt and sampled ids up to a step's end."""
        ids = (*self.completion.prompt_token_ids, *self.completion.token_ids[: self.ends[step] + 1])
        return self.problem.id, ids


def chain_of(problem: Problem, completion: Completion, policy: Policy, split: SplitPolicy | str) -> Chain:
    """Split a sampled completion and place its steps on its ids."""
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
    """Fill in the shares of all steps; return how many continuations were sampled.

    A step is asked `k` times, wherever several completions share the ids up to it. The last one is not:
    what follows it is known, so it is worth whether its completion is right. A step that leaves no room
    for a continuation in the policy's context has no share.
    """
    room = math.inf if policy.context is None else policy.context - sampling.max_new_tokens
    wanted: dict[tuple[str, tuple[int, ...]], Chain] = {}
    for chain in chains:
        for step in range(len(chain.steps) - 1):
            prefix = chain.prefix(step)
            if len(prefix[1]) <= room:
                wanted.setdefault(prefix, chain)
    prompts = [EncodedPrompt(list(ids), chain.completion.prefill) for (_, ids), chain in wanted.items()]
    groups = engine.groups(prompts, k, sampling, seed=seed) if prompts else []
    problems, whole = [], []
    for ((_, ids), chain), group in zip(wanted.items(), groups, strict=True):
        begun = ids[len(chain.completion.prompt_token_ids) :]
        for continuation in group:
            problems.append(chain.problem)
            whole.append(_joined(chain, begun, continuation, policy))
    finals = [chain.completion for chain in chains]
    marks = _right(scheme, [*problems, *(chain.problem for chain in chains)], [*whole, *finals])
    shares = {prefix: _share(marks[i * k : (i + 1) * k]) for i, prefix in enumerate(wanted)}
    for chain, last in zip(chains, marks[len(whole) :], strict=True):
        earlier = [shares.get(chain.prefix(step)) for step in range(len(chain.steps) - 1)]
        chain.shares = [*earlier, _share([last])] if chain.steps else []
    return len(whole)


def _joined(chain: Chain, begun: Sequence[int], continuation: Completion, policy: Policy) -> Completion:
    ids = [*begun, *continuation.token_ids]
    return Completion(
        policy.decode(ids),
        token_ids=ids,
        prefill=chain.completion.prefill,
        finish_reason=continuation.finish_reason,
    )


def _right(
    scheme: MarkScheme, problems: Sequence[Problem], completions: Sequence[Completion]
) -> list[bool | None]:
    """Judge completions, each distinct one of a problem once."""
    keys = [(p.id, c.text, c.finish_reason) for p, c in zip(problems, completions, strict=True)]
    asked = list({key: i for i, key in enumerate(keys)}.values())
    scores = scheme.score([problems[i] for i in asked], [completions[i] for i in asked])
    told = {keys[i]: scheme.is_right(score) for i, score in zip(asked, scores, strict=True)}
    return [told[key] for key in keys]


def _share(marks: Sequence[bool | None]) -> float | None:
    known = [mark for mark in marks if mark is not None]
    return sum(known) / len(known) if known else None


def monte_carlo_row(chain: Chain, prompt: str) -> dict[str, Any]:
    """Return a chain as a row for `train_prm`: a step is labelled right if any continuation was."""
    return {
        **_row(chain.problem, chain.completion, chain.steps, prompt),
        "labels": [None if share is None else share > 0 for share in chain.shares],
        "shares": chain.shares,
    }


def rule_rows(
    scheme: MarkScheme, problems: Sequence[Problem], completions: Sequence[Completion], prompts: Sequence[str]
) -> list[dict[str, Any]]:
    """Return rows labelled by the task's `process:`; a step that its rule cannot judge has no label."""
    low, high = scheme.step_bounds
    rows = []
    scores = scheme.score(problems, completions)
    for problem, completion, prompt, score in zip(problems, completions, prompts, scores, strict=True):
        marks = score.steps or []
        labels = [None if m.value is None else m.value >= (low + high) / 2 for m in marks]
        row = _row(problem, completion, [m.step for m in marks], prompt)
        rows.append({**row, "labels": labels})
    return rows


def _row(problem: Problem, completion: Completion, steps: Sequence[Step], prompt: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "problem": problem.id,
        "prompt": prompt,
        "completions": [completion.text[step.start : step.end] for step in steps],
    }
