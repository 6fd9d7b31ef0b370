"""The settings of a run: presets, names that TRL uses, defaults, and the schedules of the learning rate."""

from typing import Any

import pytest

from markscheme.trainer.config.algorithm_config import AlgorithmConfig
from markscheme.trainer.config.effects import without_effect
from markscheme.trainer.config.presets import DEFAULT_PRESET, preset_values
from markscheme.trainer.config.run_config import RunConfig, SamplingConfig
from markscheme.trainer.config.run_file import load_run
from markscheme.trainer.models.optimizer import rate_at

# From the papers that `trainer/config/presets.py` names for each value, and for `trl` from TRL 1.16.
PAPERS: list[tuple[str, dict[str, Any]]] = [
    ("deepseekmath", {
        "lr": 1e-6, "kl_coef": 0.04, "group_size": 64, "groups_per_step": 16, "inner_updates": 1,
        "std": "population", "aggregate": "sequence_mean", "kl": "k3",
    }),
    ("trl", {"std": "sample", "eps": 1e-4, "aggregate": "token_mean", "kl": "k3_ratio", "kl_coef": 0.0}),
    ("dr_grpo", {"std": "none", "aggregate": "constant"}),
    ("dapo", {"clip_low": 0.2, "clip_high": 0.28, "aggregate": "token_mean", "group_size": 16}),
    ("zscore", {"ratio": "none", "aggregate": "constant", "constant_length": 1}),
    ("deepseekmath_iterative", {"iterations": 2, "lr": 1e-6, "kl_coef": 0.04, "group_size": 64}),
    ("r1_stage1", {"lr": 3e-6, "kl_coef": 0.001, "group_size": 16, "clip_high": 10.0, "minibatches": 16}),
    ("r1_stage2", {"steps": 106, "model_rewards_last": 25, "iterations": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "values"), PAPERS)
def test_presets_have_the_values_of_the_papers(preset: str, values: dict[str, Any]) -> None:
    algorithm = AlgorithmConfig(preset=preset)
    assert {key: getattr(algorithm, key) for key in values} == values
    assert AlgorithmConfig(preset=preset, lr=3e-4).lr == 3e-4


def test_presets_may_say_how_to_sample() -> None:
    run = {"tasks": ["x"], "algorithm": {"preset": "r1_stage2"}}
    assert RunConfig.model_validate(run).sampling.temperature == 0.7
    assert RunConfig.model_validate({**run, "sampling": {"temperature": 0.9}}).sampling.temperature == 0.9
    assert RunConfig.model_validate({"tasks": ["x"]}).sampling.temperature == 1.0


def test_the_defaults_of_the_schema_are_those_of_the_default_preset() -> None:
    """`markscheme schema run` shows the defaults of the fields, which the preset overrides."""
    fields = {**AlgorithmConfig.model_fields, **SamplingConfig.model_fields}
    values = preset_values(DEFAULT_PRESET)
    assert {key: fields[key].default for key in values} == values
    assert AlgorithmConfig().preset == DEFAULT_PRESET


def test_every_key_of_a_run_file_is_described() -> None:
    schema = RunConfig.model_json_schema()
    definitions = schema["$defs"]
    for name, section in {**definitions, "RunConfig": schema}.items():
        for key, field in section["properties"].items():
            description = field.get("description")
            if not description:  # the key of a section is described by the section itself
                description = definitions[field["$ref"].split("/")[-1]]["description"]
            assert len(description) > 15, f"{name}.{key}"


def test_a_name_of_trl_beside_ours_is_refused() -> None:
    with pytest.raises(ValueError, match="'beta' is TRL's name of 'kl_coef'; give one of the two"):
        AlgorithmConfig.model_validate({"beta": 0.1, "kl_coef": 0.1})


def test_the_length_of_completions_comes_from_either_name_or_from_the_preset() -> None:
    def max_new_tokens(**sections: dict[str, object]) -> int:
        return RunConfig.model_validate({"tasks": ["x"], **sections}).sampling.max_new_tokens

    assert max_new_tokens() == 1024
    assert max_new_tokens(algorithm={"preset": "trl"}) == 512
    assert max_new_tokens(algorithm={"max_completion_length": 7}) == 7
    assert max_new_tokens(sampling={"max_completion_length": 7}) == 7
    assert max_new_tokens(algorithm={"preset": "trl"}, sampling={"max_new_tokens": 7}) == 7
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        max_new_tokens(algorithm={"max_completion_length": 0})


def test_the_names_of_trl_are_accepted() -> None:
    algorithm = AlgorithmConfig.model_validate({
        "num_generations": 4, "num_iterations": 2, "learning_rate": 1e-3, "max_steps": 7,
        "beta": 0.1, "epsilon": 0.3, "epsilon_high": 0.4,
    })  # fmt: skip
    assert algorithm.group_size == 4
    assert algorithm.inner_updates == 2
    assert algorithm.lr == 1e-3
    assert algorithm.steps == 7
    assert algorithm.kl_coef == 0.1
    assert algorithm.clip_low == 0.3
    assert algorithm.clip_high == 0.4


def test_learning_rate_schedules() -> None:
    def rates(**algorithm: object) -> list[float]:
        settings: Any = {"steps": 6, "lr": 1.0, "warmup_steps": 2, **algorithm}
        return [rate_at(step, **settings) for step in range(1, 8)]

    # Step 6 is the last one and still learns; the rate would be 0 at step 7.
    assert rates(schedule="constant") == [0.5, 1, 1, 1, 1, 1, 1]
    assert rates(schedule="linear") == [0.5, 1, 1, 0.75, 0.5, 0.25, 0]
    assert rates(schedule="cosine") == pytest.approx([0.5, 1, 1, 0.8535534, 0.5, 0.1464466, 0])


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            ["algorithm.constant_length=64"],
            "algorithm.constant_length 64 has no effect with algorithm.aggregate",
        ),
        (
            ["algorithm.kl_coef=0", "algorithm.kl=k2"],
            "algorithm.kl k2 has no effect while algorithm.kl_coef is 0",
        ),
        (
            ["algorithm.preset=dapo", "algorithm.steps=10", "algorithm.warmup_steps=20"],
            "algorithm.lr is never reached",
        ),
        (["engine.retry_s=5"], "engine.retry_s 5.0 has no effect with engine.kind hf"),
    ],
)
def test_settings_without_effect_are_told(overrides: list[str], told: str) -> None:
    assert any(line.startswith(told) for line in without_effect(load_run("addition", overrides=overrides)))
    assert without_effect(load_run("addition")) == []
