"""The notes of a run: lines for its reader, shown as they come and kept in notes.jsonl."""

from collections.abc import Callable

from .folder import RunFolder
from .progress import Progress


class Notes:
    """Takes lines on what a run adapted by itself or what went wrong, such as that a server was restarted.

    Notes that come while the run is being set up, before its folder exists, wait for `keep_in`.
    """

    def __init__(self, progress: Progress):
        self._progress = progress
        self._waiting: list[str] = []
        self._keep: Callable[[str], None] = self._waiting.append

    def add(self, line: str) -> None:
        """Take a note; the `Note` function of a run."""
        self._keep(line)

    def keep_in(self, folder: RunFolder, step: Callable[[], int]) -> None:
        """Show and write down the notes so far, and from now on each one as it comes.

        Args:
            folder: where notes.jsonl is written.
            step: returns the last finished step, which is written beside each note.
        """

        def keep(line: str) -> None:
            self._progress.say(line)
            folder.append("notes.jsonl", {"step": step(), "note": line})

        self._keep = keep
        for line in self._waiting:
            keep(line)
