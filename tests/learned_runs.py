"""Small runs whose reward is an outcome reward model that is trained along, and what such a model learns from."""

from pathlib import Path
from random import Random
from typing import Any

from markscheme.rewards.rows.preferences import Preference
from small_runs import small_run, write_task

VERIFIER = (
    "from markscheme.verifiers import verifier\n"
    "@verifier('letter')\n"
    "def letter(problem, completion):\n    return 'k' in completion.text\n"
    "from markscheme.rewards import reward\n"
    "@reward('avoid')\n"
    "def avoid(problem, completion):\n    return float('k' not in completion.text)\n"
)
"""What is right here: a completion with a `k`, as about 40 % of those of the random policy are."""
LEARNED_TASK = (
    "rewards:\n  correct: {use: 'mine.py:letter', weight: 0}\n"
    "  avoid: {use: 'mine.py:avoid', weight: 0}\n  learned: {use: rm, model: rm, calibration: sigmoid}\n"
)
GENTLE: dict[str, Any] = {"iterations": 3, "steps": 2, "lr": 1e-3}


def letter_pairs(count: int, seed: int = 0) -> list[Preference]:
    """Return pairs of random texts of which the better one has a `k`."""
    rng = Random(seed)
    pairs = []
    for i in range(count):
        wrong = "".join(rng.choices("abcdfgh 0123", k=rng.randint(4, 12)))
        place = rng.randrange(len(wrong))
        right = wrong[:place] + "k" + wrong[place + 1 :]
        pairs.append(
            Preference(prompt=f"{i % 6}+{i // 6 % 6}=", chosen=right, rejected=wrong, problem=str(i % 36))
        )
    return pairs


def write_learned_task(folder: Path) -> Path:
    """Write the task, the random policy, a reward model and the pairs that it has learned from."""
    from markscheme.trainer.reward_models.rm_training import RmTraining, train_rm

    write_task(folder, VERIFIER, LEARNED_TASK)
    pairs = letter_pairs(72)
    lines = [pair.model_dump_json(exclude_none=True) + "\n" for pair in pairs]
    (folder / "pairs.jsonl").write_text("".join(lines))
    settings = RmTraining(epochs=4, batch_prompts=8, lr=3e-3, held_out=0.2)
    train_rm(pairs, folder / "policy", folder / "rm", settings, device="cpu")
    return folder


def learned_run(folder: Path, out: str = "run", **changes: Any) -> dict[str, Any]:
    """Return a run of three iterations of two steps, after each of which the reward model is updated."""
    reward_model = {
        "entry": "learned",
        "updates": 4,
        "batch": 4,
        "lr": 1e-3,
        "held_out": 0.3,
        "held_out_prompts": 8,
        "n": 4,
        "history": str(folder / "pairs.jsonl"),
        **changes.pop("reward_model", {}),
    }
    algorithm = {
        **GENTLE,
        "group_size": 4,
        "groups_per_step": 20,
        "kl_coef": 0.01,
        **changes.pop("algorithm", {}),
    }
    return small_run(
        folder, out, **{"eval": [], "algorithm": algorithm, "reward_model": reward_model, **changes}
    )


def differing_files(run: Path, other: Path) -> list[str]:
    """Return which files differ among those that must be equal to the byte: weights, the buffer, two logs."""
    kinds = ("final/*.safetensors", "reward_models/*/*.safetensors", "replay/*", "iterations.jsonl")
    kinds += ("reward_model.jsonl",)
    names = {str(path.relative_to(one)) for one in (run, other) for kind in kinds for path in one.glob(kind)}
    return sorted(name for name in names if _bytes(run / name) != _bytes(other / name))


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
