"""Sampling with vLLM servers, and what is done when one of them fails.

Every prompt is one request, and goes to whichever server is free; its seed does not depend on which. A
group counts only if the server still has the weights of this step when it is done: a server that was
restarted in between gets them again, and the group is sampled once more. What fails is tried again
for `engine.retry_s`; then the run stops, before anything is learned from half a batch.
"""

import math
import queue
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from ...sandbox.errors import RunError
from ...tasks.problem import Completion
from ..config.run_config import EngineConfig, SamplingConfig
from ..models.notes import Note, ignored
from ..models.policy import EncodedPrompt, Policy
from ..models.weights import shape_of, weights_folder, write_weights
from .base import CopyEngine, completion_of, prompt_seed
from .vllm_client import Server, ServerTrouble
from .vllm_launch import OwnServer, server_command, shown

REQUESTS = 64
"""Requests that one server has at a time."""


class VllmServers(CopyEngine):
    """vLLM servers: those that a run names, or one that it starts.

    Args:
        config: urls, dtype, time limits.
        policy: what is sampled from.

    Raises:
        RunError: a server is not there, was started otherwise, or reads other ids than the trainer.
    """

    where = "the vLLM server"

    def __init__(self, config: EngineConfig, policy: Policy, note: Note = ignored):
        super().__init__(config, policy, note)
        self._folder = weights_folder(config.weights_folder)
        self._file: Path | None = None
        self._run, self._label = uuid.uuid4().hex[:8], ""
        self._own: OwnServer | None = None
        self._losing = threading.Lock()
        self._asked: list[Server] | None = None
        """Those that are probed; None = all are asked."""
        on_cpu = policy.device.type == "cpu"
        environment, command = server_command(policy.source, dtype=self.dtype, on_cpu=on_cpu)
        self._start_with = shown(environment, command)
        try:
            urls = config.urls
            if not urls:
                self._own = OwnServer(
                    policy.source, dtype=self.dtype, on_cpu=on_cpu, memory=config.memory, folder=self._folder
                )
                urls = (self._own.url,)
            self.servers = [Server(url, config.timeout_s) for url in urls]
            for server in self.servers:
                self._check(server)
        except BaseException:
            self.close()
            raise

    def _check(self, server: Server) -> None:
        """Look at a server before anything is asked of it."""
        try:
            server.get("/health")
        except ServerTrouble as trouble:
            raise RunError(
                f"{server.url} {trouble}; start a server with\n  {self._start_with}\n"
                "or leave engine.urls out, and the run starts one"
            ) from trouble
        try:
            server.version()
            server.model = server.get("/v1/models")["data"][0]["id"]
        except (RunError, ServerTrouble, KeyError, IndexError, TypeError) as error:
            raise RunError(
                f"{server.url} does not take weights; start it with\n  {self._start_with}"
            ) from error
        try:
            self.check_ids(
                lambda text: server.post("/tokenize", {"prompt": text, "add_special_tokens": False})["tokens"]
            )
        except ServerTrouble as trouble:
            raise RunError(f"{server.url} {trouble}, when it was asked for the ids of a text") from trouble

    def push(self, policy: Policy, version: int) -> None:
        """Write the weights once, and let every server load them; one that fails is left out."""
        dtype = getattr(torch, self.dtype)
        file = write_weights(policy.model, self._folder, f"weights-{version}.safetensors", dtype)
        self._file, before = file, self._file
        self._label = f"{self._run}-{version}"
        for server in self.servers:
            try:
                # A server that was lost before is asked once, and not waited for at every step.
                self._mend(server, None, 0 if server.lost else self.config.retry_s)
                server.lost = False
            except RunError as error:
                self._lose(server, error)
        if before is not None and before != file:
            before.unlink(missing_ok=True)

    def _mend(self, server: Server, trouble: ServerTrouble | None, retry_s: float) -> None:
        """Bring a server to the weights of this step.

        Raises:
            RunError: it fails for longer than `retry_s`, or does not take the weights.
        """
        pause = 0.1
        with server.lock:
            while True:
                try:
                    if server.version() != self._label or not server.whole:
                        if trouble is not None:
                            self.note(
                                f"{server.url} {trouble}; its weights are others now: they are put again"
                            )
                        self._put(server)
                    if trouble is None:
                        server.failing_since = None
                        return
                    alive = True
                except ServerTrouble as error:
                    trouble, alive = error, False
                now = time.monotonic()
                server.failing_since = server.failing_since or now
                if now - server.failing_since > retry_s:
                    raise RunError(
                        f"{server.url} {trouble}, and engine.retry_s ({retry_s:g} s) is over; start it with\n"
                        f"  {self._start_with}\nNothing was learned from this step: go on with --resume"
                    ) from trouble
                time.sleep(pause)
                pause = min(2 * pause, 5.0)
                if alive:
                    return  # and the request is tried again

    def _lose(self, server: Server, error: RunError) -> None:
        """Go on without a server.

        Raises:
            RunError: it was the last one.
        """
        with self._losing:
            if all(other.lost or other is server for other in self.servers):
                raise error
            known, server.lost = server.lost, True
        if not known:
            self.note(f"{str(error).splitlines()[0]}; the other servers take its prompts")

    def _put(self, server: Server) -> None:
        assert self._file is not None
        try:
            server.put(self._file, self._label, shape_of(self.policy.model))
        except ServerTrouble as trouble:
            server.get("/health")  # a server that is gone is another matter
            raise ServerTrouble(
                f"does not take the weights ({trouble}): it has another model than {self.policy.name!r}, or"
                f" cannot read {self._file} (engine.weights_folder must be a folder that it sees too)"
            ) from trouble

    def generate(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Let all servers take prompts from one queue; see `Engine.generate`."""
        self.remember(prompts)
        work, asked = _Work(prompts, n, sampling, seed), self._asked or self.servers
        for server in asked:
            for _ in range(min(REQUESTS, -(-len(prompts) // len(asked)))):
                threading.Thread(target=self._serve, args=(server, work), daemon=True).start()
        try:
            for _ in prompts:
                found = self._next(work, asked)
                if isinstance(found, BaseException):
                    raise found
                yield found
        finally:
            work.stop.set()

    def _next(self, work: "_Work", asked: Sequence[Server]) -> tuple[int, list[Completion]] | BaseException:
        """Wait for a group; give up where no server is left that could bring one."""
        while True:
            try:
                return work.done.get(timeout=1.0)
            except queue.Empty:
                if all(server.lost for server in asked) and work.done.empty():
                    return RunError(f"{asked[0].url}: no server is left; go on with --resume")

    def probe(self) -> float:
        """Probe every server by itself, and return the worst."""
        worst = 0.0
        for server in self.servers:
            if not server.lost:
                self._asked = [server]
                try:
                    apart = super().probe()
                    worst = apart if math.isnan(apart) or apart > worst else worst
                except RunError:
                    if not server.lost:
                        raise
                finally:
                    self._asked = None
        return worst

    def _serve(self, server: Server, work: "_Work") -> None:
        """Take prompts until there are none; one that fails goes back into the queue."""
        while not (work.stop.is_set() or server.lost):
            try:
                place = work.waiting.get(timeout=0.05)
            except queue.Empty:
                continue
            try:
                self._take(server, work, place)
            except RunError as error:
                try:
                    self._lose(server, error)
                except RunError as last:
                    work.done.put(last)
            except BaseException as error:
                work.done.put(error)
                return

    def _take(self, server: Server, work: "_Work", place: int) -> None:
        """Sample a prompt's group; where that fails, put it back and mend the server."""
        try:
            found = self._ask(server, work, place)
        except RunError:
            work.waiting.put(place)
            raise
        except ServerTrouble as error:
            trouble = error
        except (KeyError, TypeError, AttributeError) as error:
            trouble = ServerTrouble(f"gave what vLLM does not ({type(error).__name__}: {error})")
        else:
            server.failing_since = None
            work.done.put((place, found))
            return
        work.waiting.put(place)
        self._mend(server, trouble, self.config.retry_s)

    def _ask(self, server: Server, work: "_Work", place: int) -> list[Completion]:
        """Return a prompt's group, if the server still has this step's weights when it is done."""
        sampling, prompt, puts = work.sampling, work.prompts[place], server.puts
        answer = server.post(
            "/v1/completions",
            {
                "model": server.model,
                "prompt": list(prompt.token_ids),
                "n": work.n,
                "max_tokens": sampling.max_new_tokens,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "seed": prompt_seed(work.seed, place) % 2**63,
                "stop_token_ids": list(self.policy.eos_ids),
                "logprobs": 0,
                "return_token_ids": True,
                "skip_special_tokens": False,
            },
        )
        # The right label is not enough: another thread may have put it there in the meantime.
        if server.version() != self._label or server.puts != puts or not server.whole:
            raise ServerTrouble("was restarted, or got weights from elsewhere, while it sampled")
        made = []
        for choice in sorted(answer["choices"], key=lambda choice: choice["index"]):
            ids, logprobs = choice["token_ids"], choice["logprobs"]["token_logprobs"]
            if choice["finish_reason"] not in ("stop", "length"):
                raise ServerTrouble(f"ended a completion by {choice['finish_reason']}")
            if sampling.temperature == 0:
                logprobs = [0.0] * len(ids)
            if len(ids) != len(logprobs) or not ids:
                raise RunError(f"{server.url} gave {len(ids)} tokens and {len(logprobs)} log-probabilities")
            made.append(completion_of(self.policy, prompt, ids, logprobs, self.weight_version))
        if len(made) != work.n:
            raise ServerTrouble(f"gave {len(made)} completions of {work.n}")
        return made

    def close(self) -> None:
        """End the server that was started here, and remove the weights."""
        if self._own is not None:
            self._own.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Work:
    """The prompts of one call, between the servers' threads."""

    def __init__(self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, seed: int):
        self.prompts, self.n, self.sampling, self.seed = prompts, n, sampling, seed
        self.waiting: queue.Queue[int] = queue.Queue()
        self.done: queue.Queue[tuple[int, list[Completion]] | BaseException] = queue.Queue()
        self.stop = threading.Event()
        for place in range(len(prompts)):
            self.waiting.put(place)
