"""What a task's `use:` may name: rewards and verifiers, and the `@reward` decorator."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from pydantic import ConfigDict, ValidationError, create_model

from ...sandbox.errors import RewardError, TaskError, did_you_mean
from ...tasks.registry import Table, resolve
from ...tasks.schema import RESERVED, Task
from ...verifiers.verdict import VERIFIERS, Verifier
from .mark_steps import marking_steps

F = TypeVar("F", bound=Callable[..., Any])

REWARDS = Table(
    "reward",
    "markscheme.rewards",
    {
        name: f"markscheme.rewards.{module}:{name}"
        for module, names in {
            "builtin.shaping": ("length", "overlong", "repetition", "language"),
            "builtin.step_rules": ("step_checker", "step_scores"),
            "models.prm": ("prm",),
        }.items()
        for name in names
    },
)


@dataclass(frozen=True)
class Reward:
    """A function `(problem, completion, **parameters) -> float | Score` with what it declares."""

    name: str
    function: Callable[..., Any]
    range: tuple[float, float] = (0.0, 1.0)
    """Lowest and highest value; a value outside is a bug of the function."""
    batch: bool = False
    """Takes lists and returns a list of the same length."""
    is_async: bool = False
    steps: bool = False
    """Marks the steps of a completion; see `step_reward.py`."""
    ready: Callable[..., None] | None = None
    """Called with the entry's parameters when a scheme is built: loads what scoring needs, or says what
    is wrong with it."""


Component = Reward | Verifier


def marks_steps(name: str) -> bool:
    """Whether a reward that is known by name marks steps."""
    if name in REWARDS.builtin:
        return REWARDS.builtin[name].split(":")[0].endswith((".step_rules", ".prm"))
    made = getattr(REWARDS.decorated.get(name, (None,))[0], "markscheme_component", None)
    return isinstance(made, Reward) and made.steps


def range_of(component: Component) -> tuple[float, float]:
    """Return a component's lowest and highest value; a verifier is worth 0 or 1."""
    return component.range if isinstance(component, Reward) else (0.0, 1.0)


def reward(
    name: str,
    *,
    range: tuple[float, float] = (0.0, 1.0),  # noqa: A002 (the field's own word)
    batch: bool = False,
    steps: bool = False,
    ready: Callable[..., None] | None = None,
) -> Callable[[F], F]:
    """Register a reward: `(problem, completion, **parameters) -> float | Score`.

    Further keyword-only parameters are filled from the task file. The function may be `async`;
    raise `InfraError` where your own side failed. It stays an ordinary function to its caller.

    Args:
        name: what `use:` in a task says.
        range: lowest and highest value; may be infinite.
        batch: the function takes lists of problems and completions and returns a list of values.
        steps: the function also gets the texts of the completion's steps, as third argument, and gives
            one value a step (`step_reward.py`). The task says how to split and what the whole is worth.
        ready: called with the entry's parameters when a scheme is built, so that a model that cannot be
            loaded is an error then.

    Raises:
        RewardError: the name is taken elsewhere, or the range is not one.
    """
    if not isinstance(name, str):
        raise RewardError('use @reward("name"): the name is what a task\'s `use:` says')
    low, high = map(float, range)
    if math.isnan(low) or math.isnan(high) or low > high:
        raise RewardError(f"reward {name!r}: range must be (lowest, highest) (given: {range!r})")

    def register(function: F) -> F:
        is_async = inspect.iscoroutinefunction(function)
        if steps:
            marking = marking_steps(function, (low, high), batch=batch, is_async=is_async)
            made = Reward(name, marking, (low, high), batch=True, is_async=is_async, steps=True, ready=ready)
        else:
            made = Reward(name, function, (low, high), batch, is_async, ready=ready)
        function.markscheme_component = made  # pyright: ignore[reportFunctionMemberAccess]
        if REWARDS.builtin.get(name) != f"{function.__module__}:{function.__name__}":
            REWARDS.register(name, function, rival=VERIFIERS)
        return function

    return register


def find_component(task: Task, use: str, where: str) -> Component:
    """Return the component that `use:` names.

    Raises:
        UnknownNameError: no such name. TaskError: the thing named is not decorated.
    """
    found = resolve(use, [REWARDS, VERIFIERS], folder=task.folder, where=where, allow_code=task.allow_code)
    return component_of(found, use, where)


def component_of(found: Any, use: str, where: str) -> Component:
    """Return the component that a resolved thing is, or that its decorator left on it.

    Raises:
        TaskError: it is none.
    """
    component = (
        found if isinstance(found, Reward | Verifier) else getattr(found, "markscheme_component", None)
    )
    if component is None:
        raise TaskError(
            f"{where}: {use!r} is not a reward; decorate it with @reward or @verifier, or wrap a"
            " TRL function with from_trl"
        )
    return component


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters' types; none where they name what is not there at run time."""
    try:
        return get_type_hints(function, include_extras=True)
    except NameError:
        return {}


def typed_parameters(component: Component, given: dict[str, Any], where: str) -> dict[str, Any]:
    """Check an entry's flat keys against the function's keyword-only parameters.

    Raises:
        TaskError: an unknown, missing or ill-typed parameter; close matches are shown.
    """
    signature = inspect.signature(component.function)
    hints = _hints(component.function)
    known = {
        p.name: (hints.get(p.name, Any), ... if p.default is p.empty else p.default)
        for p in signature.parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    for key in given:
        if key not in known:
            near = did_you_mean(key, [*known, *RESERVED])
            takes = f"{', '.join(known) or 'nothing'}; every entry: {', '.join(RESERVED)}"
            raise TaskError(
                f"{where}.{key}: {component.name!r} has no parameter {key!r}{near} (it takes: {takes})"
            )
    # Aliased fields, so that a parameter may have any name, `schema` included.
    names = {f"parameter_{i}": name for i, name in enumerate(known)}
    fields: dict[str, Any] = {field: known[name] for field, name in names.items()}
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    model = create_model("Parameters", __config__=config, **fields)
    try:
        filled = model(**{field: given[name] for field, name in names.items() if name in given})
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        name = names[str(detail["loc"][0])]
        if detail["type"] == "missing":
            raise TaskError(f"{where}: {component.name!r} needs {name!r}") from error
        raise TaskError(f"{where}.{name}: {detail['msg']} (given: {detail['input']!r})") from error
    return {name: getattr(filled, field) for field, name in names.items()}
