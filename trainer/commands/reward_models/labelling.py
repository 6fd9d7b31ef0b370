"""`markscheme label`: sampling completions and labelling their steps."""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....rewards.lineage import lineage_of
from ....rewards.scheme import MarkScheme
from ....sandbox.errors import TaskError
from ....tasks.load_task import load_task
from ....tasks.problem import Completion, Problem, asked_in
from ....tasks.schema import Task
from ....verifiers.steps.split import SplitPolicy, split_policy
from ...config.run_config import SamplingConfig
from ...engines.base import Engine, prompt_seed
from ...loop.rollout import LoadedTask
from ...models.policy import Policy
from ...reward_models.step_labels import chain_of, monte_carlo, monte_carlo_row, rule_rows
from ..output import GOOD, show
from ..row_output import BadRows, RowOutput, row_bar
from ..sampling import check_kept, chunks_of, header_of, sampler_of, sampling_of


def label(args: argparse.Namespace) -> int:
    """Sample completions, label their steps, and write them to a file."""
    task = load_task(args.task, overrides=args.overrides, allow_code=args.allow_code)
    if args.by == "rule" and task.process is None:
        raise TaskError(
            f"label --by rule: task {task.name!r} has no `process:`, which would name the rule; add one"
        )
    sampling = sampling_of(args)
    scheme, bad = MarkScheme(task, process=args.by == "rule"), BadRows()
    header = header_of("labelled_steps", args, lineage_of(scheme))
    header["header"]["labels"] = {"by": args.by, "k": args.k, "steps": args.steps}
    counts: Counter[bool | str | None] = Counter()
    with (
        RowOutput(args.output, header, resume=args.resume) as output,
        sampler_of(args, task, scheme, bad) as (policy, engine, loaded),
    ):
        done = _kept_problems(output, args.n, counts, loaded)
        with row_bar(len(loaded.problems), unit="problem", done=done) as bar:
            for number, indices in chunks_of(len(loaded.problems), args.n, done):
                sampler = _Sampler(args, task, policy, engine, loaded, sampling, number)
                for row in sampler.labelled(indices):
                    output.write(row)
                    _count(counts, row)
                output.flush()
                counts["continuations"] += sampler.continuations
                bar.advance(len(indices))
    figures = {
        "rows": counts["rows"],
        "steps": counts[True] + counts[False] + counts[None],
        "right": counts[True],
        "wrong": counts[False],
        "unlabelled": counts[None],
        "continuations": counts["continuations"],
        "skipped": bad.count,
        "output": args.output,
    }
    line = (
        f"{figures['rows']} completions of {task.name}/{args.split} by {args.model},"
        f" {figures['steps']} steps: {figures['right']} right, {figures['wrong']} wrong,"
        f" {figures['unlabelled']} without a label"
        f" ({figures['continuations']} continuations); written to {args.output}"
    )
    show(args, figures, [line, *bad.lines()])
    return GOOD


def _count(counts: "Counter[bool | str | None]", row: Mapping[str, Any]) -> None:
    counts["rows"] += 1
    counts.update(row["labels"])


def _kept_problems(
    output: RowOutput, n: int, counts: "Counter[bool | str | None]", loaded: LoadedTask
) -> int:
    """Count the rows that an interrupted call has written, and return how many problems are done.

    The last chunk that has rows may not be complete, so it is labelled again.
    """
    last = max((row["group"] for row in output.kept()), default=0)
    done = next((indices.start for _, indices in chunks_of(last, n, max(last - 1, 0))), 0)
    output.keep(sum(row["group"] <= done for row in output.kept()))
    for row in output.kept():
        check_kept(row, loaded.problems[row["group"] - 1])
        _count(counts, row)
    return done


@dataclass
class _Sampler:
    """Samples and labels the completions of one chunk of problems."""

    args: argparse.Namespace
    task: Task
    policy: Policy
    engine: Engine
    loaded: LoadedTask
    sampling: SamplingConfig
    chunk: int
    """The number of the chunk, for its random seeds."""
    continuations: int = 0
    """How many were sampled to estimate the worth of steps."""

    def labelled(self, indices: range) -> Iterator[dict[str, Any]]:
        """Yield the labelled rows of some problems; completions without text or steps have none."""
        loaded, seed = self.loaded, prompt_seed(self.args.seed, self.chunk)
        prompts = [loaded.prompts[i] for i in indices]
        groups = self.engine.groups(prompts, self.args.n, self.sampling, seed=seed)
        answers = [
            (index, loaded.problems[index], completion)
            for index, group in zip(indices, groups, strict=True)
            for completion in group
            if completion.text.strip()
        ]
        by_rule = self.args.by == "rule"
        rows = self._by_rule(answers) if by_rule else self._by_continuing(answers, seed + 1)
        for (index, _, _), row in zip(answers, rows, strict=True):
            if row["completions"]:
                yield {**row, "group": index + 1}

    def _by_rule(self, answers: Sequence[tuple[int, Problem, Completion]]) -> list[dict[str, Any]]:
        problems = [problem for _, problem, _ in answers]
        completions = [completion for _, _, completion in answers]
        return rule_rows(
            self.loaded.scheme, problems, completions, [asked_in(problem.prompt) for problem in problems]
        )

    def _by_continuing(
        self, answers: Sequence[tuple[int, Problem, Completion]], seed: int
    ) -> Iterator[dict[str, Any]]:
        split = _split(self.args, self.task)
        chains = [chain_of(problem, completion, self.policy, split) for _, problem, completion in answers]
        with_steps = [chain for chain in chains if chain.steps]
        scheme, k = self.loaded.scheme, self.args.k
        self.continuations += monte_carlo(
            with_steps, k, self.engine, self.policy, scheme, self.sampling, seed=seed
        )
        return (monte_carlo_row(chain, asked_in(chain.problem.prompt)) for chain in chains)


def _split(args: argparse.Namespace, task: Task) -> SplitPolicy:
    """Return how to split completions: by `--steps`, else as the task's `process:` does, else by lines."""
    own = task.process.parameters.get("split", "lines") if task.process is not None else "lines"
    return split_policy(args.steps or own)
