"""Stopping a run by Ctrl-C, SIGTERM or SIGHUP: the first lets it save and stop, the second stops it now."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Takes the signals inside `listening`, if that is in the main thread, which alone may handle them.

    A signal raises KeyboardInterrupt where it arrives, unless the block is inside `patient`: there the first
    one only sets `requested`, so that the step that is being taken is finished and saved.

    Args:
        say: shows a line to whoever watches the run.
    """

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._patient = False
        self.requested = False
        """Whether the run is to save and stop."""

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Take the signals; those that the process was started to ignore (`nohup`) stay ignored."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        taken = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
        for number in taken:
            signal.signal(number, self._arrived)
        try:
            yield self
        finally:
            for number in taken:
                signal.signal(number, before[number])

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Let the first signal wait for what happens inside the block."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside `patient`: let a signal abort this block, which is done again on resume."""
        self._patient = False
        try:
            yield
        except KeyboardInterrupt:
            if self.requested:
                raise
            self.requested = True
        finally:
            self._patient = True

    def _arrived(self, number: int, frame: Any) -> None:
        if self.requested or not self._patient:
            raise KeyboardInterrupt
        self.requested = True
        with contextlib.suppress(RuntimeError):  # it arrived while another line was being printed
            self._say(
                f"{signal.Signals(number).name}: the run ends after this step, with a checkpoint; a second"
                " signal ends it now"
            )
