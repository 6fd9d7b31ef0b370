"""Sampling completions of a task outside training: the public function `sample`, and what commands share."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...rewards.models.torch_runtime import choose_device
from ...rewards.scheme import MarkScheme, ReferenceCheck
from ...sandbox.errors import DataError, did_you_mean
from ...tasks.load_problems import load_problems, place_in, without
from ...tasks.load_task import load_task
from ...tasks.rows.row_files import OnBad
from ...tasks.schema import Task
from ...tasks.validation import first_fault
from ..config.run_config import EngineConfig, PolicyConfig, SamplingConfig
from ..engines.base import Engine
from ..engines.make import make_engine
from ..models.built_in.by_name import source_of_model
from ..models.built_in.tiny import one_thread
from ..models.load_policy import load_policy
from ..models.notes import Note, ignored
from ..models.policy import Policy
from ..models.prompts import EncodedPrompts
from .evaluation import SampleTally, sampled_groups
from .rollout import Group, LoadedTask


@dataclass(frozen=True)
class SamplerSettings:
    """Which model samples which problems of a task, and with which engine."""

    model: str = "tiny"
    """`tiny`, `smollm2`, a folder or a hub id."""
    split: str = "test"
    limit: int | None = 100
    """The most problems; None = all."""
    seed: int = 0
    device: str = "auto"
    engine: str = "hf"
    """`hf`, `vllm` or `vllm_http`."""
    urls: tuple[str, ...] = ()
    """vLLM servers, for `vllm_http`."""
    template: Mapping[str, Any] | None = None
    """Arguments of the chat template."""


def policy_for(task: Task, settings: SamplerSettings, note: Note = ignored) -> Policy:
    """Return the model that the settings name."""
    config = validated(PolicyConfig, model=settings.model, template=dict(settings.template or {}))
    source = source_of_model(settings.model, task, settings.seed, note=note)
    return load_policy(config, source, choose_device(settings.device), note=note)


def validated(section: Any, /, **settings: Any) -> Any:
    """Return a section of a run file with some settings.

    Raises:
        DataError: one of them is out of its range.
    """
    try:
        return section(**settings)
    except ValidationError as error:
        raise DataError(str(first_fault(error))) from error


@contextmanager
def sampler(
    task: Task,
    scheme: MarkScheme,
    settings: SamplerSettings,
    max_new_tokens: int,
    *,
    on_bad: OnBad | None = None,
    note: Note = ignored,
) -> Iterator[tuple[Policy, Engine, LoadedTask]]:
    """Yield a model, an engine that samples from it, and the problems to sample.

    Args:
        task: the task.
        scheme: its mark scheme.
        settings: the model, the engine and the problems.
        max_new_tokens: the room that every prompt must leave.
        on_bad: takes the errors of rows that make no problem or too long a prompt; None = they are raised.
        note: called with lines that a reader should know.

    Raises:
        MarkschemeError: the data, the model or the engine cannot be used.
    """
    check = ReferenceCheck(scheme, skip=on_bad is not None)
    problems = load_problems(task, split=settings.split, limit=settings.limit, each=check, on_bad=on_bad)
    check.finish()
    policy = policy_for(task, settings, note)
    prompts = EncodedPrompts(policy, task, problems, max_new_tokens)
    if on_bad is not None:
        long = dict(prompts.too_long())
        for index, error in long.items():
            on_bad(DataError(f"{place_in(problems, index)}: {error}"))
        problems = without(problems, set(long))
        prompts = EncodedPrompts(policy, task, problems, max_new_tokens)
    prompts.check()
    engine = make_engine(validated(EngineConfig, kind=settings.engine, urls=settings.urls), policy, note)
    try:
        engine.sync(policy, 0)
        with one_thread():
            yield policy, engine, LoadedTask(task, scheme, problems, prompts)
    finally:
        engine.close()


@dataclass
class Samples:
    """Scored samples of a task."""

    groups: list[Group]
    """One per problem, each with its completions and their scores."""
    figures: dict[str, Any]
    """pass@k, the shares of mixed groups, and more, as `markscheme sample --json` prints them."""


def sample(
    task: str | Path | Task,
    *,
    n: int = 8,
    temperature: float = 1.0,
    top_p: float = 1.0,
    max_new_tokens: int = 48,
    stop: Sequence[str] = (),
    **settings: Any,
) -> Samples:
    """Sample completions of a task with a model, and score them.

        >>> from markscheme.trainer import sample
        >>> samples = sample("addition", n=4, limit=10)  # doctest: +SKIP
        >>> samples.figures["pass_at_k"]  # doctest: +SKIP
        {1: 0.475, 2: 0.67, 4: 0.8}

    Args:
        task: a task, or its name or file.
        n: completions per problem.
        temperature: divides the logits.
        top_p: sample from the likeliest tokens of this probability.
        max_new_tokens: longer completions are cut off.
        stop: texts that end a completion.
        settings: the fields of `SamplerSettings`: `model`, `split`, `limit`, `seed`, `device`, `engine`,
            `urls` and `template`.

    Raises:
        MarkschemeError: the task, the data, the model or the engine cannot be used.
    """
    known = [one.name for one in fields(SamplerSettings)]
    for name in settings:
        if name not in known:
            near = did_you_mean(name, known)
            raise DataError(f"sample() takes no {name!r}{near} (settings: {', '.join(known)})")
    if not (isinstance(n, int) and n >= 1):
        raise DataError(f"n must be a whole number from 1 up (given: {n!r})")
    task = task if isinstance(task, Task) else load_task(task)
    scheme, chosen = MarkScheme(task, process=False), SamplerSettings(**settings)
    sampling = validated(
        SamplingConfig,
        temperature=temperature,
        top_p=top_p,
        max_new_tokens=max_new_tokens,
        stop=stop,
    )
    with sampler(task, scheme, chosen, max_new_tokens) as (_, engine, loaded):
        groups = sampled_groups(engine, loaded, range(len(loaded.problems)), n, sampling, chosen.seed)
    tally = SampleTally(loaded, n)
    for group in groups:
        tally.add(group)
    return Samples(groups, tally.figures())
