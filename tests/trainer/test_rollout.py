"""The sampling half of a step: the order of problems, scoring beside sampling, and flat groups."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from markscheme.rewards import MarkScheme, Score
from markscheme.rewards.score import StepMark
from markscheme.tasks import Problem, load_problems, load_task
from markscheme.trainer import outcome_advantages, process_advantages
from markscheme.trainer.config.run_config import SamplingConfig
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.loop.rollout import Group, LoadedTask, ProblemOrder, group_is_flat, scored_groups
from markscheme.trainer.models.policy import Policy
from markscheme.trainer.models.prompts import encode_prompt
from markscheme.verifiers.steps.split import whole
from support import MakeTask


def test_groups_are_scored_while_others_are_sampled(policies: dict[str, Policy], make_task: MakeTask) -> None:
    """The last group is not sampled before one is scored; it would wait in vain if scoring came after."""
    policy = policies["llama"]
    task = make_task("rewards: {long: {use: length, target: 10, unit: tokens}}")
    problems = [Problem(prompt=text, reference="1") for text in ("1+1=", "what is it?", "a", "b")]
    prompts = [encode_prompt(policy, task, problem, max_new_tokens=40) for problem in problems]
    sampling = SamplingConfig(max_new_tokens=40)
    scheme, engine = MarkScheme(task), HfEngine(policy)
    score, generate = scheme.score, engine.generate
    one_is_scored = threading.Event()

    def score_and_signal(*args: Any, **kwargs: Any) -> Any:
        scores = score(*args, **kwargs)
        one_is_scored.set()
        return scores

    def generate_the_last_after_a_score(*args: Any, **kwargs: Any) -> Iterator[Any]:
        *first, last = generate(*args, **kwargs)
        yield from first
        assert one_is_scored.wait(timeout=60), "nothing is scored before the last group is complete"
        yield last

    scheme.score = score_and_signal  # type: ignore[method-assign]
    engine.generate = generate_the_last_after_a_score  # type: ignore[method-assign]
    chosen = [("t", i) for i in (2, 0, 3, 1)]
    loaded = {"t": LoadedTask(task, scheme, problems, prompts)}
    groups, _ = scored_groups(engine, loaded, chosen, 3, sampling, seed=4, step=1)
    assert [group.problem.prompt for group in groups] == ["a", "1+1=", "b", "what is it?"]
    plain = HfEngine(policy).groups([prompts[i] for _, i in chosen], 3, sampling, seed=4)
    assert [[c.text for c in group.completions] for group in groups] == [[c.text for c in g] for g in plain]
    for group in groups:
        again = score([group.problem] * 3, group.completions, step=1)
        assert [s.value for s in group.scores] == [s.value for s in again]


def test_an_error_while_scoring_is_raised(policies: dict[str, Policy], make_task: MakeTask) -> None:
    """Scoring runs in a thread, where an error could get lost."""
    task, policy = make_task("rewards: {a: {use: answer}}"), policies["llama"]
    problems = [Problem(prompt="1+1=", reference="2")] * 2
    prompts = [encode_prompt(policy, task, problem, max_new_tokens=8) for problem in problems]
    scheme = MarkScheme(task)

    def broken_score(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("out of paper")

    scheme.score = broken_score  # type: ignore[method-assign]
    loaded = {"t": LoadedTask(task, scheme, problems, prompts)}
    sampling = SamplingConfig(max_new_tokens=8)
    with pytest.raises(RuntimeError, match="out of paper"):
        scored_groups(HfEngine(policy), loaded, [("t", 0), ("t", 1)], 2, sampling, seed=1, step=1)


Marks = list[float | None]


def scored_group(rewards: list[float | None], marks: list[Marks] | None = None) -> Group:
    """Return a group with these rewards, and these marks of the steps of each completion."""
    scores = []
    for i, reward in enumerate(rewards):
        marks_of_steps = marks[i] if marks is not None else []
        scores.append(Score(reward, steps=[StepMark(whole("x"), mark) for mark in marks_of_steps]))
    return Group("digits", Problem(prompt="1+1="), [], scores)


@pytest.mark.parametrize(
    ("rewards", "marks", "is_flat"),
    [
        ([1.0, 1.0], None, True),
        ([1.0, 0.0], None, False),
        ([1.0, None, 1.0], None, True),
        ([None, None], None, True),
        ([1.0, 1.0 + 1e-15], None, False),
        ([1.0, 1.0], [[0.5, 0.5], [0.5]], True),
        ([1.0, 1.0], [[0.5, None], [0.5]], True),
        ([1.0, 1.0], [[0.5, 0.4], [0.5]], False),
        ([1.0, None], [[0.5], [0.4]], True),
    ],
)
def test_a_flat_group_has_equal_rewards_and_equal_marks(
    rewards: list[float | None], marks: list[Marks] | None, is_flat: bool
) -> None:
    assert group_is_flat(scored_group(rewards, marks)) is is_flat


def test_only_the_outcome_advantages_of_a_flat_group_must_be_zero() -> None:
    """Under `clip`, its steps may have advantages; and not every other group has outcome advantages."""
    group = scored_group([1.0, 1.0], [[0.0, 0.0], [0.0]])
    assert group_is_flat(group)
    assert not outcome_advantages(group.rewards).any()
    assert process_advantages([[0.0, 0.0], [0.0]], [[0, 1], [0]], [2, 1], credit="clip").any()
    only_marks_differ = scored_group([1.0, 1.0], [[0.5], [0.4]])
    assert not group_is_flat(only_marks_differ)
    assert not outcome_advantages(only_marks_differ.rewards).any()


def test_the_order_of_problems_depends_only_on_seed_step_and_cursors() -> None:
    task = load_task("addition")
    scheme, problems = MarkScheme(task), load_problems(task, limit=5)
    tasks = {name: LoadedTask(task, scheme, problems, [], share) for name, share in (("a", 3.0), ("b", 1.0))}

    def taken(step: int, seed: int = 0, cursors: dict[str, int] | None = None) -> list[tuple[str, int]]:
        return ProblemOrder(tasks, seed, cursors).take(40, step)

    assert taken(1) == taken(1)
    assert taken(1) != taken(2)  # the step decides which tasks are drawn
    assert taken(1) != taken(1, seed=1)
    assert taken(1) != taken(1, cursors={"a": 1})
    order = ProblemOrder(tasks, 0)
    first, second = order.take(40, 1), order.take(40, 2)
    counts = {name: sum(name == drawn for drawn, _ in first) for name in tasks}
    assert taken(2, cursors=counts) == second  # as a resumed run would go on
    assert order.cursors["a"] > order.cursors["b"]
    problems_of_a = [index for name, index in first + second if name == "a"]
    passes = [problems_of_a[i : i + 5] for i in range(0, len(problems_of_a) - 4, 5)]
    assert all(sorted(one_pass) == [0, 1, 2, 3, 4] for one_pass in passes)
    assert len({tuple(one_pass) for one_pass in passes}) > 1
