"""Fixtures of the trainer's tests: small policies, tasks to train on, and real vLLM servers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradients import ARCHITECTURES, CPU
from markscheme.trainer.config.run_config import EngineConfig, PolicyConfig
from markscheme.trainer.engines.vllm_servers import VllmServers
from markscheme.trainer.models.load_policy import load_policy
from markscheme.trainer.models.policy import Policy
from small_runs import DIGIT_REWARDS, LETTER_STEPS, write_task
from support import small_policy
from vllm_engines import ONE, TWO, Connect, RealServers

OUTCOME_REWARDS = """
import math
from markscheme.rewards import reward
from markscheme.sandbox import InfraError

@reward("digits")
def digits(problem, completion):
    return sum(c.isdigit() for c in completion.text) / max(len(completion.text), 1)

@reward("broken")
def broken(problem, completion):
    raise KeyError("no such column")

@reward("always_nan")
def always_nan(problem, completion):
    return math.nan

@reward("always_none")
def always_none(problem, completion):
    return None

@reward("always_down")
def always_down(problem, completion):
    raise InfraError("down")

@reward("miscounting", batch=True)
def miscounting(problems, completions):
    return [1.0]

@reward("half_down")
def half_down(problem, completion):
    if "a" in completion.text:
        raise InfraError("down")
    return digits(problem, completion)

@reward("flat")
def flat(problem, completion):
    return 0.5
"""
STEP_REWARDS = f"""{DIGIT_REWARDS}
from markscheme.sandbox import InfraError

@reward("half_down", steps=True)
def half_down(problem, completion, steps):
    if "a" in completion.text:
        raise InfraError("down")
    return [0.5] * len(steps)

@reward("too_few", steps=True)
def too_few(problem, completion, steps):
    return [1.0] * (len(steps) + 1)
"""


@pytest.fixture
def task_folder(tmp_path: Path) -> Path:
    """A folder with a task that rewards digits, its rewards and rows, and a random policy."""
    task = "rewards: {digits: {use: 'mine.py:digits'}}\nextract: lenient\nwatch: answer\n"
    return write_task(tmp_path, OUTCOME_REWARDS, task)


@pytest.fixture
def step_task_folder(tmp_path: Path) -> Path:
    """A folder with a task that also marks the steps of a completion, and a random policy."""
    process = f"process: {{use: 'mine.py:step_digits', split: {LETTER_STEPS}}}\n"
    return write_task(tmp_path, STEP_REWARDS, "rewards: {digits: {use: 'mine.py:digits'}}\n" + process)


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    """A random policy of every architecture; a test that updates one loads a copy from its `source`."""
    policies = {}
    for name, architecture in ARCHITECTURES.items():
        folder = tmp_path_factory.mktemp("policy")
        small_policy(folder, architecture.model_type, **architecture.settings)
        policies[name] = load_policy(PolicyConfig(model=str(folder)), folder, CPU)
    return policies


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServers]:
    """Two vLLM servers with the same policy, which take long to start."""
    servers = RealServers(tmp_path_factory.mktemp("served"))
    servers.start(ONE)
    servers.start(TWO)
    try:
        servers.wait_for(ONE, TWO)
        yield servers
    finally:
        servers.close()


@pytest.fixture
def connect(servers: RealServers) -> Iterator[Connect]:
    """Connect an engine to some URLs; return it with its own copy of the servers' policy, and its notes."""
    engines: list[VllmServers] = []

    def connected(*urls: str, **config: Any) -> tuple[VllmServers, Policy, list[str]]:
        policy = load_policy(PolicyConfig(model=str(servers.folder)), servers.folder, CPU)
        notes: list[str] = []
        settings = EngineConfig(kind="vllm_http", urls=urls, **config)
        engines.append(VllmServers(settings, policy, notes.append))
        return engines[-1], policy, notes

    yield connected
    for engine in engines:
        engine.close()
