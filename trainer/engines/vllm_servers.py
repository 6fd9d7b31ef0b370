"""Sampling with vLLM servers, and recovering when one of them fails.

Every prompt is one request, sent to whichever server is free; its seed does not depend on the server. A
group counts only if its server still has this step's weights when the group is complete. A server that was
restarted in between is sent the weights again, and the group is sampled once more. Requests that fail are
tried again for `engine.retry_s` seconds. After that, the server is left out; if it was the last one, the run
stops before it learns from an incomplete batch.

`vllm_client.py` sends the requests, `vllm_queue.py` hands out the prompts, `vllm_launch.py` starts a server.
"""

import math
import queue
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from ...sandbox.errors import RunError, first_line
from ...tasks.problem import Completion
from ..config.run_config import EngineConfig, SamplingConfig
from ..models.notes import Note, ignored
from ..models.policy import EncodedPrompt, Policy
from ..models.weights import shape_of, weights_folder, write_weights
from .base import completion_of, prompt_seed
from .copy_engine import CopyEngine
from .vllm_client import KeyRefused, Server, ServerTrouble
from .vllm_launch import Kept, OwnServer, server_command, shell_line
from .vllm_queue import Work

REQUESTS = 64
"""The most requests that are sent to one server at a time."""


class VllmServers(CopyEngine):
    """The vLLM servers that a run file names, or one that the run starts itself.

    Args:
        config: URLs, dtype and time limits.
        policy: the policy whose weights the servers get.
        note: called with lines that a reader of the run should know, such as that a server was restarted.

    Raises:
        RunError: a server does not answer, does not take weights, or encodes texts differently.
    """

    where = "the vLLM server"

    def __init__(self, config: EngineConfig, policy: Policy, note: Note = ignored):
        super().__init__(config, policy, note)
        self._folder = weights_folder(config.weights_folder)
        self._file: Path | None = None
        """The weights of this step."""
        self._run = uuid.uuid4().hex[:8]
        self._label = ""
        """This step's version label on the servers, with `_run` in it, since other runs may use them too."""
        self._kept = Kept(self._folder)
        """Removes the folder if this process is killed."""
        self._own: OwnServer | None = None
        self._closed = False
        """Whether threads that still restore a server must stop; another run may use it by now."""
        self._losing = threading.Lock()
        """Held in `_leave_out`, or the last two servers could each be left out in favour of the other."""
        self._probed: list[Server] | None = None
        """During a probe, a list of the one server that is probed; else None, and `generate` uses all."""
        self.servers: list[Server] = []
        on_cpu = policy.device.type == "cpu"
        environment, command = server_command(policy.source, dtype=self.dtype, on_cpu=on_cpu)
        self._start_with = shell_line(environment, command)
        try:
            urls = config.urls
            if not urls:
                self._own = OwnServer(
                    policy.source, dtype=self.dtype, on_cpu=on_cpu, memory=config.memory, folder=self._folder
                )
                urls = (self._own.url,)
            self.servers = [Server(url, config.timeout_s, config.key_env) for url in urls]
            for server in self.servers:
                self._check(server)
        except BaseException:
            self.close()
            raise

    def _check(self, server: Server) -> None:
        """Make sure that a server answers, takes weights and encodes texts like the trainer.

        Raises:
            RunError: it does not; the message has the command that starts a suitable one.
        """
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
        except KeyRefused:
            raise
        except (RunError, ServerTrouble, KeyError, IndexError, TypeError) as error:
            raise RunError(
                f"{server.url} does not take weights; start it with\n  {self._start_with}"
            ) from error
        try:
            self.check_ids(
                lambda text: server.post("/tokenize", {"prompt": text, "add_special_tokens": False})["tokens"]
            )
        except ServerTrouble as trouble:
            raise RunError(
                f"{server.url} {trouble} when it was asked to tokenise a text; start it with\n"
                f"  {self._start_with}"
            ) from trouble

    def push(self, policy: Policy, version: int) -> None:
        """Write the weights to a file and let every server load it; a server that fails is left out."""
        dtype = getattr(torch, self.dtype)
        file = write_weights(policy.model, self._folder, f"weights-{version}.safetensors", dtype)
        self._file, old_file = file, self._file
        self._label = f"{self._run}-{version}"
        for server in self.servers:
            # A server that was left out before gets one try only, so that steps do not wait for it.
            retry_s = 0 if server.lost else self.config.retry_s
            try:
                self._restore(server, None, retry_s)
                server.lost = False
            except RunError as error:
                self._leave_out(server, error)
        if old_file is not None and old_file != file:
            old_file.unlink(missing_ok=True)

    def _restore(self, server: Server, trouble: ServerTrouble | None, retry_s: float) -> None:
        """Wait until a server answers, and send it this step's weights if it does not have them.

        Args:
            server: the server.
            trouble: how its last request failed; None = it did not fail, and only needs the new weights.
            retry_s: seconds to keep trying, counted from the server's first failure.

        Raises:
            RunError: the server has been failing for longer than `retry_s`, or rejects the weights.
        """
        pause = 0.1
        with server.lock:
            while not self._closed:
                answers = True
                if self._own is not None and self._own.start_again_if_ended(self.note):
                    server.failing_since = None
                try:
                    self._put_if_needed(server, trouble)
                except ServerTrouble as error:
                    trouble, answers = error, False
                if trouble is None:
                    server.failing_since = None
                    return
                now = time.monotonic()
                server.failing_since = server.failing_since or now
                if now - server.failing_since > retry_s:
                    raise RunError(
                        f"{server.url} {trouble}, and engine.retry_s ({retry_s:g} s) is over; start it with\n"
                        f"  {self._start_with}\nNothing was learned from this step: continue with --resume"
                    ) from trouble
                time.sleep(pause)
                if answers:
                    return  # its weights are right; only the next request can show whether it works again
                pause = min(2 * pause, 5.0)

    def _put_if_needed(self, server: Server, trouble: ServerTrouble | None) -> None:
        """Send a server this step's weights unless it has them.

        Raises:
            ServerTrouble: it does not answer, or does not take the weights.
            RunError: it rejects the weights.
        """
        if server.version() == self._label and server.put_complete:
            return
        if trouble is not None:
            self.note(f"{server.url} {trouble}; it does not have this step's weights, which are sent again")
        assert self._file is not None
        try:
            server.put(self._file, self._label, shape_of(self.policy.model))
        except ServerTrouble as put_trouble:
            server.get("/health")  # if it does not answer at all, that is the trouble to report
            raise ServerTrouble(
                f"does not take the weights ({put_trouble}): it has another model than {self.policy.name!r},"
                f" or cannot read {self._file} (engine.weights_folder must be a folder that it sees too)"
            ) from put_trouble

    def _leave_out(self, server: Server, error: RunError) -> None:
        """Go on with the other servers until the next update.

        Raises:
            RunError: `error`, if there is no other server left.
        """
        with self._losing:
            if all(other.lost or other is server for other in self.servers):
                raise error
            was_lost, server.lost = server.lost, True
        if not was_lost:
            self.note(f"{first_line(error)}; the other servers take its prompts")

    def generate(
        self, prompts: Sequence[EncodedPrompt], n: int, sampling: SamplingConfig, *, seed: int
    ) -> Iterator[tuple[int, list[Completion]]]:
        """Let all servers take prompts from one queue, each in several threads; see `Engine.generate`."""
        self.remember(prompts)
        work = Work(prompts, n, sampling, seed)
        servers = self._probed or self.servers
        for server in servers:
            for _ in range(min(REQUESTS, math.ceil(len(prompts) / len(servers)))):
                threading.Thread(target=self._serve, args=(server, work), daemon=True).start()
        try:
            for _ in prompts:
                yield work.next_group(servers)
        finally:
            work.stop.set()

    def probe(self) -> float:
        """Probe each server by itself, and return the largest difference; NaN if one of them is NaN."""
        worst = 0.0
        for server in self.servers:
            if server.lost:
                continue
            self._probed = [server]
            try:
                difference = super().probe()
                if math.isnan(difference) or difference > worst:
                    worst = difference
            except RunError:
                if not server.lost:
                    raise
            finally:
                self._probed = None
        return worst

    def _serve(self, server: Server, work: Work) -> None:
        """Sample prompts from the queue until the call is over or the server is lost; runs in a thread."""
        while not (work.stop.is_set() or server.lost):
            try:
                index = work.waiting.get(timeout=0.05)
            except queue.Empty:
                continue
            try:
                self._sample_or_put_back(server, work, index)
            except RunError as error:
                try:
                    self._leave_out(server, error)
                except RunError as last_error:
                    work.done.put(last_error)
            except BaseException as error:
                work.done.put(error)  # a thread has no other way to end the run
                return

    def _sample_or_put_back(self, server: Server, work: Work, index: int) -> None:
        """Sample a prompt's group; if that fails, put the prompt back into the queue and restore the server.

        Raises:
            RunError: the server rejects the request, or cannot be restored.
        """
        try:
            group = self._sample(server, work, index)
        except RunError:
            work.waiting.put(index)
            raise
        except ServerTrouble as error:
            trouble = error
        except (KeyError, TypeError, AttributeError) as error:
            trouble = ServerTrouble(
                f"gave an answer that does not have vLLM's form ({type(error).__name__}: {error})"
            )
        else:
            server.failing_since = None
            if self._own is not None:
                self._own.restarts = 0
            work.done.put((index, group))
            return
        work.waiting.put(index)
        self._restore(server, trouble, self.config.retry_s)

    def _sample(self, server: Server, work: Work, index: int) -> list[Completion]:
        """Return a prompt's group, if the server had this step's weights all the time.

        Raises:
            ServerTrouble: the request failed, or the server's weights have changed.
        """
        prompt, puts = work.prompts[index], server.puts
        seed = prompt_seed(work.seed, index)
        answer = server.sample(
            prompt.token_ids, work.n, work.sampling, seed=seed, stop_ids=self.policy.eos_ids
        )
        # The right label is not enough: another thread may have restored a restarted server by now.
        if server.version() != self._label or server.puts != puts or not server.put_complete:
            raise ServerTrouble("was restarted, or got weights from elsewhere, while it sampled")
        return [
            completion_of(
                self.policy,
                prompt,
                ids,
                logprobs,
                self.weight_version,
                stop=work.sampling.stop,
                where=server.url,
            )
            for ids, logprobs in server.completions_in(answer, work.n, work.sampling)
        ]

    def close(self) -> None:
        """End the server that was started here, and remove the weights."""
        self._closed = True
        for server in self.servers:
            server.close()
        if self._own is not None:
            self._own.close()
        self._kept.close()
