"""Questions and answers between two processes over one descriptor, each of which may ask back.

JSON with a length before it. Either side may be hostile: what is no message is an EOFError.
"""

import json
import os
import struct
import threading
from collections.abc import Callable
from typing import Any

from .protocol import read_exactly

_LENGTH = struct.Struct("=I")
_MOST = 64 << 20
Message = dict[str, Any]


class Link:
    """One end.

    Args:
        descriptor: a stream socket.
        serve: answers what the other side asks.
    """

    def __init__(self, descriptor: int, serve: Callable[[Message], Message]):
        self._descriptor, self._serve = descriptor, serve
        self._one = threading.RLock()

    def ask(self, question: Message) -> Message:
        """Send a question and return its answer, answering what is asked meanwhile.

        Raises:
            EOFError: the other side is gone, or sends no messages.
        """
        with self._one:  # threads of a program may ask too
            self._send({"ask": question})
            while True:
                message = self._receive()
                if isinstance(answer := message.get("answer"), dict):
                    return answer
                self._answer(message)

    def serve_for_ever(self) -> None:
        """Answer questions until the other side is gone."""
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
        if length > _MOST:
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
