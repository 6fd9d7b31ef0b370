"""What the tests of vLLM share: policies, checks on an engine's weights, real servers, and a proxy that fails.

This module can be imported where vLLM is not installed.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import torch

from markscheme.tasks import Completion
from markscheme.trainer.config.run_config import PolicyConfig, SamplingConfig
from markscheme.trainer.engines.copy_engine import CopyEngine
from markscheme.trainer.engines.vllm_launch import server_command
from markscheme.trainer.engines.vllm_servers import VllmServers
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import EncodedPrompt, Policy
from support import small_policy

SHAPE: dict[str, Any] = {"hidden_size": 64, "head_dim": 32, "max_position_embeddings": 512}
"""On a CPU, vLLM needs attention heads of 32 or more dimensions."""
SAMPLING = SamplingConfig(max_new_tokens=16)
LONG = EncodedPrompt([3 + 7 * i % 70 for i in range(200)])  # more than one block of the prefix cache
SHORT = EncodedPrompt([5, 6, 7])
PROMPTS = [LONG, SHORT] * 4

ONE, TWO = 18411, 18412
"""The ports of the two servers."""
URLS = {port: f"http://127.0.0.1:{port}" for port in (ONE, TWO)}
Connect = Callable[..., tuple[VllmServers, Policy, list[str]]]
"""Takes URLs and settings of the engine; returns the engine, its policy and the notes that it writes."""
COMPLETIONS, WEIGHT_INFO, HEALTH = "/v1/completions", "/weight_info", "/health"


def random_policy(folder: Path, architecture: str = "llama", **changes: Any) -> Policy:
    """Save a random policy that vLLM can run to a folder, and load it; `policy=` changes how it is loaded."""
    config = PolicyConfig.model_validate(changes.pop("policy", {}))
    small_policy(folder, architecture, **{**SHAPE, **changes})
    return load_policy(config, folder, torch.device("cpu"))


def change_weights(policy: Policy, seed: int = 0) -> None:
    """Change the trained weights by so much that an engine with the old ones is noticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            if parameter.requires_grad:
                size = max(float(parameter.std()), 0.05)
                parameter.add_(0.2 * size * torch.randn(parameter.shape, generator=generator))


def largest_difference(
    policy: Policy, groups: Sequence[Sequence[Completion]], temperature: float = 1.0
) -> float:
    """Return the largest difference (nats) of the engine's log-probabilities to transformers'."""
    largest = 0.0
    for group in groups:
        for completion in group:
            start = len(completion.prompt_token_ids)
            ids = torch.tensor([*completion.prompt_token_ids, *completion.token_ids])
            with torch.no_grad():
                logits = policy.model(input_ids=ids[None]).logits[0, start - 1 : -1] / temperature
            own = torch.log_softmax(logits, -1).gather(-1, ids[start:, None])[:, 0]
            largest = max(largest, float((own - torch.tensor(completion.logprobs)).abs().max()))
    return largest


def check_five_updates(engine: CopyEngine, policy: Policy) -> None:
    """Sync, sample and change the weights in turn; the log-probabilities must be transformers' every time."""
    engine.sync(policy, 0)
    for version in range(1, 6):
        before = engine.groups([LONG, SHORT], 2, SAMPLING, seed=version)
        change_weights(policy, version)
        assert largest_difference(policy, before) > 0.1, "the weights must have moved"
        engine.sync(policy, version)
        after = engine.groups([LONG, SHORT], 4, SAMPLING, seed=version)
        assert largest_difference(policy, after) < 1e-4
        assert engine.probe_mismatch is not None
        assert engine.probe_mismatch < 1e-5
        assert {completion.weight_version for group in after for completion in group} == {version}


STOPS = SamplingConfig(max_new_tokens=48, stop=("ab", "e"))


def check_stops(policy: Policy, groups: Sequence[Sequence[Completion]]) -> int:
    """Every completion ends with the token that completes the first stop text, or has none; return how many end so."""
    stopped = 0
    for completion in (one for group in groups for one in group):
        assert policy.decode(completion.token_ids) == completion.text
        found = [text for text in STOPS.stop if text in completion.text]
        assert not any(text in policy.decode(completion.token_ids[:-1]) for text in STOPS.stop)
        if found:
            stopped += 1
            assert completion.finish_reason == "stop"
            assert completion.text.endswith(found[0])
        assert len(completion.logprobs) == len(completion.token_ids)
    return stopped


def token_ids_of(groups: Sequence[Sequence[Completion]]) -> list[list[list[int]]]:
    """Return the sampled ids of every completion of every group."""
    return [[completion.token_ids for completion in group] for group in groups]


class RealServers:
    """vLLM servers on fixed ports with the policy of one folder, which can be killed and started again."""

    def __init__(self, folder: Path):
        self.folder = small_policy(folder, **SHAPE)
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, port: int) -> None:
        """Start the server of a port without waiting for it; its output goes to a file in the folder."""
        environment, command = server_command(
            str(self.folder), dtype="float32", port=port, python=sys.executable, on_cpu=True
        )
        with self._log(port).open("ab") as log:
            self.running[port] = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that it can be killed with the processes that it starts
            )

    def wait_for(self, *ports: int) -> None:
        """Wait until the servers of some ports answer."""
        deadline = time.monotonic() + 240
        for port in ports:
            while not self._answers(port):
                assert time.monotonic() < deadline, self._log(port).read_text()[-3000:]
                time.sleep(0.3)

    def _answers(self, port: int) -> bool:
        try:
            urlopen(URLS[port] + HEALTH, timeout=5).close()
        except OSError:
            return False
        return True

    def _log(self, port: int) -> Path:
        return self.folder / f"server-{port}.log"

    def kill(self, port: int) -> None:
        """Kill the server of a port, as the kernel would where memory runs out, and its processes."""
        os.killpg(self.running[port].pid, signal.SIGKILL)
        self.running[port].wait()

    def close(self) -> None:
        """End all servers."""
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)


Fault = int | float | Literal["cut", "short"]
"""An HTTP status that is answered instead; seconds of delay; `cut` closes the connection without an answer;
`short` closes it in the middle of the answer."""


class FaultyProxy:
    """A proxy in front of a real server, on a port of its own, which fails as often as a test asks."""

    def __init__(self, target: str):
        self.target = target
        self.seen: list[str] = []
        """The paths of all requests so far."""
        self.faults_left = 0
        self._faults: dict[str, Fault] = {}
        self._lock = threading.Lock()
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_ProxyHandler, self))
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def fail(self, fault: Fault, *paths: str, times: int = 10_000) -> None:
        """Let the next `times` requests for some paths fail."""
        self._faults = dict.fromkeys(paths, fault)
        self.faults_left = times

    def recover(self) -> None:
        """Pass everything on again."""
        self.faults_left = 0

    def next_fault(self, path: str) -> Fault | None:
        """Return how a request must fail; None = it is passed on."""
        with self._lock:
            self.seen.append(path)
            if self.faults_left <= 0 or path not in self._faults:
                return None
            self.faults_left -= 1
            return self._faults[path]


class _ProxyHandler(BaseHTTPRequestHandler):
    def __init__(self, proxy: FaultyProxy, *arguments: Any):
        self.proxy = proxy  # first, because the base class handles the request in its constructor
        super().__init__(*arguments)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.next_fault(self.path.split("?")[0])
        if fault == "cut":
            self.connection.close()
        elif fault == "short":
            self._answer(200, b'{"choices": [', length=100_000)
            self.connection.close()
        elif isinstance(fault, int):
            self._answer(fault, b'{"error": "a fault of the test"}')
        else:
            if isinstance(fault, float):
                time.sleep(fault)
            self._answer(*self._pass_on(body))

    def _pass_on(self, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"}
        request = Request(self.proxy.target + self.path, body or None, headers, method=self.command)
        try:
            with urlopen(request) as answer:
                return 200, answer.read()
        except HTTPError as error:
            return error.code, error.read()

    def _answer(self, status: int, text: bytes, length: int | None = None) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text) if length is None else length))
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            pass  # the client has given up waiting
