"""Real vLLM, in process and as servers: weights that arrive, faults that lose nothing.

Runs where vLLM is installed (`make test-slow` makes such an environment). On a CPU an attention head must
have 32 or more dimensions.
"""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import torch

from markscheme.sandbox import RunError
from markscheme.tasks import Completion
from markscheme.trainer.config.run_config import EngineConfig, PolicyConfig, SamplingConfig
from markscheme.trainer.engines import vllm_servers as vllm_http
from markscheme.trainer.engines.base import CopyEngine
from markscheme.trainer.engines.vllm_launch import OwnServer, server_command
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import EncodedPrompt, Policy
from support import small_policy

vllm = pytest.importorskip("vllm", reason="vLLM is not installed here: `make test-slow` has an environment")
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]

CPU = torch.device("cpu")
SHAPE: dict[str, Any] = {"hidden_size": 64, "head_dim": 32, "max_position_embeddings": 512}
SAMPLING = SamplingConfig(max_new_tokens=16)
LONG = EncodedPrompt([3 + 7 * i % 70 for i in range(200)])  # more than one block of the prefix cache
SHORT = EncodedPrompt([5, 6, 7])


def policy_in(folder: Path, architecture: str = "llama", **changes: Any) -> Policy:
    config = PolicyConfig.model_validate(changes.pop("policy", {}))
    small_policy(folder, architecture, **{**SHAPE, **changes})
    return load_policy(config, folder, CPU)


def learn(policy: Policy, seed: int = 0) -> None:
    """Move the weights by a lot: stale ones must not go unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            if parameter.requires_grad:
                size = max(float(parameter.std()), 0.05)
                parameter.add_(0.2 * size * torch.randn(parameter.shape, generator=generator))


def worst(policy: Policy, groups: list[list[Completion]], temperature: float = 1.0) -> float:
    """The largest difference between the engine's log-probabilities and transformers'."""
    found = 0.0
    for completion in (c for group in groups for c in group):
        start = len(completion.prompt_token_ids)
        ids = torch.tensor([*completion.prompt_token_ids, *completion.token_ids])
        with torch.no_grad():
            logits = policy.model(input_ids=ids[None]).logits[0, start - 1 : -1] / temperature
        own = torch.log_softmax(logits, -1).gather(-1, ids[start:, None])[:, 0]
        found = max(found, float((own - torch.tensor(completion.logprobs)).abs().max()))
    return found


def five_updates(engine: CopyEngine, policy: Policy) -> None:
    """Sync, sample and learn in turn; every time the log-probabilities are transformers'."""
    engine.sync(policy, 0)
    for version in range(1, 6):
        before = engine.groups([LONG, SHORT], 2, SAMPLING, seed=version)
        learn(policy, version)
        assert worst(policy, before) > 0.1, "the weights must have moved"
        engine.sync(policy, version)
        after = engine.groups([LONG, SHORT], 4, SAMPLING, seed=version)
        assert worst(policy, after) < 1e-4
        assert engine.probe_mismatch is not None
        assert engine.probe_mismatch < 1e-5
        assert {c.weight_version for group in after for c in group} == {version}


POLICIES: dict[str, dict[str, Any]] = {
    "untied": {},
    "tied": {"tie_word_embeddings": True},
    "qwen3, tied": {"architecture": "qwen3", "tie_word_embeddings": True},
    "lora, tied": {"policy": {"lora": {"r": 4}}, "tie_word_embeddings": True},
}


@pytest.fixture(scope="module")
def in_process() -> Iterator[Any]:
    """Engines of this process, ended after the tests; vLLM can be started several times, one after the other."""
    from markscheme.trainer.engines.vllm_local import VllmEngine

    open_engines: list[VllmEngine] = []

    def make(policy: Policy, **config: Any) -> VllmEngine:
        for engine in open_engines:
            engine.close()
        open_engines[:] = [VllmEngine(EngineConfig(kind="vllm", memory=1, **config), policy)]
        return open_engines[0]

    yield make
    for engine in open_engines:
        engine.close()


@pytest.mark.parametrize("name", POLICIES)
def test_in_process_the_weights_arrive(in_process: Any, tmp_path: Path, name: str) -> None:
    policy = policy_in(tmp_path, **POLICIES[name])
    engine = in_process(policy)
    five_updates(engine, policy)
    warm = SamplingConfig(max_new_tokens=12, temperature=0.7)
    assert worst(policy, engine.groups([LONG, SHORT], 4, warm, seed=1), 0.7) < 1e-4
    samples = [c.token_ids for group in engine.groups([LONG, SHORT], 4, warm, seed=9) for c in group]
    assert samples == [c.token_ids for group in engine.groups([LONG, SHORT], 4, warm, seed=9) for c in group]
    assert len(set(map(tuple, samples))) > 4
    (greedy,) = engine.groups([SHORT], 1, SamplingConfig(max_new_tokens=4, temperature=0), seed=0)[0]
    assert greedy.logprobs == [0.0] * len(greedy.token_ids)
    stopped = [
        c for g in engine.groups([SHORT] * 40, 4, SAMPLING, seed=3) for c in g if c.finish_reason == "stop"
    ]
    assert stopped
    assert all(c.token_ids[-1] in policy.eos_ids and "<eos>" not in c.text for c in stopped)


def test_the_probe_finds_weights_that_did_not_arrive(
    in_process: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three silent corruptions, put back in: old weights, a tied head that keeps its copy, a stale cache."""
    from markscheme.trainer.engines import vllm_local as vllm_engine
    from markscheme.trainer.engines import vllm_plugin as vllm_weights
    from markscheme.trainer.models.weights import checkpoint_weights

    policy = policy_in(tmp_path, tie_word_embeddings=True)
    engine = in_process(policy)
    engine.sync(policy, 0)
    engine.groups([LONG, SHORT], 2, SAMPLING, seed=0)
    with monkeypatch.context() as patch:
        old = list(checkpoint_weights(policy.model))
        copies = [(name, tensor.clone()) for name, tensor in old]
        patch.setattr(vllm_engine, "checkpoint_weights", lambda model: copies)
        learn(policy)
        with pytest.raises(RunError, match="differ from the trainer's by"):
            engine.sync(policy, 1)
    engine.sync(policy, 2)
    with monkeypatch.context() as patch:

        def without_the_head(self: Any) -> None:
            from vllm.model_executor.model_loader.reload import (  # pyright: ignore[reportMissingImports]
                finalize_layerwise_reload,
            )

            finalize_layerwise_reload(self.model, self.model_config)

        patch.setattr(vllm_weights.MarkschemeTransfer, "finish_weight_update", without_the_head)
        learn(policy)
        with pytest.raises(RunError, match="tied LM head"):
            engine.sync(policy, 3)
    engine.sync(policy, 4)
    with monkeypatch.context() as patch:
        engine.groups([LONG, SHORT], 2, SAMPLING, seed=0)
        patch.setattr(engine._llm, "reset_prefix_cache", lambda: None)
        learn(policy)
        with pytest.raises(RunError, match="differ from the trainer's by"):
            engine.sync(policy, 5)
    engine.sync(policy, 6)


def test_a_model_that_vllm_computes_otherwise_is_told_from_weights_that_did_not_arrive(
    in_process: Any, tmp_path: Path
) -> None:
    """Gemma 2 in vLLM 0.32 on a CPU; with a higher limit the run goes on, corrected."""
    changes = {"sliding_window": 64, "query_pre_attn_scalar": 16, "final_logit_softcapping": 5.0}
    policy = policy_in(tmp_path, "gemma2", **changes)
    engine = in_process(policy)
    if engine.mismatch_at_load < 1e-3:
        pytest.skip("this vLLM computes Gemma 2 as transformers does")
    with pytest.raises(RunError, match="with the weights that the engine loaded itself"):
        engine.sync(policy, 0)
    engine.max_mismatch = 0.1
    engine.sync(policy, 0)


def test_a_tokenizer_that_the_engine_reads_otherwise_is_refused(in_process: Any, tmp_path: Path) -> None:
    """transformers gives a qwen2 folder a tokenizer of its own, which drops spaces."""
    from transformers import PreTrainedTokenizerFast

    policy = policy_in(tmp_path, "qwen2")
    policy.tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    with pytest.raises(RunError, match="the tokenizers of .* differ"):
        in_process(policy)


def test_bfloat16_is_a_mismatch_that_is_measured(in_process: Any, tmp_path: Path) -> None:
    policy = policy_in(tmp_path)
    engine = in_process(policy, dtype="bfloat16")
    engine.sync(policy, 0)
    assert engine.probe_mismatch is not None
    assert 1e-3 < engine.probe_mismatch < 0.3
    assert engine.dtype == "bfloat16"


def test_addition_learns_on_vllm_as_on_transformers(tmp_path: Path) -> None:
    """The main job, in a process of its own: within the interval of the run on transformers."""
    found = {}
    for kind in ("hf", "vllm"):
        command = [
            sys.executable,
            "-m",
            "markscheme.trainer.commands.cli",
            "train",
            "addition",
            "--json",
            "--out",
            str(tmp_path / kind),
            "--set",
            f"engine.kind={kind}",
            "--set",
            "engine.memory=1",
            "--set",
            "algorithm.steps=60",
        ]
        ran = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
        found[kind] = json.loads(ran.stdout[ran.stdout.index("{") :])
        rows = [json.loads(line) for line in (tmp_path / kind / "metrics.jsonl").read_text().splitlines()]
        assert max(row["mismatch_max"] for row in rows) < 1e-3
    assert found["vllm"]["pass_at_1_before"] == found["hf"]["pass_at_1_before"]
    low, high = found["hf"]["pass_at_1_after_interval"]
    assert max(low, 0.9) <= found["vllm"]["pass_at_1_after"] <= max(high, 1.0)


# Servers


class Servers:
    """Real servers on fixed ports, which can be killed and started again."""

    def __init__(self, model: Path):
        self.model, self.running = model, {}

    def start(self, port: int, model: Path | None = None) -> subprocess.Popen[bytes]:
        environment, command = server_command(
            str(model or self.model), dtype="float32", port=port, python=sys.executable, on_cpu=True
        )
        with (self.model / f"server-{port}.log").open("ab") as log:
            self.running[port] = subprocess.Popen(
                command, env={**os.environ, **environment}, stdout=log, stderr=log
            )
        return self.running[port]

    def wait(self, *ports: int) -> None:
        deadline = time.monotonic() + 240
        for port in ports:
            while True:
                try:
                    urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline, (self.model / f"server-{port}.log").read_text()[
                        -3000:
                    ]
                    time.sleep(0.3)

    def kill(self, port: int) -> None:
        self.running[port].send_signal(signal.SIGKILL)
        self.running[port].wait()

    def close(self) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)


ONE, TWO = 18411, 18412
URLS = {port: f"http://127.0.0.1:{port}" for port in (ONE, TWO)}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("served")
    small_policy(folder, **SHAPE)
    made = Servers(folder)
    made.start(ONE)
    made.start(TWO)
    try:
        made.wait(ONE, TWO)
        yield made
    finally:
        made.close()


def engine_of(servers: Servers, *urls: str, **config: Any) -> tuple[vllm_http.VllmServers, Policy, list[str]]:
    policy = load_policy(PolicyConfig(model=str(servers.model)), servers.model, CPU)
    notes: list[str] = []
    engine = vllm_http.VllmServers(EngineConfig(kind="vllm_http", urls=urls, **config), policy, notes.append)
    return engine, policy, notes


class Faults:
    """A real server with a bad line: what passes through here can be delayed, refused or cut."""

    def __init__(self, url: str):
        faults = self
        self.broken: dict[str, Any] = {}
        """By path: a status, a number of seconds, or `cut`; `times` counts down."""
        self.times = 0
        self.seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.split("?")[0]
                faults.seen.append(path)
                fault = faults.broken.get(path) if faults.times > 0 else None
                if fault is not None:
                    faults.times -= 1
                if fault == "cut":
                    return self.connection.close()
                if fault == "short":
                    self.send_response(200)
                    self.send_header("Content-Length", "100000")
                    self.end_headers()
                    self.wfile.write(b'{"choices": [')
                    return self.connection.close()
                if isinstance(fault, float):
                    time.sleep(fault)
                status, text = fault if isinstance(fault, int) else 200, b'{"error": "a fault of the test"}'
                if not isinstance(fault, int):
                    headers = {"Content-Type": "application/json"}
                    request = Request(url + self.path, body or None, headers, method=self.command)
                    try:
                        with urlopen(request) as answer:
                            text = answer.read()
                    except HTTPError as error:
                        status, text = error.code, error.read()
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    pass  # who asked has gone

            do_GET = do_POST = _pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


PROMPTS = [LONG, SHORT] * 4


def test_over_http_the_weights_arrive(servers: Servers) -> None:
    engine, policy, notes = engine_of(servers, URLS[ONE])
    five_updates(engine, policy)
    assert notes == []
    engine.close()


def test_a_tied_model_over_http_on_a_server_of_our_own(tmp_path: Path) -> None:
    policy = policy_in(tmp_path, tie_word_embeddings=True)
    engine = vllm_http.VllmServers(EngineConfig(kind="vllm_http", memory=1), policy)
    try:
        five_updates(engine, policy)
    finally:
        engine.close()
    assert engine._own is not None
    assert engine._own.process.poll() is not None
    assert not engine._folder.exists()


def test_two_servers_share_the_prompts_and_give_what_one_gives(servers: Servers) -> None:
    alone, policy, _ = engine_of(servers, URLS[ONE])
    alone.sync(policy, 0)
    expected = alone.groups(PROMPTS, 2, SAMPLING, seed=5)
    lines = [Faults(URLS[ONE]), Faults(URLS[TWO])]
    both, policy, _ = engine_of(servers, *(line.url for line in lines))
    both.sync(policy, 0)
    found = both.groups(PROMPTS, 2, SAMPLING, seed=5)
    assert [[c.token_ids for c in g] for g in found] == [[c.token_ids for c in g] for g in expected]
    assert all("/v1/completions" in line.seen for line in lines)


def test_a_server_that_is_not_there_is_told_with_the_command(servers: Servers) -> None:
    with pytest.raises(RunError, match="cannot be reached") as caught:
        engine_of(servers, "http://127.0.0.1:9")
    assert "python -m vllm.entrypoints.openai.api_server --model" in str(caught.value)
    assert "VLLM_SERVER_DEV_MODE=1" in str(caught.value)


@pytest.mark.parametrize("fault", [500, "cut", "short", 3.0])
def test_requests_that_fail_now_and_then_are_made_again(servers: Servers, fault: Any) -> None:
    """A 500, a cut line, an answer that takes too long: the groups are whole and the same."""
    line = Faults(URLS[ONE])
    engine, policy, _ = engine_of(servers, line.url, timeout_s=2.0, retry_s=20)
    engine.sync(policy, 0)
    expected = engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    line.broken, line.times = {"/v1/completions": fault}, 3
    found = engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    assert line.times == 0
    assert [[c.token_ids for c in g] for g in found] == [[c.token_ids for c in g] for g in expected]
    assert worst(policy, found) < 1e-4


@pytest.mark.parametrize(
    ("fault", "said"), [(500, "answered 500"), ("cut", "cannot be reached"), (3.0, "took longer")]
)
def test_a_server_that_goes_on_failing_stops_the_run(servers: Servers, fault: Any, said: str) -> None:
    line = Faults(URLS[ONE])
    engine, policy, _ = engine_of(servers, line.url, timeout_s=2.0, retry_s=1)
    engine.sync(policy, 0)
    line.broken, line.times = {"/v1/completions": fault, "/weight_info": fault}, 10_000
    with pytest.raises(RunError, match=said) as caught:
        engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    assert "--resume" in str(caught.value)
    line.times = 0
    engine.sync(policy, 1)
    assert len(engine.groups(PROMPTS, 2, SAMPLING, seed=6)) == len(PROMPTS)


def test_the_other_server_takes_the_prompts_of_one_that_fails(servers: Servers) -> None:
    line = Faults(URLS[ONE])
    engine, policy, notes = engine_of(servers, line.url, URLS[TWO], retry_s=1)
    engine.sync(policy, 0)
    line.broken, line.times = {"/v1/completions": "cut", "/weight_info": "cut"}, 10_000
    found = engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    assert worst(policy, found) < 1e-4
    learn(policy)
    engine.sync(policy, 1)
    assert any("the other servers take its prompts" in note for note in notes)
    assert worst(policy, engine.groups(PROMPTS, 2, SAMPLING, seed=7)) < 1e-4
    line.times = 0
    engine.sync(policy, 2)
    line.seen.clear()
    engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    assert "/v1/completions" in line.seen, "it is used again once it is back"


def test_all_servers_failing_at_once_end_the_step(servers: Servers) -> None:
    """Each could leave its prompts to the other, and both be gone."""
    lines = [Faults(URLS[ONE]), Faults(URLS[TWO])]
    engine, policy, _ = engine_of(servers, *(line.url for line in lines), retry_s=0.3)
    engine.sync(policy, 0)
    engine.note = lambda line: time.sleep(0.1)
    for line in lines:
        line.broken, line.times = {"/v1/completions": 500, "/weight_info": 500}, 10_000
    with pytest.raises(RunError, match="--resume"):
        engine.groups(PROMPTS, 2, SAMPLING, seed=6)


def test_one_bad_server_among_several_is_found_by_the_probe(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes weights and keeps the old ones: the others' good answers must not hide it."""
    engine, policy, _ = engine_of(servers, URLS[ONE], URLS[TWO])
    engine.sync(policy, 0)
    bad, put = engine.servers[1], engine.servers[1].put
    old = engine._folder / "old.safetensors"
    old.write_bytes(engine._file.read_bytes())  # type: ignore[union-attr]
    learn(policy)
    monkeypatch.setattr(bad, "put", lambda path, version, shape: put(old, version, shape))
    with pytest.raises(RunError, match="differ from the trainer's"):
        engine.sync(policy, 1)
    assert engine.probe_mismatch is not None
    assert engine.probe_mismatch > 0.05


@pytest.mark.parametrize("found", [(math.nan, 0.0), (0.0, math.nan)])
def test_a_server_that_gives_nan_is_not_hidden_by_one_that_is_right(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, found: tuple[float, float]
) -> None:
    engine, policy, _ = engine_of(servers, URLS[ONE], URLS[TWO])
    told = iter(found)
    monkeypatch.setattr(CopyEngine, "probe", lambda self: next(told))
    with pytest.raises(RunError, match="by nan nats"):
        engine.sync(policy, 0)


def test_weights_from_elsewhere_are_noticed(servers: Servers) -> None:
    """Another run puts its weights on the same server, between sync and sampling."""
    engine, policy, notes = engine_of(servers, URLS[ONE])
    engine.sync(policy, 0)
    other, moved, _ = engine_of(servers, URLS[ONE])
    learn(moved)
    other.sync(moved, 0)
    lengths = SamplingConfig(max_new_tokens=120)  # many are under way when the first one is found out
    found = engine.groups(PROMPTS * 6, 4, lengths, seed=6)
    assert worst(policy, found) < 1e-4
    assert all(c.finish_reason == "length" or c.token_ids[-1] in policy.eos_ids for g in found for c in g)
    assert all(len(c.token_ids) == 120 for g in found for c in g if c.finish_reason == "length")
    assert any("sent again" in note for note in notes)


def test_another_model_on_the_server_is_refused(servers: Servers, tmp_path: Path) -> None:
    small_policy(tmp_path / "other", **{**SHAPE, "num_hidden_layers": 3, "hidden_size": 128})
    policy = load_policy(PolicyConfig(model="other"), tmp_path / "other", CPU)
    engine = vllm_http.VllmServers(EngineConfig(kind="vllm_http", urls=(URLS[TWO],), retry_s=2), policy)
    with pytest.raises(RunError, match="another model|differ from the trainer's"):
        engine.sync(policy, 0)


def test_a_server_without_the_routes_for_weights_is_refused(servers: Servers) -> None:
    line = Faults(URLS[ONE])
    line.broken, line.times = {"/weight_info": 404}, 1
    with pytest.raises(RunError, match="does not take weights; start it with"):
        engine_of(servers, line.url)


def test_a_server_killed_in_mid_batch_and_started_again(servers: Servers) -> None:
    """Its prompts go to the other one; when it is back it has the weights of its folder, and gets ours."""
    engine, policy, notes = engine_of(servers, URLS[ONE], URLS[TWO], retry_s=120)
    learn(policy)
    engine.sync(policy, 0)
    many = [LONG, SHORT] * 40
    longer = SamplingConfig(max_new_tokens=200)
    expected = engine.groups(many, 4, longer, seed=7)
    sampled: list[tuple[int, list[Completion]]] = []
    groups = engine.generate(many, 4, longer, seed=7)
    sampled.append(next(groups))
    servers.kill(TWO)
    servers.start(TWO)
    sampled += list(groups)
    found = dict(sampled)
    assert len(found) == len(many)
    assert worst(policy, list(found.values())) < 1e-4
    same = sum(
        c.token_ids == e.token_ids
        for i, group in enumerate(expected)
        for c, e in zip(found[i], group, strict=True)
    )
    assert same >= 0.9 * 4 * len(many), "the same seeds, whichever server"
    servers.wait(TWO)
    again = engine.groups(many, 2, SAMPLING, seed=8)
    assert worst(policy, again) < 1e-4
    deadline = time.monotonic() + 60  # the other server may have been quicker than the mending
    while not any("sent again" in note for note in notes):
        assert time.monotonic() < deadline, notes
        time.sleep(0.1)


def test_a_run_by_http_stops_whole_and_goes_on(servers: Servers, tmp_path: Path) -> None:
    """The only server fails in mid-run: nothing is learned from that step, and the run can be resumed."""
    from markscheme.trainer import train

    rows = [{"prompt": f"{i}+{i}=", "reference": str(2 * i)} for i in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "t.yaml").write_text(
        "name: t\ndata: {path: rows.jsonl}\nproblem: {reference: '{{ reference }}'}\n"
        "rewards: {digits: {use: length, target: 6, unit: tokens}}\n"
    )
    line = Faults(URLS[ONE])
    run = {
        "tasks": [str(tmp_path / "t.yaml")], "policy": {"model": str(servers.model)},
        "algorithm": {"group_size": 4, "groups_per_step": 2, "steps": 4, "lr": 1e-3, "kl_coef": 0.0},
        "sampling": {"max_new_tokens": 12}, "save": {"every": 1}, "out": str(tmp_path / "run"),
        "engine": {"kind": "vllm_http", "urls": [line.url], "retry_s": 1},
    }  # fmt: skip
    passed = line.seen

    def break_later() -> None:
        while not (tmp_path / "run/checkpoints/step-000002").exists():
            time.sleep(0.01)
        line.broken, line.times = {"/v1/completions": "cut", "/weight_info": "cut", "/health": "cut"}, 10_000

    threading.Thread(target=break_later, daemon=True).start()
    with pytest.raises(RunError, match="--resume"):
        train({**run, "algorithm": {**run["algorithm"], "steps": 10_000}})
    assert passed
    line.times = 0
    done = [json.loads(row)["step"] for row in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    result = train(tmp_path / "run", resume=True, overrides=[f"algorithm.steps={done[-1] + 2}"])
    after = [json.loads(row) for row in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in after] == list(range(1, done[-1] + 3))
    assert result.summary["steps"] == done[-1] + 2
    assert all(row.get("mismatch_max", 0) < 1e-4 for row in after)


def test_sampling_a_task_through_a_server(servers: Servers, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "markscheme.trainer.commands.cli", "sample", "addition", "--model", str(servers.model), "-n", "2",
        "--limit", "5", "--engine", "vllm_http", "--url", URLS[ONE], "-o", str(tmp_path / "c.jsonl"), "--json",
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert len((tmp_path / "c.jsonl").read_text().splitlines()) == 10


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RunError, match=r"does not start: it ended with exit code \d+; the end of its log"):
        OwnServer(str(tmp_path), dtype="float32", on_cpu=True, memory=1, folder=tmp_path)
