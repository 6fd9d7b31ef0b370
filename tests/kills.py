"""Runs in processes of their own that are ended by signals at chosen or random moments, and resumed until they are done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from processes import descendants_of, left_after

AT_A_MOMENT = """
import os, signal, sys
from markscheme.trainer import train
from markscheme.trainer.loop import checkpoint
from markscheme.trainer.run import records, setup, train as loop

def end_at(module, name, call, number):
    original, calls = getattr(module, name), 0
    def ended(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == call:
            os.kill(os.getpid(), number)
        return original(*args, **kwargs)
    setattr(module, name, ended)
"""
MOMENTS = {
    "before the first checkpoint": "end_at(loop, 'save_checkpoint', 1, {signal})",
    "in a save": "end_at(checkpoint, 'save_file', 2, {signal})",
    "in an evaluation": "end_at(records, 'evaluate', 2, {signal})",
    "in a step": "end_at(loop, 'grpo_step', 4, {signal})",
    "while setting up": "end_at(setup, 'make_engine', 1, {signal})",
}
"""Code that sends a signal to its own process at a moment of a run."""


def run_ended(run: dict[str, Any], moment: str, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Start a run that sends itself a signal at one of `MOMENTS`, and wait for its end."""
    script = AT_A_MOMENT + MOMENTS[moment].format(signal=int(number)) + f"\ntrain({run!r}, progress=True)"
    return _python(script)


def resumed_in_a_process(folder: Path) -> subprocess.CompletedProcess[str]:
    """Resume a run in a process of its own."""
    return _python(f"from markscheme.trainer import train; train({str(folder)!r}, resume=True)")


def _python(script: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)


def shared_memory() -> set[str]:
    """Return the names of the weights that runs have in shared memory."""
    return {path.name for path in Path("/dev/shm").glob("markscheme-*")}


def killed_until_done(
    run: dict[str, Any], *, kills: int, rng: Random, longest_s: float, signals: tuple[signal.Signals, ...]
) -> list[int]:
    """Start a run and end it by signals at random moments, until it has been ended `kills` times; then finish it.

    Returns:
        The pids of processes that a run left behind.
    """
    folder, left = Path(run["out"]), list[int]()
    for kill in range(kills + 1):
        begun = (folder / "run.yaml").exists()
        call = f"train({str(folder)!r}, resume=True)" if begun else f"train({run!r})"
        script = f"from markscheme.trainer import train\nprint('begun', flush=True)\n{call}"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            if kill < kills:
                time.sleep(rng.uniform(0, longest_s))
                started = descendants_of(process.pid)
                process.send_signal(rng.choice(signals))
                process.wait()
                left += left_after(started, 20)
            else:
                assert process.wait() == 0
    return left
