"""Helpers that display results: in one line in a terminal, as a small table in a notebook."""

from collections.abc import Mapping
from html import escape
from typing import Any


def shortened(text: str, most: int = 60) -> str:
    """Return text as a Python literal, with its middle cut out if it is longer than `most` characters."""
    if len(text) <= most:
        return repr(text)
    half = most // 2
    return repr(f"{text[:half]} … {text[-half:]}")


def number(value: float | None) -> str:
    """Return a number with at most four significant digits, or `none` for None."""
    return "none" if value is None else f"{value:.4g}"


def html_table(title: str, rows: Mapping[str, Any]) -> str:
    """Return a table of names and values for a notebook; all text is escaped."""
    left = "style='text-align:left;white-space:pre-wrap'"
    cells = "".join(
        f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return f"<table><caption>{escape(title)}</caption>{cells}</table>"
