"""The type of the function that takes notes: lines of text that a reader of a run should know."""

from collections.abc import Callable

Note = Callable[[str], None]
"""Called with one line, such as "dropout is set to 0 ..."; in a run, it is `Notes.add` of `run/notes.py`."""


def ignored(line: str) -> None:
    """Drop a note; for callers that keep none, such as `markscheme sample`."""
