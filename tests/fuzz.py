"""Mutated task files, run files, rows and settings, and what the library says to them: never a traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from markscheme.rewards import MarkScheme, check_task
from markscheme.sandbox import MarkschemeError
from markscheme.tasks import load_problems, load_task
from markscheme.tasks.load_task import shipped_tasks
from markscheme.trainer.commands.cli import main
from markscheme.trainer.config.run_file import load_run
from markscheme.trainer.run.load_tasks import load_run_tasks

VALUES = (
    "null", "true", "-1", "0", "3", "1e999", ".nan", "''", "[]", "{}", "[1, two]", "{a: 1}", "'{{ x }}'", "'{{'",
    "{{ prompt }}", "'{% if %}'", "🙂", '"\\ud800"', "1e-400", "99999999999999999999", "answer", "no:such", "mine.py:x",
    "'\\x00'", "!!python/object:os.system", "&a [*a]", "2026-01-01", "yes", "0x10", "- 1", ": :", "x" * 3000,
)  # fmt: skip
TASK = """\
name: fuzzed
version: 1
data: {path: rows.jsonl, held_out: 0.3, shuffle: true, seed: 1}
problem:
  prompt: "{{ question }}"
  reference: "{{ answer }}"
  info: {kind: "{{ kind }}"}
system: Think first.
extract: strict
thinking: [think]
rewards:
  correct: {use: answer, weight: 0.9}
  format: {use: think_answer, weight: 0.1, when: correct, on_failure: {no_answer: 0}}
  length: {use: ensemble, of: [answer, exact_match], reduce: mean, weight: {0: 0, 10: 1}, ramp: true}
  routed: {use: exact_match, when: {kind: [a, b]}, clip: [0, 1]}
watch: {truth: {use: exact_match}}
process: {use: step_checker, check: arithmetic, split: lines, credit: clip}
combine: sum
limits: {cpu_s: 2}
check: {probes: {floor: 0.5}}
"""
RUN = """\
tasks: {addition: 2, fuzzed.yaml: 1}
policy: {model: tiny, lora: {r: 4}, template: {enable_thinking: false}}
algorithm: {preset: dapo, mode: outcome, group_size: 8, groups_per_step: 4, steps: 3, lr: 1.0e-4, betas: [0.9, 0.95]}
sampling: {temperature: 1.0, max_new_tokens: 72, stop: [x], truncated: mask}
data: {drop_long_prompts: true}
engine: {kind: hf, max_rows: 16}
eval: [{task: addition, split: test, n: 4, every: 10, limit: 5}]
save: {every: 10, keep: 2}
trackers: [tensorboard, {use: wandb, project: x}]
seed: 3
threads: 1
"""
ROWS = [
    {
        "question": f"What is {i} + {i}?",
        "answer": str(2 * i),
        "kind": "ab"[i % 2],
        "completion": f"\\boxed{{{2 * i}}}",
    }
    for i in range(8)
]
SETTINGS = (
    "rewards.correct.weight", "rewards.format.when", "data.path", "data.limit", "problem.prompt", "extract", "combine",
    "rewards", "watch", "process.check", "limits.cpu_s", "system", "version", "name", "rewards.correct.use", "check.probes",
    "rewards.length.of.0", "rewards.length.of.7.x", "no.such.key", "rewards.correct.on_failure.bug", "=", "a", "data..x",
)  # fmt: skip


def mutated(text: str, rng: Random) -> str:
    """Return a text with one to three changes: lines, values, characters, indentation or its end."""
    lines = text.splitlines()
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(lines))
        change = rng.randrange(8)
        if change == 0 and len(lines) > 1:
            del lines[i]
        elif change == 1:
            lines.insert(i, rng.choice(lines))
        elif change == 2:
            key, colon, _ = lines[i].partition(":")
            lines[i] = f"{key}{colon} {rng.choice(VALUES)}"
        elif change == 3:
            words = lines[i].split(" ")
            words[rng.randrange(len(words))] = rng.choice(VALUES)
            lines[i] = " ".join(words)
        elif change == 4:
            place = rng.randrange(len(lines[i]) + 1)
            lines[i] = lines[i][:place] + rng.choice("{}[]:,'\"\\#&*!|>%@`\t\x00é🙂") + lines[i][place:]
        elif change == 5:
            lines[i] = "  " + lines[i]
        elif change == 6:
            lines[i] = lines[i][: rng.randrange(len(lines[i]) + 1)]
        else:
            place = rng.randrange(len(lines[i]) + 1)
            lines[i] = lines[i][:place] + lines[i][place + 1 :]
    return "\n".join(lines) + "\n"


def _task(folder: Path, rng: Random) -> None:
    shipped = [path for name, path in shipped_tasks().items() if name in ("addition", "records", "deduction")]
    text = rng.choice([TASK, *(path.read_text(encoding="utf-8") for path in shipped)])
    (folder / "fuzzed.yaml").write_text(mutated(text, rng), encoding="utf-8")
    task = load_task(folder / "fuzzed.yaml", allow_code=False)
    check_task(task, limit=5, probes=0)


def _run(folder: Path, rng: Random) -> None:
    (folder / "fuzzed.yaml").write_text(TASK, encoding="utf-8")
    (folder / "run.yaml").write_text(mutated(RUN, rng), encoding="utf-8")
    config = load_run(folder / "run.yaml", overrides=["task.data.limit=5"])
    load_run_tasks(config, allow_code=False)


def _rows(folder: Path, rng: Random) -> None:
    (folder / "fuzzed.yaml").write_text(TASK, encoding="utf-8")
    rows = "\n".join(json.dumps(row) for row in ROWS)
    content = mutated(rows, rng).encode()
    if rng.random() < 0.2:
        content = content[: rng.randrange(len(content))] + bytes([rng.randrange(256)]) + content[3:]
    (folder / "rows.jsonl").write_bytes(content)
    task = load_task(folder / "fuzzed.yaml")
    problems = load_problems(task, limit=5)
    MarkScheme(task)
    assert len(problems) <= 5
    _command("score", str(folder / "fuzzed.yaml"), str(folder / "rows.jsonl"))


def _settings(folder: Path, rng: Random) -> None:
    (folder / "fuzzed.yaml").write_text(TASK, encoding="utf-8")
    chosen = [f"{rng.choice(SETTINGS)}={rng.choice(VALUES)}" for _ in range(rng.randint(1, 2))]
    task = load_task(folder / "fuzzed.yaml", overrides=chosen, allow_code=False)
    check_task(task, limit=5, probes=0)


def _command(*arguments: str) -> None:
    """Run a command, whose errors are printed; an unexpected one would be called a bug."""
    assert main([*arguments, "--no-code"]) in (0, 1, 2, 3)


KINDS: dict[str, Callable[[Path, Random], None]] = {
    "task file": _task,
    "run file": _run,
    "rows": _rows,
    "settings": _settings,
}


def tried(kind: str, folder: Path, seed: int) -> str | None:
    """Try one mutation; return the message of the error that it met, or None.

    Any other exception than one of ours goes through.
    """
    rng = Random(f"{kind}/{seed}")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    try:
        KINDS[kind](folder, rng)
    except MarkschemeError as error:
        return str(error)
    return None


def says_where(message: str) -> bool:
    """Return whether a message names a place: a file, a key or a setting."""
    words: Any = (
        "fuzzed",
        "rows.jsonl",
        "run.yaml",
        "--set",
        "task ",
        "policy.",
        "algorithm",
        "engine",
        "eval",
        "reward",
    )
    return any(word in message for word in words) or ":" in message.splitlines()[0]
