"""The notes of a run: told to whoever watches, and kept in notes.jsonl."""

from collections.abc import Callable

from .folder import RunFolder
from .progress import Progress


class Notes:
    """What a run changed or met that its reader should know, such as a server that was restarted.

    A run is set up before its folder is written, so what is noted until then waits for `keep_in`.
    """

    def __init__(self, progress: Progress):
        self._progress = progress
        self._waiting: list[str] = []
        self._keep: Callable[[str], None] = self._waiting.append

    def add(self, line: str) -> None:
        """Take a line."""
        self._keep(line)

    def keep_in(self, folder: RunFolder, step: Callable[[], int]) -> None:
        """Write down what was noted so far, and everything from now on, with the step that was done."""

        def keep(line: str) -> None:
            self._progress.say(line)
            folder.append("notes.jsonl", {"step": step(), "note": line})

        self._keep = keep
        for line in self._waiting:
            keep(line)
