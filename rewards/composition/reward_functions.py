"""The functions that a task's `use:` may name, and the `@reward` decorator that registers one."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ...sandbox.errors import RewardError, TaskError
from ...tasks.name_lookup import Table, resolve
from ...tasks.schema import Task
from ...verifiers.verdict import VERIFIERS, Verifier
from .combine import Bounds
from .step_options import StepOptions, keyword_parameters

F = TypeVar("F", bound=Callable[..., Any])

REWARDS = Table("reward")


@dataclass(frozen=True)
class Reward:
    """A function `(problem, completion, **parameters) -> float | Score`, with what `@reward` says of it."""

    name: str
    function: Callable[..., Any]
    range: Bounds | Callable[..., Bounds] = (0.0, 1.0)
    """The lowest and highest value, or a function of the entry's parameters that returns them; a value
    outside is a bug of the reward."""
    batch: bool = False
    """Whether it takes lists of problems and completions, and returns a list."""
    is_async: bool = False
    steps: bool = False
    """Whether it marks the steps of a completion, whose texts it takes as a third argument."""
    ready: Callable[..., None] | None = None
    """Called with the entry's parameters when a scheme is built, to check them together and to load what
    scoring will need."""


Component = Reward | Verifier


def range_of(component: Component, parameters: Mapping[str, Any]) -> Bounds:
    """Return a component's lowest and highest value with an entry's parameters: for a verifier, 0 and 1."""
    if not isinstance(component, Reward):
        return 0.0, 1.0
    return component.range(**parameters) if callable(component.range) else component.range


def reward(
    name: str,
    *,
    range: Bounds | Callable[..., Bounds] = (0.0, 1.0),  # noqa: A002 (the clearest name here)
    batch: bool = False,
    steps: bool = False,
    ready: Callable[..., None] | None = None,
) -> Callable[[F], F]:
    """Register a reward: `(problem, completion, **parameters) -> float | Score`.

    The function's keyword-only parameters are set in the task file. The function may be `async`. It should
    raise `InfraError` when your own side has failed (an endpoint is down), so that the completion is not
    blamed. Your code can still call it as an ordinary function.

        >>> from markscheme.rewards import reward
        >>> @reward("brevity", range=(0, 1))
        ... def brevity(problem, completion, *, target: int = 200) -> float:
        ...     return min(1.0, target / max(len(completion.text), 1))

    In a task: `short: {use: "mine.py:brevity", target: 100, weight: 0.1}`.

    Args:
        name: the name to give in a task's `use:`.
        range: the lowest and highest value; may be infinite, except with `steps`. If it depends on the
            entry's parameters: a function that takes those that are given, and returns it.
        batch: whether the function takes lists of problems and completions and returns a list of values.
        steps: whether the function takes the texts of the completion's steps as a third argument and returns
            one value per step: a number within `range`, a bool, a `Verdict`, or None for a step that it
            cannot judge. The task says how a text is split into steps, and what the completion as a whole is
            worth (`StepOptions`).
        ready: a function that is called with the entry's parameters when a scheme is built. A `ValueError`
            that it raises, because parameters contradict each other or a model cannot be loaded, is an error
            then, with the entry's place in its file, and not at the first completion.

    Raises:
        RewardError: the name is taken, the range is not one, or a function that marks steps has an
            infinite range or a parameter that is reserved for `StepOptions`.
    """
    if not isinstance(name, str):  # @reward without brackets passes the function
        raise RewardError(
            f'@reward needs the name to give in a task\'s `use:` (given: {name!r}); write @reward("name")'
        )
    bounds = range if callable(range) else _checked_range(name, range)

    def register(function: F) -> F:
        if steps:
            _check_step_function(name, function, bounds)
        is_async = inspect.iscoroutinefunction(function)
        component = Reward(name, function, bounds, batch, is_async, steps, ready)
        function.markscheme_component = component  # pyright: ignore[reportFunctionMemberAccess]
        REWARDS.register(name, function, rival=VERIFIERS)
        return function

    return register


def _checked_range(name: str, given: Bounds) -> Bounds:
    low, high = map(float, given)
    if math.isnan(low) or math.isnan(high) or low > high:
        raise RewardError(f"reward {name!r}: range must be (lowest, highest) (given: {given!r})")
    return low, high


def _check_step_function(
    name: str, function: Callable[..., Any], bounds: Bounds | Callable[..., Bounds]
) -> None:
    if callable(bounds) or not all(map(math.isfinite, bounds)):
        raise RewardError(
            f"reward {name!r}: marks of steps need a finite range (given: {bounds}); give range=(0, 1)"
        )
    taken = sorted(set(keyword_parameters(function)) & set(StepOptions.model_fields))
    if taken:
        raise RewardError(
            f"reward {name!r}: the parameter {taken[0]!r} is reserved for all rewards that mark steps"
            f" ({', '.join(StepOptions.model_fields)}); rename it"
        )


def find_component(task: Task, use: str, where: str) -> Component:
    """Return the component that `use:` names.

    Raises:
        UnknownNameError: nothing has this name.
        TaskError: the function of this name is not decorated, or cannot be loaded.
    """
    found = resolve(use, [REWARDS, VERIFIERS], folder=task.folder, where=where, allow_code=task.allow_code)
    return component_of(found, use, where)


def component_of(found: Any, use: str, where: str) -> Component:
    """Return the component that a decorator has attached to a function.

    Raises:
        TaskError: the function is not decorated.
    """
    component = getattr(found, "markscheme_component", found)
    if not isinstance(component, Reward | Verifier):
        raise TaskError(
            f"{where}: {use!r} is not a reward; decorate it with @reward or @verifier, or wrap a"
            " TRL function with from_trl"
        )
    return component


def rewards_that_mark_steps() -> list[str]:
    """Return the names of built-in and decorated rewards that mark steps; plugins are not loaded."""
    names = [*REWARDS.builtin, *REWARDS.decorated]
    found = {name: getattr(resolve(name, [REWARDS]), "markscheme_component", None) for name in names}
    return sorted(
        name for name, component in found.items() if isinstance(component, Reward) and component.steps
    )
