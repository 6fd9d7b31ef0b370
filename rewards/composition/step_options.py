"""The keys of all entries whose reward marks steps, and those that are a component's own parameters."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from ...sandbox.errors import TaskError, did_you_mean
from ...tasks.reward_entries import RESERVED
from ...tasks.validation import first_fault
from ...verifiers.steps.split import SplitPolicy, split_policy

Reduce = Literal["min", "product", "last", "mean"]


class StepOptions(BaseModel):
    """The keys that every entry may have whose reward marks steps."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    split: Annotated[str | SplitPolicy, BeforeValidator(split_policy)] = Field("lines", validate_default=True)
    """How a text is split: `lines`, `sentences`, `numbered`, `code`, or a mapping; see `SplitPolicy`."""
    reduce: Reduce = "min"
    """What the completion itself is worth: the smallest mark, their product, the last, or the mean."""
    max_steps: int = Field(default=256, ge=1)
    """The most steps of a completion; one with more is `too_large`."""
    part: Literal["all", "thinking", "answer"] = "all"
    """The part of the completion whose steps are marked."""


def keyword_parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Return the type and the default (`...` = none) of each keyword-only parameter of a function."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError:  # a type that exists only for a type checker
        hints = {}
    return {
        parameter.name: (
            hints.get(parameter.name, Any),
            ... if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def typed_parameters(
    name: str, function: Callable[..., Any], given: dict[str, Any], where: str, *, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Check an entry's own keys against a function's keyword-only parameters.

    Args:
        name: the component's name, for messages.
        function: the component's function.
        given: the entry's own keys, with their values.
        where: the entry's place in its file.
        also: further keys that the entry may have, for messages.

    Returns:
        The value of every parameter, including the defaults of those that are not given.

    Raises:
        TaskError: an unknown, missing or ill-typed parameter; close matches are shown.
    """
    known = keyword_parameters(function)
    for key in given:
        if key not in known:
            near = did_you_mean(key, [*known, *also, *RESERVED])
            takes = f"{', '.join((*known, *also)) or 'nothing'}; every entry: {', '.join(RESERVED)}"
            raise TaskError(f"{where}.{key}: {name!r} has no parameter {key!r}{near} (it takes: {takes})")
    # pydantic does not accept every name, such as `schema`, so the fields are numbered.
    names = {f"parameter_{i}": parameter for i, parameter in enumerate(known)}
    fields: dict[str, Any] = {field: known[parameter] for field, parameter in names.items()}
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    model = create_model("Parameters", __config__=config, **fields)
    values = {field: given[parameter] for field, parameter in names.items() if parameter in given}
    try:
        filled = model(**values)
    except ValidationError as error:
        fault = first_fault(error)
        parameter = names[str(fault.keys[0])]
        if fault.kind == "missing":
            raise TaskError(
                f"{where}: {name!r} needs {parameter!r}; add `{parameter}: ...` to the entry"
            ) from error
        raise TaskError(f"{where}.{parameter}: {fault.rule}") from error
    return {parameter: getattr(filled, field) for field, parameter in names.items()}


def step_options(given: dict[str, Any], where: str) -> StepOptions:
    """Check the keys that entries have whose reward marks steps.

    Raises:
        TaskError: one of them has a wrong value.
    """
    try:
        return StepOptions.model_validate(given)
    except ValidationError as error:
        raise TaskError(f"{where}.{first_fault(error)}") from error
