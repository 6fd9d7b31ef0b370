"""One vLLM server over HTTP: requests, and what their failures mean."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ...sandbox.errors import RunError


class ServerTrouble(Exception):
    """A request failed in a way that trying again may mend."""


class Server:
    """One vLLM server: requests and their failures."""

    def __init__(self, url: str, timeout_s: float):
        self.url, self.timeout_s = url.rstrip("/"), timeout_s
        self.lock = threading.Lock()
        """Held while the server is being mended."""
        self.failing_since: float | None = None
        """When it began to fail; None = its last request was answered."""
        self.lost = False
        """Given up for this step."""
        self.puts = 0
        """How often weights were put there."""
        self.whole = False
        """Whether the last time was completed: a server that was left paused would not answer."""
        self.model = ""
        """What it calls its model."""

    def get(self, path: str) -> Any:
        """Return what a GET brings."""
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return what a POST brings."""
        data = json.dumps(body or {}).encode()
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(self.url + path, data, headers))

    def _ask(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode(errors="replace")
            if error.code >= 500 or error.code in (408, 429):
                raise ServerTrouble(f"answered {error.code}: {said}") from error
            path = request.full_url.removeprefix(self.url)
            raise RunError(f"{self.url} refuses {path} ({error.code}): {said}") from error
        except TimeoutError as error:
            raise ServerTrouble(f"took longer than engine.timeout_s ({self.timeout_s:g})") from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            if isinstance(getattr(error, "reason", None), TimeoutError):
                raise ServerTrouble(f"took longer than engine.timeout_s ({self.timeout_s:g})") from error
            raise ServerTrouble(f"cannot be reached ({error})") from error
        try:
            return json.loads(text or b"null")
        except ValueError as error:
            raise ServerTrouble(f"answered what is not JSON: {text[:200]!r}") from error

    def version(self) -> str | None:
        """Return the label of its weights, None where nothing was put there."""
        return self.get("/weight_info")["weight_version"]

    def put(self, path: Path, version: str, shape: dict[str, Any]) -> None:
        """Let it load weights from a file, and forget what it computed from the old ones."""
        self.puts += 1
        self.whole = False
        self.post("/init_weight_transfer_engine", {"init_info": {"shape": shape}})
        self.post("/pause?mode=abort")
        self.post("/start_weight_update")
        self.post("/update_weights", {"update_info": {"path": str(path)}})
        self.post("/finish_weight_update", {"weight_version": version})
        self.post("/reset_prefix_cache")
        self.post("/resume")
        self.whole = True
