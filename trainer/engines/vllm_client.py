"""The client of one vLLM server: requests over HTTP, their answers, and which failures may pass."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...sandbox.errors import RunError
from ..config.run_config import SamplingConfig


class ServerTrouble(Exception):
    """A request failed in a way that may pass, so it is worth another try.

    The message continues a sentence that starts with the server's URL, such as "answered 500: ...".
    """


class Server:
    """A vLLM server, with what a run knows about its state."""

    def __init__(self, url: str, timeout_s: float):
        self.url, self.timeout_s = url.rstrip("/"), timeout_s
        self.lock = threading.Lock()
        """Held while one of several threads restores the server's weights."""
        self.failing_since: float | None = None
        """`time.monotonic` of its first failure in a row; None = its last request succeeded."""
        self.lost = False
        """Whether it is left out until the next update, because it failed for too long."""
        self.puts = 0
        """How many times this run has begun to send it weights."""
        self.put_complete = False
        """Whether that was completed the last time; if not, the server may still be paused and not answer."""
        self.model = ""
        """The name under which the server offers its model."""

    def get(self, path: str) -> Any:
        """Return the JSON answer to a GET request; for the errors see `post`."""
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON answer to a POST request.

        Raises:
            ServerTrouble: there is no answer, it is not JSON, or its status may pass (5xx, 408, 429).
            RunError: the server rejects the request itself.
        """
        data = json.dumps(body or {}).encode()
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(self.url + path, data, headers))

    def _ask(self, request: urllib.request.Request) -> Any:
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            message = error.read(2000).decode(errors="replace")
            if error.code >= 500 or error.code in (408, 429):
                raise ServerTrouble(f"answered {error.code}: {message}") from error
            path = request.full_url.removeprefix(self.url)
            raise RunError(f"{self.url} rejects {path} ({error.code}): {message}") from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            # While connecting, urllib wraps a timeout into a URLError; while reading, it does not.
            if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
                raise ServerTrouble(f"took longer than engine.timeout_s ({self.timeout_s:g} s)") from error
            raise ServerTrouble(f"cannot be reached ({error})") from error
        try:
            return json.loads(text or b"null")
        except ValueError as error:
            raise ServerTrouble(f"answered with something that is not JSON: {text[:200]!r}") from error

    def version(self) -> str | None:
        """Return the version label of its weights; None if it was never sent any."""
        return self.get("/weight_info")["weight_version"]

    def put(self, path: Path, version: str, shape: dict[str, Any]) -> None:
        """Let it load weights from a file, and drop what it cached under the old ones.

        Args:
            path: a safetensors file that the server can read.
            version: the label that the method `version` returns afterwards.
            shape: type and sizes of the policy, by which the server rejects the weights of another model.
        """
        self.puts += 1
        self.put_complete = False
        self.post("/init_weight_transfer_engine", {"init_info": {"shape": shape}})
        self.post("/pause?mode=abort")
        self.post("/start_weight_update")
        self.post("/update_weights", {"update_info": {"path": str(path)}})
        self.post("/finish_weight_update", {"weight_version": version})
        self.post("/reset_prefix_cache")
        self.post("/resume")
        self.put_complete = True

    def sample(
        self,
        prompt_ids: Sequence[int],
        n: int,
        sampling: SamplingConfig,
        *,
        seed: int,
        stop_ids: Sequence[int],
    ) -> Any:
        """Return the answer to a request for `n` completions of one prompt; `completions_in` reads it."""
        return self.post(
            "/v1/completions",
            {
                "model": self.model,
                "prompt": list(prompt_ids),
                "n": n,
                "max_tokens": sampling.max_new_tokens,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "seed": seed,
                "stop_token_ids": list(stop_ids),
                "logprobs": 0,  # of the sampled token only
                "return_token_ids": True,
                "skip_special_tokens": False,
            },
        )

    def completions_in(
        self, answer: Any, n: int, sampling: SamplingConfig
    ) -> list[tuple[list[int], list[float]]]:
        """Return the token ids and log-probabilities of each completion in an answer to `sample`.

        Raises:
            ServerTrouble: a completion was broken off, or there are not `n` of them.
            RunError: a completion has no tokens, or not one log-probability for each.
            KeyError, TypeError, AttributeError: the answer does not have vLLM's form.
        """
        completions = []
        for choice in sorted(answer["choices"], key=lambda choice: choice["index"]):
            ids, logprobs = choice["token_ids"], choice["logprobs"]["token_logprobs"]
            if choice["finish_reason"] not in ("stop", "length"):
                raise ServerTrouble(f"ended a completion with finish_reason {choice['finish_reason']!r}")
            if sampling.temperature == 0:
                logprobs = [0.0] * len(ids)
            if len(ids) != len(logprobs) or not ids:
                raise RunError(
                    f"{self.url} returned a completion of {len(ids)} tokens with {len(logprobs)}"
                    " log-probabilities (expected: at least one token, and one log-probability for each); use"
                    " the vLLM version that markscheme[vllm] installs"
                )
            completions.append((ids, logprobs))
        if len(completions) != n:
            raise ServerTrouble(f"returned {len(completions)} completions (expected: {n})")
        return completions
