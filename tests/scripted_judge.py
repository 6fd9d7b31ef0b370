"""A server that speaks OpenAI's protocol and answers by a script, with all the faults of real ones."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[dict[str, Any], int], Any]
"""Takes a request and its number, from 0; returns the reply's text, or a fault: a status, `drop`, `garbage`, a
whole body, a number of seconds to sleep before the answer `yes`."""


class ScriptedJudge(ThreadingHTTPServer):
    """A server on a free port of this machine."""

    daemon_threads = True

    def __init__(self, script: Script):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.requests, self.lock = script, [], threading.Lock()
        self.busy = self.most_busy = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        assert isinstance(server, ScriptedJudge)
        with server.lock:
            number = len(server.requests)
            server.requests.append(request)
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
        try:
            self._answer(server.script(request, number))
        finally:
            with server.lock:
                server.busy -= 1

    def _answer(self, answer: Any) -> None:
        if isinstance(answer, float):
            time.sleep(answer)
            answer = verdict("yes")
        if isinstance(answer, int):
            headers = {"Retry-After": "0"} if answer == 429 else {}
            self._send(answer, {"error": {"message": f"status {answer}", "type": "scripted"}}, headers)
        elif isinstance(answer, dict | list):
            self._send(200, answer)
        elif answer == "<html>":
            self._send_bytes(200, b"<html></html>", {"Content-Type": "text/html"})
        elif answer == "drop":
            self.close_connection = True
            self.connection.close()
        elif answer == "garbage":
            self._send_bytes(200, b'{"choices": [{"mess', {})
        else:
            message = {"role": "assistant", "content": answer}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send(
                200, {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
            )

    def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._send_bytes(status, json.dumps(content).encode(), headers or {})

    def _send_bytes(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def verdict(value: Any, reason: str = "so") -> str:
    """Return a reply with a verdict."""
    return json.dumps({"reason": reason, "verdict": value})


def shown(request: dict[str, Any]) -> dict[str, str]:
    """Return the material that a request shows to the judge."""
    return json.loads(request["messages"][1]["content"])


@contextmanager
def scripted_judge(script: Script) -> Iterator[ScriptedJudge]:
    """Run a server inside a `with` block."""
    server = ScriptedJudge(script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
