"""Notes: lines of text on what a reader of a run should know, passed to whoever keeps them."""

from collections.abc import Callable

Note = Callable[[str], None]
"""Called with one line, such as "dropout is set to 0 ..."; a run writes it to notes.jsonl."""


def ignored(line: str) -> None:
    """Drop a note, where nothing keeps notes, as in `markscheme sample`."""
