"""The client of one vLLM server: requests over HTTP, their answers, and which failures may pass."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from ...sandbox.errors import RunError
from ..config.run_config import SamplingConfig


class ServerTrouble(Exception):
    """A request failed in a way that may pass, so it is worth another try.

    The message continues a sentence that starts with the server's URL, such as "answered 500: ...".
    """


class KeyRefused(RunError):
    """The server asks for another key."""


class Server:
    """A vLLM server, with what a run knows about its state.

    Args:
        url: its address.
        timeout_s: seconds after which a request counts as failed.
        key_env: the environment variable that has its key, if it asks for one.
    """

    def __init__(self, url: str, timeout_s: float, key_env: str = "VLLM_API_KEY"):
        self.url, self.timeout_s = url.rstrip("/"), timeout_s
        key = os.environ.get(key_env, "").strip()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx2.Limits(max_connections=None)
        self._client = httpx2.Client(timeout=timeout_s, headers=headers, limits=limits)
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
        return self._ask("GET", path)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON answer to a POST request.

        Raises:
            ServerTrouble: there is no answer, it is not JSON, or its status may pass (5xx, 408, 429).
            RunError: the server rejects the request itself, or the key (KeyRefused).
        """
        return self._ask("POST", path, body or {})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        address = self.url + path
        try:
            try:
                answer = self._client.request(method, address, json=body)
            except httpx2.TransportError as error:
                if method != "GET" or isinstance(error, httpx2.TimeoutException):
                    raise
                # Servers close connections after an internal error, or that were idle for some seconds;
                # only the next request on one shows it. Asking for a state twice changes nothing.
                answer = self._client.request(method, address)
        except httpx2.TimeoutException as error:
            raise ServerTrouble(f"took longer than engine.timeout_s ({self.timeout_s:g} s)") from error
        except httpx2.HTTPError as error:
            raise ServerTrouble(f"cannot be reached ({error})") from error
        except (httpx2.InvalidURL, ValueError) as error:
            raise RunError(f"engine.urls: {self.url!r} is not an address: {error}") from error
        message = answer.text[:2000]
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            raise ServerTrouble(f"answered {answer.status_code}: {message}")
        if answer.status_code in (401, 403):
            raise KeyRefused(
                f"{self.url} refuses the key ({answer.status_code}); set the environment variable that"
                " engine.key_env names"
            )
        if answer.status_code >= 300:
            raise RunError(f"{self.url} rejects {path} ({answer.status_code}): {message}")
        try:
            return answer.json() if answer.content else None
        except ValueError as error:
            raise ServerTrouble(f"answered with something that is not JSON: {message[:200]!r}") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

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
                "stop": list(sampling.stop),
                "logprobs": 0,  # of the sampled token only
                "return_token_ids": True,
                "skip_special_tokens": False,
            },
        )

    def completions_in(
        self, answer: Any, n: int, sampling: SamplingConfig
    ) -> list[tuple[list[int], list[float | None]]]:
        """Return the token ids and log-probabilities of each completion in an answer to `sample`.

        Raises:
            ServerTrouble: a completion was broken off, or there are not `n` of them.
            KeyError, TypeError, AttributeError: the answer does not have vLLM's form.
        """
        completions = []
        for choice in sorted(answer["choices"], key=lambda choice: choice["index"]):
            ids, logprobs = choice["token_ids"], choice["logprobs"]["token_logprobs"]
            if choice["finish_reason"] not in ("stop", "length"):
                raise ServerTrouble(f"ended a completion with finish_reason {choice['finish_reason']!r}")
            if sampling.temperature == 0:
                logprobs = [0.0] * len(ids)
            completions.append((ids, logprobs))
        if len(completions) != n:
            raise ServerTrouble(f"returned {len(completions)} completions (expected: {n})")
        return completions
