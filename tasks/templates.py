"""jinja2 templates over a row's columns, in jinja2's sandbox.

A template that is one bare expression gives the expression's own value: `"{{ tests }}"` is a
list, `"{{ answer.split('####')[1] | trim }}"` a string. Anything else gives text.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import StrictUndefined, Undefined, meta, nodes
from jinja2.exceptions import SecurityError, TemplateError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from ..sandbox.errors import DataError, TaskError, did_you_mean

_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
_ENVIRONMENT.filters["fromjson"] = json.loads

_FILLING_FAILS = (
    TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, TemplateError
)  # fmt: skip

Render = Callable[[Mapping[str, Any]], Any]


def compile_template(template: Any, where: str) -> tuple[Render, frozenset[str]]:
    """Compile a template, or a list or mapping of templates.

    Returns:
        A function from a row to the value, and the columns that it reads.

    Raises:
        TaskError: the template is not valid jinja2.
    """
    if isinstance(template, Mapping):
        parts = {key: compile_template(value, f"{where}.{key}") for key, value in template.items()}
        columns = frozenset[str]().union(*(names for _, names in parts.values()))
        return (lambda row: {key: render(row) for key, (render, _) in parts.items()}), columns
    if isinstance(template, list | tuple):
        items = [compile_template(value, f"{where}.{i}") for i, value in enumerate(template)]
        columns = frozenset[str]().union(*(names for _, names in items))
        return (lambda row: [render(row) for render, _ in items]), columns
    if not isinstance(template, str):
        return (lambda row: template), frozenset()
    try:
        tree = _ENVIRONMENT.parse(template)
        columns = frozenset(meta.find_undeclared_variables(tree))
        if _is_bare_expression(tree) and template.strip().endswith("}}"):
            inner = re.sub(r"^\{\{[-+]?|[-+]?\}\}$", "", template.strip())
            return _ENVIRONMENT.compile_expression(inner, undefined_to_none=False), columns
        return _ENVIRONMENT.from_string(template).render, columns
    except TemplateError as error:
        raise TaskError(
            f"{where}: not a valid jinja2 template: {error.message} (given: {template!r})"
        ) from error


def _is_bare_expression(tree: nodes.Template) -> bool:
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return False
    parts = [n for n in tree.body[0].nodes if not (isinstance(n, nodes.TemplateData) and not n.data.strip())]
    return len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData)


def render(template: Render, row: Mapping[str, Any], where: str) -> Any:
    """Fill a compiled template from a row.

    Raises:
        DataError: the template cannot be filled from this row (a part is missing, a filter fails).
    """
    try:
        value = template(row)
        if isinstance(value, Undefined):
            str(value)  # a StrictUndefined raises here, with what was undefined
        return value
    except (UndefinedError, SecurityError) as error:
        raise DataError(
            f"{where}: {error.message} (columns of the row: {', '.join(map(str, row))})"
        ) from error
    except _FILLING_FAILS as error:
        raise DataError(f"{where}: {type(error).__name__}: {error}") from error


def missing_columns(wanted: frozenset[str], row: Mapping[str, Any], where: str) -> None:
    """Raise a TaskError if a template reads a column that the row lacks."""
    for name in sorted(wanted - set(row)):
        columns = list(map(str, row))
        raise TaskError(
            f"{where}: the template reads column {name!r}, which the data does not have"
            f"{did_you_mean(name, columns)} (columns: {', '.join(columns)})"
        )
