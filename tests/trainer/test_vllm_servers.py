"""Real vLLM servers: weights arrive over HTTP, several servers share the prompts, unsuitable ones are refused.

Runs where vLLM is installed (`make test-slow` makes such an environment).
"""

import subprocess
import sys
from pathlib import Path

import pytest

from markscheme.sandbox import RunError
from markscheme.trainer.config.run_config import EngineConfig
from markscheme.trainer.engines.vllm_launch import OwnServer
from markscheme.trainer.engines.vllm_servers import VllmServers
from support import rows_in
from vllm_engines import (
    COMPLETIONS,
    ONE,
    PROMPTS,
    SAMPLING,
    TWO,
    URLS,
    WEIGHT_INFO,
    Connect,
    FaultyProxy,
    RealServers,
    check_five_updates,
    random_policy,
    token_ids_of,
)

pytest.importorskip("vllm", reason="vLLM is not installed here: `make test-slow` has an environment")
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]


def test_the_weights_arrive_after_every_update(connect: Connect) -> None:
    engine, policy, notes = connect(URLS[ONE])
    check_five_updates(engine, policy)
    assert notes == []


def test_a_run_starts_a_server_of_its_own_and_ends_it(tmp_path: Path) -> None:
    """With a tied head, whose packed copy has to be replaced too."""
    policy = random_policy(tmp_path, tie_word_embeddings=True)
    engine = VllmServers(EngineConfig(kind="vllm_http", memory=1), policy)
    try:
        check_five_updates(engine, policy)
    finally:
        engine.close()
    assert engine._own is not None
    assert engine._own.exit_code is not None
    assert not engine._folder.exists()


def test_two_servers_share_the_prompts_and_give_what_one_gives(connect: Connect) -> None:
    alone, policy, _ = connect(URLS[ONE])
    alone.sync(policy, 0)
    expected = alone.groups(PROMPTS, 2, SAMPLING, seed=5)
    proxies = [FaultyProxy(URLS[ONE]), FaultyProxy(URLS[TWO])]
    both, policy, _ = connect(*(proxy.url for proxy in proxies))
    both.sync(policy, 0)
    assert token_ids_of(both.groups(PROMPTS, 2, SAMPLING, seed=5)) == token_ids_of(expected)
    assert all(COMPLETIONS in proxy.seen for proxy in proxies)


def test_the_error_for_a_missing_server_has_the_command_that_starts_one(connect: Connect) -> None:
    with pytest.raises(RunError, match="cannot be reached") as caught:
        connect("http://127.0.0.1:9")
    assert "python -m vllm.entrypoints.openai.api_server --model" in str(caught.value)
    assert "VLLM_SERVER_DEV_MODE=1" in str(caught.value)


def test_a_server_with_another_model_is_refused(servers: RealServers, tmp_path: Path) -> None:
    policy = random_policy(
        tmp_path / "other", num_hidden_layers=3, hidden_size=128, policy={"model": "other"}
    )
    engine = VllmServers(EngineConfig(kind="vllm_http", urls=(URLS[TWO],), retry_s=2), policy)
    try:
        with pytest.raises(RunError, match="another model|differ from the trainer's"):
            engine.sync(policy, 0)
    finally:
        engine.close()


def test_a_server_without_the_routes_for_weights_is_refused(connect: Connect) -> None:
    proxy = FaultyProxy(URLS[ONE])
    proxy.fail(404, WEIGHT_INFO, times=1)
    with pytest.raises(RunError, match="does not take weights; start it with"):
        connect(proxy.url)


def test_a_task_is_sampled_through_a_server(servers: RealServers, tmp_path: Path) -> None:
    rows = tmp_path / "c.jsonl"
    command = [sys.executable, "-m", "markscheme.trainer.commands.cli", "sample", "addition"]
    command += ["--model", str(servers.folder), "--engine", "vllm_http", "--url", URLS[ONE]]
    command += ["-n", "2", "--limit", "5", "-o", str(rows), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert len(rows_in(rows)) == 10


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RunError, match=r"does not start: it ended with exit code \d+; the end of its log"):
        OwnServer(str(tmp_path), dtype="float32", on_cpu=True, memory=1, folder=tmp_path)
