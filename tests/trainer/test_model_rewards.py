"""Settings against the noise of learned rewards: a floor under the std, unanimous groups, the last steps only."""

from pathlib import Path
from typing import Any

import pytest

from learned_runs import learned_run, write_learned_task
from markscheme.rewards import MarkScheme
from markscheme.sandbox import TaskError
from markscheme.trainer import outcome_advantages, train
from markscheme.trainer.config.run_file import load_run
from markscheme.trainer.run.load_tasks import load_run_tasks
from small_runs import metrics_of, scores_of


@pytest.fixture(scope="module")
def learned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_learned_task(tmp_path_factory.mktemp("learned"))


def test_the_std_has_a_floor() -> None:
    noise, signal = [0.51, 0.49], [1.0, 0.0]
    assert outcome_advantages([noise, signal]).tolist()[0] == pytest.approx([1, -1])
    floored = outcome_advantages([noise, signal], std_floor=0.2).tolist()
    assert floored[0] == pytest.approx([0.05, -0.05]), "0.01 / 0.2"
    assert floored[1] == pytest.approx([1, -1])
    assert outcome_advantages(noise, std="none", std_floor=0.2).tolist() == pytest.approx([0.01, -0.01])
    batch = outcome_advantages([[0.5, 0.5], noise], std="batch", std_floor=0.2).tolist()
    assert batch[1] == pytest.approx([0.05, -0.05])
    with pytest.raises(ValueError, match="std_floor must be 0 or more"):
        outcome_advantages([signal], std_floor=-0.1)


@pytest.mark.parametrize("left_out", [False, True])
def test_unanimous_groups_teach_nothing_if_they_are_left_out(left_out: bool, learned_folder: Path) -> None:
    algorithm = {"iterations": 1, "leave_out_unanimous": left_out}
    run = learned_run(learned_folder, f"unanimous-{left_out}", algorithm=algorithm)
    folder = train({**run, "reward_model": None}).folder
    groups: dict[Any, list[Any]] = {}
    for row in scores_of(folder):
        groups.setdefault((row["step"], row["group"]), []).append(row)
    unanimous = [rows for rows in groups.values() if len({row["right"] for row in rows}) == 1]
    assert unanimous, "there must be some"
    sizes = [abs(row["advantage"]) for rows in unanimous for row in rows]
    assert (max(sizes) == 0) == left_out
    assert max(abs(row["advantage"]) for row in scores_of(folder)) > 0.5
    for row in metrics_of(folder):
        assert (row["unanimous_advantage"] == 0) == left_out


def weights(folder: Path, rewards: str, **algorithm: Any) -> dict[str, Any]:
    """Return the declared weights of a task's entries in a run of ten steps."""
    path = folder / "mixed.yaml"
    text = (folder / "digits.yaml").read_text()
    path.write_text(text[: text.index("rewards:")] + "rewards:\n" + rewards)
    run = load_run({"tasks": [str(path)], "algorithm": {"steps": 5, "iterations": 2, **algorithm}})
    (problems,) = load_run_tasks(run, True).trained.values()
    return {name: entry.weight for name, entry in problems.task.rewards.items()}


MIXED = (
    "  correct: {use: 'mine.py:letter'}\n"
    "  learned: {use: rm, model: rm, calibration: sigmoid, weight: 0.5}\n"
    "  both: {use: ensemble, of: [learned, correct], weight: 2}\n"
    "  nested: {use: any_of, of: [{use: ensemble, of: [correct, learned]}], weight: {0: 1, 9: 3}}\n"
)


def test_models_count_in_the_last_steps_only(learned_folder: Path) -> None:
    assert weights(learned_folder, MIXED, model_rewards_last=4) == {
        "correct": 1.0,
        "learned": {0: 0.0, 7: 0.5},
        "both": {0: 0.0, 7: 2.0},
        "nested": {0: 0.0, 7: 1.0, 9: 3.0},
    }
    assert weights(learned_folder, MIXED, model_rewards_last=0)["learned"] == {0: 0.0, 11: 0.5}
    assert weights(learned_folder, MIXED, model_rewards_last=10)["learned"] == 0.5
    assert weights(learned_folder, MIXED)["both"] == 2
    ramp = "  correct: {use: 'mine.py:letter'}\n  learned: {use: rm, model: rm, weight: {0: 0, 10: 1}, ramp: true}\n"
    assert weights(learned_folder, ramp, model_rewards_last=4)["learned"] == {0: 0.0, 6: 0.0, 7: 0.7, 10: 1.0}


def test_a_window_is_seen_in_the_scores(learned_folder: Path) -> None:
    algorithm = {"iterations": 1, "steps": 4, "model_rewards_last": 1}
    run = learned_run(learned_folder, "window", algorithm=algorithm)
    folder = train({**run, "reward_model": None, "task_overrides": ["rewards.correct.weight=1"]}).folder
    by_step = {row["step"]: row["parts"]["learned"]["weight"] for row in scores_of(folder)}
    assert by_step == {1: 0, 2: 0, 3: 0, 4: 1}


def test_the_range_of_a_reward_follows_its_parameters(learned_folder: Path) -> None:
    def range_of(entry: str) -> tuple[float, float]:
        path = learned_folder / "ranges.yaml"
        text = (learned_folder / "digits.yaml").read_text()
        path.write_text(
            text[: text.index("rewards:")] + f"rewards:\n  learned: {{use: rm, model: rm, {entry}}}\n"
        )
        from markscheme.tasks import load_task

        return MarkScheme(load_task(path)).range

    assert range_of("calibration: platt") == (0, 1)
    assert range_of("clip: [-3, 3]") == (-3, 3)
    with pytest.raises(TaskError, match="does not overlap the component's range"):
        range_of("calibration: sigmoid, clip: [2, 3]")
