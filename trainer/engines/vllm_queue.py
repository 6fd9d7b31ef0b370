"""The prompts and groups of one `generate` call, shared by the threads that sample them from vLLM servers."""

import queue
import threading
from collections.abc import Sequence

from ...sandbox.errors import RunError
from ...tasks.problem import Completion
from ..config.run_config import SamplingConfig
from ..models.policy import EncodedPrompt
from .vllm_client import Server


class Work:
    """The prompts that wait for a server, and the groups that are complete."""

    def __init__(self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, seed: int):
        self.prompts, self.n, self.sampling, self.seed = prompts, n, sampling, seed
        self.waiting: queue.Queue[int] = queue.Queue()
        """Indices of the prompts that no server is sampling."""
        self.done: queue.Queue[tuple[int, list[Completion]] | BaseException] = queue.Queue()
        """Complete groups with the index of their prompt, and errors that end the call."""
        self.stop = threading.Event()
        """Set when the caller takes no more groups, so that the threads end."""
        for index in range(len(prompts)):
            self.waiting.put(index)

    def next_group(self, servers: Sequence[Server]) -> tuple[int, list[Completion]]:
        """Wait for a group, and return the index of its prompt and its completions.

        Raises:
            RunError: all of the servers are lost, so no group will come.
            BaseException: an error that a thread put into `done`.
        """
        while True:
            try:
                result = self.done.get(timeout=1.0)
                break
            except queue.Empty:
                if all(server.lost for server in servers) and self.done.empty():
                    raise RunError(f"{servers[0].url}: no server is left; continue with --resume") from None
        if isinstance(result, BaseException):
            raise result
        return result
