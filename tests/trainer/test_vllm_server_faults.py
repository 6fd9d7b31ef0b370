"""Real vLLM servers that fail while a run samples: no group is lost, and none comes from other weights.

Runs where vLLM is installed (`make test-slow` makes such an environment).
"""

import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from markscheme.sandbox import RunError
from markscheme.trainer import train
from markscheme.trainer.config.run_config import SamplingConfig
from markscheme.trainer.engines.copy_engine import CopyEngine
from small_runs import json_lines
from vllm_engines import (
    COMPLETIONS,
    HEALTH,
    LONG,
    ONE,
    PROMPTS,
    SAMPLING,
    SHORT,
    TWO,
    URLS,
    WEIGHT_INFO,
    Connect,
    Fault,
    FaultyProxy,
    RealServers,
    change_weights,
    largest_difference,
    token_ids_of,
)

pytest.importorskip("vllm", reason="vLLM is not installed here: `make test-slow` has an environment")
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("fault", [500, "cut", "short", 6.0])
def test_requests_that_fail_now_and_then_are_repeated(connect: Connect, fault: Fault) -> None:
    """After a status 500, a cut connection or an answer that takes too long, the groups are the same."""
    proxy = FaultyProxy(URLS[ONE])
    engine, policy, _ = connect(proxy.url, timeout_s=5.0, retry_s=60)
    engine.sync(policy, 0)
    expected = engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    proxy.fail(fault, COMPLETIONS, times=3)
    groups = engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    assert proxy.faults_left == 0
    assert token_ids_of(groups) == token_ids_of(expected)
    assert largest_difference(policy, groups) < 1e-4


@pytest.mark.parametrize(
    ("fault", "message"), [(500, "answered 500"), ("cut", "cannot be reached"), (3.0, "took longer")]
)
def test_a_server_that_keeps_failing_stops_the_run(connect: Connect, fault: Fault, message: str) -> None:
    proxy = FaultyProxy(URLS[ONE])
    engine, policy, _ = connect(proxy.url, timeout_s=2.0, retry_s=1)
    engine.sync(policy, 0)
    proxy.fail(fault, COMPLETIONS, WEIGHT_INFO)
    with pytest.raises(RunError, match=message) as caught:
        engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    assert "--resume" in str(caught.value)
    proxy.recover()
    engine.sync(policy, 1)
    assert len(engine.groups(PROMPTS, 2, SAMPLING, seed=6)) == len(PROMPTS)


def test_the_other_servers_take_the_prompts_of_one_that_fails(connect: Connect) -> None:
    proxy = FaultyProxy(URLS[ONE])
    engine, policy, notes = connect(proxy.url, URLS[TWO], retry_s=1)
    engine.sync(policy, 0)
    proxy.fail("cut", COMPLETIONS, WEIGHT_INFO)
    assert largest_difference(policy, engine.groups(PROMPTS, 2, SAMPLING, seed=6)) < 1e-4
    change_weights(policy)
    engine.sync(policy, 1)
    assert any("the other servers take its prompts" in note for note in notes)
    assert largest_difference(policy, engine.groups(PROMPTS, 2, SAMPLING, seed=7)) < 1e-4
    proxy.recover()
    engine.sync(policy, 2)
    proxy.seen.clear()
    engine.groups(PROMPTS, 2, SAMPLING, seed=6)
    assert COMPLETIONS in proxy.seen, "it is used again once it is back"


def test_servers_that_all_fail_at_once_stop_the_run(connect: Connect) -> None:
    """Neither may be left out in favour of the other while that one is being left out, too."""
    proxies = [FaultyProxy(URLS[ONE]), FaultyProxy(URLS[TWO])]
    engine, policy, _ = connect(*(proxy.url for proxy in proxies), retry_s=0.3)
    engine.sync(policy, 0)
    # A slow note holds the first thread up just after it has left a server out.
    engine.note = lambda line: time.sleep(0.1)
    for proxy in proxies:
        proxy.fail(500, COMPLETIONS, WEIGHT_INFO)
    with pytest.raises(RunError, match="--resume"):
        engine.groups(PROMPTS, 2, SAMPLING, seed=6)


def test_the_probe_finds_one_server_with_old_weights_among_several(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes new weights and keeps the old ones: the others' right answers must not hide that."""
    engine, policy, _ = connect(URLS[ONE], URLS[TWO])
    engine.sync(policy, 0)
    server = engine.servers[1]
    put = server.put
    assert engine._file is not None
    old = engine._folder / "old.safetensors"
    old.write_bytes(engine._file.read_bytes())
    change_weights(policy)
    monkeypatch.setattr(server, "put", lambda path, version, shape: put(old, version, shape))
    with pytest.raises(RunError, match="differ from the trainer's"):
        engine.sync(policy, 1)
    assert engine.probe_mismatch is not None
    assert engine.probe_mismatch > 0.05


@pytest.mark.parametrize("differences", [(math.nan, 0.0), (0.0, math.nan)])
def test_a_server_that_gives_nan_is_not_hidden_by_a_right_one(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, differences: tuple[float, float]
) -> None:
    engine, policy, _ = connect(URLS[ONE], URLS[TWO])
    of_servers = iter(differences)
    monkeypatch.setattr(CopyEngine, "probe", lambda self: next(of_servers))
    with pytest.raises(RunError, match="by nan nats"):
        engine.sync(policy, 0)


def test_weights_from_another_run_are_noticed(connect: Connect) -> None:
    """It puts its weights on the same server between our sync and our sampling."""
    engine, policy, notes = connect(URLS[ONE])
    engine.sync(policy, 0)
    other, changed_policy, _ = connect(URLS[ONE])
    change_weights(changed_policy)
    other.sync(changed_policy, 0)
    long = SamplingConfig(max_new_tokens=120)  # so that many are under way when the first one is found out
    groups = engine.groups(PROMPTS * 6, 4, long, seed=6)
    assert largest_difference(policy, groups) < 1e-4
    for completion in (c for group in groups for c in group):
        if completion.finish_reason == "length":
            assert len(completion.token_ids) == 120
        else:
            assert completion.token_ids[-1] in policy.eos_ids
    assert any("sent again" in note for note in notes)


def test_a_server_that_is_killed_and_started_again_gets_its_weights_again(
    connect: Connect, servers: RealServers
) -> None:
    """Its prompts go to the other server meanwhile; after the start it has the weights of its folder."""
    engine, policy, notes = connect(URLS[ONE], URLS[TWO], retry_s=120)
    change_weights(policy)
    engine.sync(policy, 0)
    prompts = [LONG, SHORT] * 40
    sampling = SamplingConfig(max_new_tokens=200)
    expected = engine.groups(prompts, 4, sampling, seed=7)
    arriving = engine.generate(prompts, 4, sampling, seed=7)
    arrived = [next(arriving)]
    servers.kill(TWO)
    servers.start(TWO)
    arrived += list(arriving)
    by_place = dict(arrived)
    assert sorted(by_place) == list(range(len(prompts)))
    groups = [by_place[place] for place in range(len(prompts))]
    assert largest_difference(policy, groups) < 1e-4
    pairs = [
        (ours, theirs)
        for group, other in zip(token_ids_of(groups), token_ids_of(expected), strict=True)
        for ours, theirs in zip(group, other, strict=True)
    ]
    same = sum(ours == theirs for ours, theirs in pairs)
    assert same >= 0.9 * 4 * len(prompts), "a prompt has the same seed on every server"
    servers.wait_for(TWO)
    assert largest_difference(policy, engine.groups(prompts, 2, SAMPLING, seed=8)) < 1e-4
    deadline = time.monotonic() + 60  # the other server may have been quicker than the restoration
    while not any("sent again" in note for note in notes):
        assert time.monotonic() < deadline, notes
        time.sleep(0.1)


def _run_on(proxy: FaultyProxy, model: Path, folder: Path) -> dict[str, Any]:
    """Write a small task; return a run of 10,000 steps on it whose only server is behind the proxy."""
    rows = [{"prompt": f"{i}+{i}=", "reference": str(2 * i)} for i in range(20)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "t.yaml").write_text(
        "name: t\ndata: {path: rows.jsonl}\nproblem: {reference: '{{ reference }}'}\n"
        "rewards: {digits: {use: length, target: 6, unit: tokens}}\n"
    )
    return {
        "tasks": [str(folder / "t.yaml")],
        "policy": {"model": str(model)},
        "algorithm": {"group_size": 4, "groups_per_step": 2, "steps": 10_000, "lr": 1e-3, "kl_coef": 0.0},
        "sampling": {"max_new_tokens": 12},
        "save": {"every": 1},
        "out": str(folder / "run"),
        "engine": {"kind": "vllm_http", "urls": [proxy.url], "retry_s": 1},
    }


def test_a_run_whose_only_server_fails_stops_and_can_be_resumed(servers: RealServers, tmp_path: Path) -> None:
    """Nothing is learned from the step in which the server fails."""
    proxy = FaultyProxy(URLS[ONE])
    run = _run_on(proxy, servers.folder, tmp_path)

    def fail_after_two_steps() -> None:
        while not (tmp_path / "run/checkpoints/step-000002").exists():
            time.sleep(0.01)
        proxy.fail("cut", COMPLETIONS, WEIGHT_INFO, HEALTH)

    threading.Thread(target=fail_after_two_steps, daemon=True).start()
    with pytest.raises(RunError, match="--resume"):
        train(run)
    assert COMPLETIONS in proxy.seen
    proxy.recover()
    done = json_lines(tmp_path / "run/metrics.jsonl")[-1]["step"]
    result = train(tmp_path / "run", resume=True, overrides=[f"algorithm.steps={done + 2}"])
    rows = json_lines(tmp_path / "run/metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, done + 3))
    assert result.summary["steps"] == done + 2
    assert all(row.get("mismatch_max", 0) < 1e-4 for row in rows)
