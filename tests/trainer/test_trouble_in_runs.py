"""What a reader of a run sees: the first failure by its place, a full disk by its name, a bar that fits, a card."""

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from markscheme.sandbox import MarkschemeError, RunError
from markscheme.trainer import train
from small_runs import assert_equal_weights, json_lines, notes_of, small_run


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let writing fail beyond `size` bytes of a file, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_run_whose_disk_is_full_names_the_file_and_resumes(task_folder: Path) -> None:
    whole = train(small_run(task_folder, "whole")).folder
    folder = train(small_run(task_folder, algorithm={"steps": 3})).folder
    with largest_file(10_000), pytest.raises(MarkschemeError, match=r"run/\S+.*(File too large|resume)"):
        train(folder, resume=True, overrides=["algorithm.steps=6"])
    train(folder, resume=True, overrides=["algorithm.steps=6"])
    assert_equal_weights(folder / "final/model.safetensors", whole / "final/model.safetensors")


def test_the_first_failure_of_a_reward_is_named_with_line_and_row(task_folder: Path) -> None:
    (task_folder / "broken.py").write_text(
        "from markscheme.rewards import reward\n\n@reward('digits')\ndef digits(problem, completion):\n"
        "    return 1 / completion.text.count('a')\n"
    )
    run = small_run(task_folder, eval=[], algorithm={"steps": 1})
    run["task_overrides"] = ["rewards.digits.use=broken.py:digits"]
    first, *_ = notes_of(train(run).folder)
    assert first.startswith("reward 'digits' of digits failed on ")
    assert re.search(r"rows\.jsonl:\d+: ZeroDivisionError: .*broken\.py:5\)", first)


def test_a_run_in_which_every_row_is_left_out_says_so(task_folder: Path) -> None:
    overrides = ["rewards.digits.use=mine.py:always_down"]
    run = small_run(task_folder, eval=[], task_overrides=overrides, algorithm={"steps": 2})
    alarms = json_lines(train(run).folder / "alarms.jsonl")
    assert "scoring failed for 100% of the completions" in alarms[0]["message"]
    with pytest.raises(RunError, match=r"'digits' failed on 24 of the last 24 .*rows\.jsonl:\d+ among them"):
        train({**run, "out": str(task_folder / "bug"), "task_overrides": [f"{overrides[0][:-4]}none"]})


def test_the_final_folder_has_a_card_of_the_run(task_folder: Path) -> None:
    folder = train(small_run(task_folder)).folder
    card = (folder / "final/README.md").read_text()
    evaluations = json_lines(folder / "eval.jsonl")
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "| digits | mine.py:digits | 1.0 |" in card
    for row in evaluations:
        assert f"| {row['step']} | {row['pass_at_1']:.3f} |" in card
    assert card.endswith("## Alarms\n\nNone was raised.\n")


def printed_on_a_terminal(columns: int, code: str) -> str:
    """Run Python code on a terminal of so many columns; return what it wrote."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.pop("COLUMNS", None)
        os.execv(sys.executable, [sys.executable, "-c", code])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    said = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        said += piece
    os.waitpid(child, 0)
    return said.decode()


def test_the_bar_fits_a_terminal_of_80_columns() -> None:
    code = (
        "import time; time.sleep(0.3)\n"  # until the terminal has its size
        "from markscheme.trainer.run.progress import terminal_progress\n"
        "bar = terminal_progress(1000)\n"
        "metrics = {name: 12345.678 for name in ('reward', 'accuracy', 'step_mark', 'flat_groups', 'kl',"
        " 'entropy', 'time_tokens_per_second', 'watch/answer')}\n"
        "for step in range(1, 9): bar.step(step, metrics)\n"
        "bar.close(); print('done')\n"
    )
    said = printed_on_a_terminal(80, code)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    lines = [line for line in re.split(r"[\r\n]+", plain) if "steps" in line]
    assert "8/1000 steps" in lines[-1]
    assert "reward 12345.678" in lines[-1]
    assert max(map(len, lines)) <= 80
    assert plain.rstrip().endswith("done")
