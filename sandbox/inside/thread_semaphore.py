"""Semaphores of `multiprocessing` for programs that may have threads but no processes.

The C library keeps semaphores as files in /dev/shm, which all programs of a machine share. Where a worker has
no /dev/shm of its own, its programs cannot start processes either, so a semaphore between threads is enough:
with it, `multiprocessing.pool.ThreadPool` and the like work as they do elsewhere.
"""

import threading
from typing import Any


class ThreadSemaphore:
    """A replacement for `_multiprocessing.SemLock` within one process."""

    SEM_VALUE_MAX = (1 << 31) - 1
    handle = 0

    def __init__(self, kind: int, value: int, maxvalue: int, name: str, unlink: bool):
        self.kind, self.maxvalue, self.name = kind, maxvalue, None
        self._value, self._held, self._owner = value, 0, 0
        self._changed = threading.Condition()

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Acquire the semaphore; the thread that holds one of kind 0 (recursive) may acquire it again."""
        with self._changed:
            if self.kind == 0 and self._is_mine():
                self._held += 1
                return True
            if not self._changed.wait_for(lambda: self._value > 0, timeout if block else 0):
                return False
            self._value -= 1
            self._held += 1
            self._owner = threading.get_ident()
            return True

    def release(self) -> None:
        """Release the semaphore. The errors and their messages are those of the original."""
        with self._changed:
            if self.kind == 0 and not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            self._held -= 1
            if self.kind == 0 and self._held:
                return
            if self._value >= self.maxvalue:
                raise ValueError("semaphore or lock released too many times")
            self._value += 1
            self._changed.notify()

    def _is_mine(self) -> bool:
        return self._held > 0 and self._owner == threading.get_ident()

    def _count(self) -> int:
        return self._held

    def _get_value(self) -> int:
        return self._value

    def _is_zero(self) -> bool:
        return self._value == 0

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: Any) -> None:
        self.release()
