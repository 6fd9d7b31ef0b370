"""Real vLLM beside transformers: stop texts, adapters, SmolLM2's prompts; and servers that die or outlive their run.

Runs where vLLM is installed (`make test-slow` makes such an environment).
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gradients import CPU
from kills import shared_memory
from markscheme.tasks import Problem, load_task
from markscheme.trainer.config.run_config import EngineConfig, PolicyConfig, SamplingConfig
from markscheme.trainer.engines import vllm_local
from markscheme.trainer.engines.hf import HfEngine
from markscheme.trainer.engines.vllm_servers import VllmServers
from markscheme.trainer.models.built_in.smollm2 import smollm2_policy
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.prompts import encode_prompt
from processes import descendants_of, left_after
from small_runs import small_run, wait_for, write_task
from support import small_policy
from vllm_engines import (
    LONG,
    ONE,
    SHAPE,
    SHORT,
    STOPS,
    URLS,
    Connect,
    check_five_updates,
    check_stops,
    largest_difference,
    random_policy,
)

pytest.importorskip("vllm", reason="vLLM is not installed here: `make test-slow` has an environment")
pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("default")]


def test_stop_texts_end_completions_on_servers(connect: Connect) -> None:
    engine, policy, _ = connect(URLS[ONE])
    engine.sync(policy, 0)
    groups = engine.groups([LONG, SHORT], 16, STOPS, seed=3)
    assert check_stops(policy, groups) >= 4
    assert largest_difference(policy, groups) < 1e-4


def test_stop_texts_end_completions_in_process(tmp_path: Path) -> None:
    policy = random_policy(tmp_path)
    engine = vllm_local.VllmEngine(EngineConfig(kind="vllm", memory=1), policy)
    try:
        engine.sync(policy, 0)
        groups = engine.groups([LONG, SHORT], 16, STOPS, seed=3)
        assert check_stops(policy, groups) >= 4
        assert largest_difference(policy, groups) < 1e-4
    finally:
        engine.close()


def test_a_policy_from_an_adapter_arrives_merged(tmp_path: Path) -> None:
    base = small_policy(tmp_path / "base", **SHAPE)
    lora = load_policy(PolicyConfig.model_validate({"lora": {"r": 4}}), base, CPU)
    lora.model.save_pretrained(tmp_path / "adapter")
    policy = load_policy(PolicyConfig(model=str(tmp_path / "adapter")), tmp_path / "adapter", CPU)
    engine = vllm_local.VllmEngine(EngineConfig(kind="vllm", memory=1), policy)
    try:
        check_five_updates(engine, policy)
    finally:
        engine.close()


def test_smollm2_reads_and_writes_the_same_in_vllm() -> None:
    """Its own chat template, a begun answer, and a stop text."""
    folder = smollm2_policy()
    policy = load_policy(PolicyConfig(model="smollm2"), folder, CPU)
    task = load_task("sums_in_words")
    question = {"role": "user", "content": "Calculate 12 plus 30. Reply with just the number."}
    prompts = [
        encode_prompt(policy, task, Problem(prompt=messages), max_new_tokens=16)
        for messages in ((question,), (question, {"role": "assistant", "content": "12 + 30 ="}))
    ]
    sampling = SamplingConfig(max_new_tokens=12, stop=(".",))
    engine = vllm_local.VllmEngine(EngineConfig(kind="vllm", memory=1, dtype="float32"), policy)
    try:
        for groups in (
            engine.groups(prompts, 4, sampling, seed=1),
            HfEngine(policy).groups(prompts, 4, sampling, seed=1),
        ):
            assert [group[0].prompt_token_ids for group in groups] == [prompt.token_ids for prompt in prompts]
            assert largest_difference(policy, groups) < 1e-4
    finally:
        engine.close()
    assert prompts[1].prefill == "12 + 30 ="


def test_a_server_of_the_run_that_dies_is_started_again_and_ends_with_the_run(tmp_path: Path) -> None:
    policy, notes, before = random_policy(tmp_path), list[str](), shared_memory()
    others = descendants_of(os.getpid())  # such as servers that other tests use
    engine = VllmServers(EngineConfig(kind="vllm_http", memory=1), policy, notes.append)
    try:
        engine.sync(policy, 0)
        assert engine._own is not None
        for pid in descendants_of(engine._own._kept.process.pid):
            os.kill(pid, signal.SIGKILL)
        groups = engine.groups([LONG, SHORT], 2, SamplingConfig(max_new_tokens=8), seed=1)
        assert largest_difference(policy, groups) < 1e-4
        assert any("it is started again" in note for note in notes)
        started = descendants_of(os.getpid()) - others
    finally:
        engine.close()
    assert left_after(started, 30) == []
    assert shared_memory() == before


def test_a_server_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    write_task(
        tmp_path,
        "from markscheme.rewards import reward\n@reward('length')\ndef length(problem, completion):\n"
        "    return len(completion.text) / 100\n",
        "rewards: {length: {use: 'mine.py:length'}}\n",
    )
    small_policy(tmp_path / "policy", **SHAPE)
    run = small_run(
        tmp_path,
        engine={"kind": "vllm_http", "memory": 1},
        algorithm={"steps": 1000},
        eval=[],
        save={"every": 1},
    )
    before = shared_memory()
    script = f"from markscheme.trainer import train; train({run!r})"
    with subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not (tmp_path / "run/checkpoints/step-000002").exists():
            wait_for(tmp_path / "run/checkpoints/step-000002", 0.1)
        started = descendants_of(process.pid)
        assert len(started) >= 3, "a keeper of the folder, a keeper of the server, and the server"
        process.kill()
        process.wait()
    assert left_after(started, 30) == []
    assert shared_memory() == before
