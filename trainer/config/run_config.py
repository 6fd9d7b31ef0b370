"""The grammar of a run file: which tasks, which policy, which algorithm, and how they are run.

The string under each key is its description in `markscheme schema run`, which editors show.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from .algorithm_config import AlgorithmConfig, Section
from .presets import DEFAULT_PRESET, PRESETS, SAMPLING_KEYS, preset_values
from .reward_model_config import RewardModelConfig

Truncated = Literal["keep", "mask", "leave_out"]
"""What is learned from completions that were cut off; see `SamplingConfig`."""


class LoraConfig(Section):
    """A low-rank adapter (LoRA, arXiv 2106.09685), through peft; all other weights stay as they are."""

    r: int = Field(default=16, ge=1)
    """Rank of the adapter's matrices."""
    alpha: int = Field(default=32, gt=0)
    """The adapter's output is multiplied by alpha / r."""
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Layers to adapt: a list of the ends of their names, or `all-linear`, every linear layer but the LM
    head."""


class PolicyConfig(Section):
    """The model that is trained."""

    model: str = "tiny"
    """A folder, a hub id, or one of two names. `tiny`: a model of 125,000 parameters that is built here for
    the first task. `smollm2`: SmolLM2-135M-Instruct, from the package index (extra `smollm2`). The folder may
    hold an adapter (LoRA): it is merged into its model, or with `lora` trained on."""
    chat_template: bool = True
    """Apply the tokenizer's chat template, where it has one, to prompts that are plain text."""
    template: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the chat template, such as `{enable_thinking: false}`."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the computation; weights and optimizer state are float32 either way."""
    gradient_checkpointing: bool = False
    """Recompute layers in the backward pass: less memory, about a third more time."""
    lora: LoraConfig | None = None
    """Train an adapter only (`lora: {}` for its defaults). The reference is then the policy without it, or,
    if the policy brings the adapter along, the policy as it came."""


class SamplingConfig(Section):
    """How completions are sampled, in training and for evaluations."""

    temperature: float = Field(default=1.0, ge=0)
    """Logits are divided by this. 0 takes the likeliest token, and is refused in training."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the smallest set of tokens whose probability reaches this; 1 = from all tokens."""
    max_new_tokens: int = Field(default=1024, ge=1)
    """Tokens after which a completion is cut off. If it is not given, a run takes the preset's value."""
    stop: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Texts that end a completion, with the token that completes one of them; the text is kept."""
    truncated: Truncated = "keep"
    """Completions that were cut off, in training: `keep` learns from them like from others, `mask` lets them
    count in their group's mean and spread only, `leave_out` not even there."""

    @field_validator("stop", mode="before")
    @classmethod
    def _one_stop(cls, stop: Any) -> Any:
        return (stop,) if isinstance(stop, str) else stop


class EngineConfig(Section):
    """The engine that samples the completions."""

    kind: Literal["hf", "vllm", "vllm_http"] = "hf"
    """`hf`: transformers, on the policy's own weights; `vllm`: in this process; `vllm_http`: vLLM servers."""
    max_rows: int = Field(default=256, ge=1)
    """`hf`: at most this many completions are sampled at once; a single group may exceed it."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """vLLM: precision of its weights; null = `policy.dtype`."""
    memory: float = Field(default=0.4, gt=0)
    """vLLM: share of the GPU's memory that it may take; on a CPU, gigabytes for the KV cache."""
    urls: tuple[str, ...] = ()
    """`vllm_http`: running servers, such as http://127.0.0.1:8000; if there are none, the run starts one."""
    weights_folder: str | None = None
    """`vllm_http`: folder in which new weights are handed to the servers; null = /dev/shm, or else the
    temporary folder."""
    key_env: str = "VLLM_API_KEY"
    """`vllm_http`: the environment variable that holds the servers' key, where they ask for one."""
    timeout_s: float = Field(default=600, gt=0)
    """`vllm_http`: seconds after which a request counts as failed."""
    retry_s: float = Field(default=60, ge=0)
    """`vllm_http`: seconds for which a failing server is retried before it is left out; the run stops when no
    server remains."""
    max_mismatch: float | None = Field(default=None, gt=0)
    """vLLM: after each update, the run stops if the log-probabilities of a few sampled tokens differ from the
    trainer's by more than this on average, in nats; null = 0.001 if both compute in float32, else 0.3."""

    @model_validator(mode="after")
    def _urls_are_servers(self) -> "EngineConfig":
        if self.urls and self.kind != "vllm_http":
            raise ValueError(f"engine.urls are vLLM servers: they need kind: vllm_http (given: {self.kind})")
        return self


class EvalConfig(Section):
    """One held-out evaluation: before the first step, after the last one, and optionally in between."""

    task: str
    """Name or file of the task to evaluate on."""
    split: str = "test"
    """Split of its data. Problems with one of its prompts are not trained on."""
    n: int = Field(default=4, ge=1)
    """Sampled completions per problem, besides one greedy completion."""
    every: int = Field(default=0, ge=0)
    """Training steps between two evaluations; 0 = before the first and after the last step only."""
    limit: int | None = Field(default=200, ge=1)
    """Evaluate on at most this many problems; null = all."""


class DataConfig(Section):
    """Which problems are used; everything else about the data is the tasks' own."""

    drop_long_prompts: bool = False
    """Drop problems whose prompt does not fit into the context together with `sampling.max_new_tokens`. By
    default they are an error."""


class SaveConfig(Section):
    """When checkpoints are written, and how many are kept."""

    every: int = Field(default=10, ge=1)
    """Training steps between two checkpoints; one is also written at the start and one at the end."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints to keep, the newest ones."""


class TrackerConfig(Section):
    """An experiment tracker, through `accelerate.tracking`. Other keys are settings of the backend."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    use: Literal[
        "aim", "clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "tensorboard", "trackio", "wandb"
    ]
    """The backend. `tensorboard` writes to tensorboard/ in the run's folder."""
    project: str = "markscheme"
    """The project that the run belongs to, where the backend has projects."""
    name: str | None = None
    """The run's name; null = the name of its folder."""


class RunConfig(Section):
    """One training run: the content of a run file."""

    tasks: dict[str, float]
    """Tasks to train on, by name or file: a list (equal shares), or `{task: share}` with shares above 0. Each
    group of a step is drawn from the tasks in proportion to their shares."""
    policy: PolicyConfig = PolicyConfig()
    """The model that is trained."""
    algorithm: AlgorithmConfig = AlgorithmConfig()
    """The settings of GRPO: a preset, and what differs from it."""
    sampling: SamplingConfig = SamplingConfig()
    """How completions are sampled."""
    data: DataConfig = DataConfig()
    """Which problems are used."""
    engine: EngineConfig = EngineConfig()
    """The engine that samples the completions."""
    reward_model: RewardModelConfig | None = None
    """A reward model that is trained along with the policy, and guards against its over-optimisation."""
    eval: tuple[EvalConfig, ...] = ()
    """Held-out evaluations. The first one is reported in the run's summary."""
    save: SaveConfig = SaveConfig()
    """When checkpoints are written, and how many are kept."""
    seed: int = 0
    """Seed of the run: of the tiny policy, new adapters, the order of problems, sampling, minibatches."""
    device: str = "auto"
    """torch device: `auto` (cuda if there is one, else cpu), `cpu`, `cuda`, `cuda:1`, ..."""
    threads: int = Field(default=1, ge=1)
    """CPU threads of torch. More can be slower on a busy machine, and change results in the last bits."""
    microbatch_tokens: int | None = Field(default=None, ge=1)
    """The most tokens of one forward and backward pass, prompts and padding included. It bounds the memory
    and leaves the size of an update as it is. null = 2048 on a CPU, else 16384."""
    out: str | None = None
    """The run's folder; null = runs/NAME-TIME-sSEED."""
    trackers: tuple[TrackerConfig, ...] = ()
    """Where metrics go besides metrics.jsonl: names such as `tensorboard`, or `{use: wandb, project: x}`."""
    task_overrides: tuple[str, ...] = ()
    """`key=value` settings for every task, as the command line's `--set task.key=value` gives them."""

    @field_validator("trackers", mode="before")
    @classmethod
    def _by_their_names(cls, trackers: Any) -> Any:
        if isinstance(trackers, list | tuple):
            return [{"use": one} if isinstance(one, str) else one for one in trackers]
        return trackers

    @field_validator("tasks", mode="before")
    @classmethod
    def _with_shares(cls, tasks: Any) -> Any:
        """Turn one name or a list of them into `{name: share}`, and check the shares."""
        if isinstance(tasks, str):
            tasks = [tasks]
        if isinstance(tasks, list):
            tasks = _by_name(tasks)
        if not tasks:
            raise ValueError("name at least one task")
        if isinstance(tasks, dict) and not all(map(_is_share, tasks.values())):
            raise ValueError("a task's share must be a positive number, such as {gsm8k: 2, addition: 1}")
        return tasks

    @model_validator(mode="before")
    @classmethod
    def _with_length(cls, data: Any) -> Any:
        """Fill in `sampling:` from the preset, and its length from TRL's `max_completion_length`."""
        if not isinstance(data, dict):
            return data
        algorithm = data.get("algorithm") or {}
        sampling = data.get("sampling") or {}
        if not isinstance(algorithm, dict) or not isinstance(sampling, dict):
            return data  # the fields' own types will report it
        algorithm, sampling = dict(algorithm), dict(sampling)
        in_sampling = sampling.pop("max_completion_length", None)
        length = algorithm.pop("max_completion_length", in_sampling)
        given = {} if length is None else {"max_new_tokens": length}
        preset = _preset_sampling(algorithm.get("preset", DEFAULT_PRESET))
        return {**data, "algorithm": algorithm, "sampling": {**preset, **given, **sampling}}

    @model_validator(mode="after")
    def _can_learn(self) -> "RunConfig":
        if self.sampling.temperature == 0:
            raise ValueError(
                "sampling.temperature 0 samples equal completions, from which nothing can be learned; give a"
                " temperature above 0"
            )
        completions = self.algorithm.groups_per_step * self.algorithm.group_size
        if self.algorithm.minibatches > completions:
            raise ValueError(
                f"algorithm.minibatches must not exceed the completions of a step, {completions}"
                f" (given: {self.algorithm.minibatches})"
            )
        return self

    @property
    def name(self) -> str:
        """The tasks' names, joined by `+`."""
        return "+".join(Path(task).stem for task in self.tasks)


def _by_name(tasks: list[Any]) -> dict[str, Any]:
    """Return the shares of listed tasks; one that is listed by its name alone has share 1."""
    shares: dict[str, Any] = {}
    for item in tasks:
        if not isinstance(item, str | dict):
            raise ValueError("expected a task's name or file, or {name: share}")
        shares.update(item if isinstance(item, dict) else {item: 1.0})
    return shares


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value < math.inf


def _preset_sampling(preset: Any) -> dict[str, Any]:
    """Return a preset's values for `sampling:`; an unknown preset is reported by its own field, not here."""
    known = preset if isinstance(preset, str) and preset in PRESETS else DEFAULT_PRESET
    return {key: value for key, value in preset_values(known).items() if key in SAMPLING_KEYS}
