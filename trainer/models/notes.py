"""What a run's reader should know of it: a note is a line of text, handed to whoever keeps them."""

from collections.abc import Callable

Note = Callable[[str], None]
"""Takes a line such as "dropout is set to 0"; a run keeps them in notes.jsonl."""


def ignored(line: str) -> None:
    """Take a note where nobody keeps any, as in `markscheme sample`."""
