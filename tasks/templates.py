"""jinja2 templates over a row's columns, compiled once per task and rendered in jinja2's sandbox.

A template that is a single expression keeps the type of its value: `"{{ tests }}"` may give a list, and
`"{{ answer.split('####')[1] | trim }}"` gives a string. Any other template gives text.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import StrictUndefined, Undefined, meta, nodes
from jinja2.exceptions import SecurityError, TemplateError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from ..sandbox.errors import DataError, TaskError, did_you_mean

# Sandboxed, because a template in a shared task file must not be able to execute code.
_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
_ENVIRONMENT.filters["fromjson"] = json.loads


def _boxed(text: str) -> str:
    r"""Return the contents of the last `\boxed{...}` of a worked solution: the filter `boxed` of templates.

    Raises:
        ValueError: the text has no box, or its last box is never closed.
    """
    start = text.rfind(r"\boxed{") + len(r"\boxed{")
    depth, at = 1, start
    while depth and start >= len(r"\boxed{") and at < len(text):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    if depth:
        raise ValueError(f"no closed \\boxed{{...}} in {text[-80:]!r}")
    return text[start : at - 1]


_ENVIRONMENT.filters["boxed"] = _boxed

_ROW_ERRORS = (
    TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, TemplateError
)  # fmt: skip
"""Errors that an expression raises when a row's value is not what it expects."""

Render = Callable[[Mapping[str, Any]], Any]
"""A compiled template: from a row to the value."""


def compile_template(template: Any, where: str) -> tuple[Render, frozenset[str]]:
    """Compile a template, or templates nested in lists and mappings; any other value is rendered as it is.

    Args:
        template: the template, as the task file has it.
        where: its place in the file, for messages.

    Returns:
        The compiled template, and the columns that it reads.

    Raises:
        TaskError: a template is not valid jinja2.
    """
    if isinstance(template, Mapping):
        values = {key: compile_template(value, f"{where}.{key}") for key, value in template.items()}
        columns = frozenset[str]().union(*(names for _, names in values.values()))
        return (lambda row: {key: fill(row) for key, (fill, _) in values.items()}), columns
    if isinstance(template, list | tuple):
        items = [compile_template(value, f"{where}.{i}") for i, value in enumerate(template)]
        columns = frozenset[str]().union(*(names for _, names in items))
        return (lambda row: [fill(row) for fill, _ in items]), columns
    if isinstance(template, str):
        return _compile_text(template, where)
    return (lambda row: template), frozenset()


def _compile_text(template: str, where: str) -> tuple[Render, frozenset[str]]:
    try:
        tree = _ENVIRONMENT.parse(template)
        columns = frozenset(meta.find_undeclared_variables(tree))
        # The tree does not show a comment after the expression (`{{ a }}{# why #}`), so the text must end it.
        if _is_single_expression(tree) and template.strip().endswith("}}"):
            expression = re.sub(r"^\{\{[-+]?|[-+]?\}\}$", "", template.strip())
            return _ENVIRONMENT.compile_expression(expression, undefined_to_none=False), columns
        return _ENVIRONMENT.from_string(template).render, columns
    except TemplateError as error:
        raise TaskError(
            f"{where}: not a valid jinja2 template: {error.message} (given: {template!r})"
        ) from error


def _is_single_expression(tree: nodes.Template) -> bool:
    """Whether a template is one `{{ ... }}` with nothing but white space around it."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return False
    parts = [
        node
        for node in tree.body[0].nodes
        if not isinstance(node, nodes.TemplateData) or node.data.strip() != ""
    ]
    return len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData)


def render(template: Render, row: Mapping[str, Any], where: str) -> Any:
    """Return the value of a compiled template for a row; `where` names the row and the key in messages.

    Raises:
        DataError: the row does not have what the template reads, or an expression fails on its value.
    """
    try:
        value = template(row)
        if isinstance(value, Undefined):
            str(value)  # a StrictUndefined raises when it is used, and its error names what is missing
        return value
    except (UndefinedError, SecurityError) as error:
        columns = ", ".join(map(str, row))
        raise DataError(
            f"{where}: the template cannot be filled: {error.message} (the row's columns: {columns})"
        ) from error
    except _ROW_ERRORS as error:
        raise DataError(
            f"{where}: the template fails on this row: {type(error).__name__}: {error}"
        ) from error


def check_columns(columns: frozenset[str], row: Mapping[str, Any], where: str) -> None:
    """Check that a row has every column that a template reads.

    Raises:
        TaskError: a column is missing; close matches are shown.
    """
    missing = sorted(columns - set(row))
    if missing:
        present = list(map(str, row))
        raise TaskError(
            f"{where}: the template reads column {missing[0]!r}, which the data do not have"
            f"{did_you_mean(missing[0], present)} (columns: {', '.join(present)})"
        )
