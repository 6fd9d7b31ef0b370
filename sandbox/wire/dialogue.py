"""Questions and answers between two processes over one socket.

Either side may ask, also while it answers: a test calls the program, which calls back. Every message is JSON
with its length before it. The other side may be hostile, so anything that is not a message ends the dialogue
with an EOFError, as if the other side had closed it.
"""

import json
import os
import struct
import threading
from collections.abc import Callable
from typing import Any

from .protocol import read_exactly

Message = dict[str, Any]
_LENGTH = struct.Struct("=I")
_LONGEST = 64 << 20
"""The most bytes of a message."""


class Link:
    """One end of a dialogue.

    Args:
        descriptor: a stream socket.
        serve: a function that returns the answer to a question of the other side.
    """

    def __init__(self, descriptor: int, serve: Callable[[Message], Message]):
        self._descriptor, self._serve = descriptor, serve
        self._lock = threading.RLock()

    def ask(self, question: Message) -> Message:
        """Send a question and return its answer; questions that arrive in between are answered.

        Raises:
            EOFError: the other side is gone, or has sent something that is not a message.
        """
        with self._lock:  # several threads of a program may ask
            self._send({"ask": question})
            while True:
                message = self._receive()
                answer = message.get("answer")
                if isinstance(answer, dict):
                    return answer
                self._answer(message)

    def serve_for_ever(self) -> None:
        """Answer questions until the other side is gone.

        Raises:
            EOFError: the other side is gone. This always happens in the end.
        """
        while True:
            self._answer(self._receive())

    def _answer(self, message: Message) -> None:
        question = message.get("ask")
        if not isinstance(question, dict):
            raise EOFError("neither a question nor an answer")
        self._send({"answer": self._serve(question)})

    def _send(self, message: Message) -> None:
        body = json.dumps(message).encode()
        rest = memoryview(_LENGTH.pack(len(body)) + body)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                raise EOFError("the other side is gone") from error

    def _receive(self) -> Message:
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > _LONGEST:
            raise EOFError("a message that is too long")
        try:
            message = json.loads(self._exactly(length))
        except (ValueError, RecursionError) as error:
            raise EOFError("not a message") from error
        if not isinstance(message, dict):
            raise EOFError("not a message")
        return message

    def _exactly(self, count: int) -> bytes:
        try:
            return read_exactly(lambda most: os.read(self._descriptor, most), count)
        except OSError as error:
            raise EOFError("the other side is gone") from error
