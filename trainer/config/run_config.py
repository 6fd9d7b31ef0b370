"""The grammar of a run file: which tasks, which policy, which algorithm.

TRL's names are accepted for their ours (`TRL_NAMES`); a preset fills what the file leaves open.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ...sandbox.errors import did_you_mean
from ..objective.settings import Aggregate, Correction, Kl, Level, Std
from .presets import PRESETS, preset_values

TRL_NAMES = {
    "num_generations": "group_size",
    "num_iterations": "inner_updates",
    "learning_rate": "lr",
    "max_steps": "steps",
    "beta": "kl_coef",
    "epsilon": "clip_low",
    "epsilon_high": "clip_high",
}
"""TRL's name to ours, under `algorithm:`; `max_completion_length` too is taken there."""


class Section(BaseModel):
    """A part of a run file: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LoraConfig(Section):
    """A low-rank adapter (LoRA, arXiv 2106.09685), through peft; all other weights stay as they are."""

    r: int = Field(default=16, ge=1)
    """The rank."""
    alpha: int = Field(default=32, gt=0)
    """The adapter is scaled by alpha / r."""
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Layers to adapt, by the ends of their names; `all-linear` leaves the LM head out."""


class PolicyConfig(Section):
    """The model that learns."""

    model: str = "tiny"
    """`tiny` (built and warm-started here), a local folder, or a hub id."""
    chat_template: bool = True
    """Put text prompts through the tokenizer's chat template, where it has one."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the computation; weights and optimizer are float32 either way."""
    gradient_checkpointing: bool = False
    """Compute layers again in the backward pass: less memory, about a third more time."""
    lora: LoraConfig | None = None
    """Train an adapter only (`lora: {}` for its defaults); the reference is the policy without it."""


class AlgorithmConfig(Section):
    """GRPO's settings; paper symbols in brackets."""

    preset: str = "deepseekmath"
    """Fills what is not given: `markscheme list presets`."""
    mode: Literal["outcome", "process"] = "outcome"
    """One advantage a completion, or (`process`) one a token, by the tasks' own `process:` sections."""
    steps: int = Field(default=100, ge=0)
    """Sampling steps (M)."""
    group_size: int = Field(default=8, ge=2)
    """Completions of one problem (G); a group of one has no advantage."""
    groups_per_step: int = Field(default=8, ge=1)
    """Problems of one step."""
    inner_updates: int = Field(default=1, ge=1)
    """Passes over each step's completions (mu)."""
    minibatches: int = Field(default=1, ge=1)
    """Optimizer steps of one pass."""
    optimizer: Literal["adamw", "adamw_fused", "adamw_8bit"] = "adamw_fused"
    """torch's AdamW, plain or fused, or bitsandbytes' with 8-bit moments."""
    lr: float = Field(default=1e-6, gt=0)
    """Learning rate of AdamW, the highest of the schedule."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    """Of AdamW."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Of AdamW."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps over which the learning rate rises from 0, linearly."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """What the learning rate does after that: it stays, or falls towards 0, which it does not quite reach."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    clip_low: float = Field(default=0.2, ge=0, le=1)
    """Lower clip of the ratio (epsilon)."""
    clip_high: float = Field(default=0.2, ge=0)
    """Upper clip of the ratio."""
    ratio: Literal["token", "sequence", "none"] = "token"
    """The importance ratio that is clipped: of each token, of the whole completion (GSPO), or none."""
    kl_coef: float = Field(default=0.0, ge=0)
    """Weight of the KL to the reference (beta); 0 = no reference is kept."""
    kl: Kl = "k3"
    """The estimate of the KL."""
    std: Std = "population"
    """See `outcome_advantages`."""
    eps: float = Field(default=0.0, ge=0)
    """Added to the std."""
    aggregate: Aggregate = "sequence_mean"
    """How token losses become one number."""
    constant_length: int | None = Field(default=None, ge=1)
    """For `constant`: tokens to divide each completion by; None = max_new_tokens."""
    correction: Correction = "truncate"
    """Importance weights for an engine whose log-probabilities are not the trainer's own."""
    correction_level: Level = "token"
    """Of the weights; see `importance_weights`."""
    correction_low: float | None = Field(default=None, ge=0)
    """Lower bound of the weights; None = as published (`mask` by token: 0.5)."""
    correction_high: float | None = Field(default=None, gt=0)
    """Upper bound of the weights; None = as published (2 by token, 3 by sequence)."""
    off_policy_delta: float | None = Field(default=None, gt=0)
    """Drop bad completions that the policy has moved away from by this much; see `off_policy_mask`."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        both = [name for name, ours in TRL_NAMES.items() if name in data and ours in data]
        if both:
            raise ValueError(f"{both[0]!r} is TRL's name of {TRL_NAMES[both[0]]!r}; give one of the two")
        data = {TRL_NAMES.get(key, key): value for key, value in data.items()}
        if "clip_low" in data:
            data.setdefault("clip_high", data["clip_low"])
        name = data.get("preset", "deepseekmath")
        if not isinstance(name, str) or name not in PRESETS:
            raise ValueError(
                f"unknown preset {name!r}{did_you_mean(str(name), PRESETS)} (known: {', '.join(PRESETS)})"
            )
        filled = preset_values(name)
        filled.pop("max_new_tokens")
        return {**filled, **data}


class SamplingConfig(Section):
    """How completions are sampled."""

    temperature: float = Field(default=1.0, ge=0)
    """Logits are divided by it; 0 = the likeliest token, for evaluation only."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the smallest set of tokens with this probability."""
    max_new_tokens: int = Field(default=1024, ge=1)
    """Longer completions are cut."""


class EngineConfig(Section):
    """What samples."""

    kind: Literal["hf", "vllm", "vllm_http"] = "hf"
    """`hf`: transformers, on the policy's own weights; `vllm`: in this process; `vllm_http`: servers."""
    max_rows: int = Field(default=256, ge=1)
    """Completions that are sampled at once."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Of vLLM's weights; None = the policy's `dtype`."""
    memory: float = Field(default=0.4, gt=0)
    """vLLM's share of a GPU's memory; on a CPU, gigabytes for keys and values."""
    urls: tuple[str, ...] = ()
    """Servers that are running (`vllm_http`), such as http://127.0.0.1:8000; empty = start one."""
    weights_folder: str | None = None
    """Where weights are put for servers to read; None = /dev/shm, or else the temporary folder."""
    timeout_s: float = Field(default=600, gt=0)
    """How long a server may take for one request."""
    retry_s: float = Field(default=60, ge=0)
    """How long servers that fail are tried again before the run stops."""
    max_mismatch: float | None = Field(default=None, gt=0)
    """Nats by which the probe's tokens may differ on average; None = 0.001 in float32, else 0.3."""

    @model_validator(mode="after")
    def _urls_are_servers(self) -> "EngineConfig":
        if self.urls and self.kind != "vllm_http":
            raise ValueError(f"engine.urls are vLLM servers: they need kind: vllm_http (given: {self.kind})")
        return self


class EvalConfig(Section):
    """One held-out evaluation: before the first step, after the last, and in between."""

    task: str
    """A task's name or file."""
    split: str = "test"
    """Its split; never overlaps with what is trained on."""
    n: int = Field(default=4, ge=1)
    """Samples a problem, beside one greedy answer."""
    every: int = Field(default=0, ge=0)
    """Steps between evaluations; 0 = before and after only."""
    limit: int | None = Field(default=200, ge=1)
    """At most this many problems."""


class SaveConfig(Section):
    """Checkpoints."""

    every: int = Field(default=10, ge=1)
    """Steps between checkpoints; one more is written at the end."""
    keep: int = Field(default=2, ge=1)
    """How many to keep."""


class RunConfig(Section):
    """One training run: the content of a run file."""

    tasks: dict[str, float]
    """Tasks by name or file, with the share of groups that each gets. A list means equal shares."""
    policy: PolicyConfig = PolicyConfig()
    """The model that learns."""
    algorithm: AlgorithmConfig = AlgorithmConfig()
    """How it learns: a preset, and what differs from it."""
    sampling: SamplingConfig = SamplingConfig()
    """How completions are sampled."""
    engine: EngineConfig = EngineConfig()
    """What samples them."""
    eval: tuple[EvalConfig, ...] = ()
    """Held-out evaluations."""
    save: SaveConfig = SaveConfig()
    """Checkpoints."""
    seed: int = 0
    """Of everything: the tiny policy, the order of problems, sampling."""
    device: str = "auto"
    """`auto` (cuda, else cpu), or a torch device."""
    threads: int = Field(default=1, ge=1)
    """CPU threads. More are slower on a busy machine, and change results in the last bits."""
    microbatch_tokens: int | None = Field(default=None, ge=1)
    """Tokens, padding included, of one forward and backward pass; None = 2048 on a CPU, else 16384."""
    out: str | None = None
    """The run's folder; None = runs/NAME-TIME-sSEED."""
    trackers: tuple[Literal["tensorboard"], ...] = ()
    """Where metrics go besides metrics.jsonl; `tensorboard` writes to a folder of the run's folder."""
    task_overrides: tuple[str, ...] = ()
    """`key=value` settings for every task, as `--set task.key=value` gives them."""

    @field_validator("tasks", mode="before")
    @classmethod
    def _shares(cls, tasks: Any) -> Any:
        if isinstance(tasks, str):
            tasks = [tasks]
        if isinstance(tasks, list):
            by_name: dict[str, Any] = {}
            for item in tasks:
                if not isinstance(item, str | dict):
                    raise ValueError("a task is a name, a file or {name: share}")
                by_name.update(item if isinstance(item, dict) else {item: 1.0})
            tasks = by_name
        if not tasks:
            raise ValueError("name at least one task")
        shares = tasks.values() if isinstance(tasks, dict) else ()
        if not all(isinstance(share, int | float) and 0 < share < float("inf") for share in shares):
            raise ValueError("a task's share must be a positive number, such as {gsm8k: 2, addition: 1}")
        return tasks

    @model_validator(mode="before")
    @classmethod
    def _length(cls, data: Any) -> Any:
        """Let the preset, or TRL's `max_completion_length`, say how long completions may be."""
        if not isinstance(data, dict):
            return data
        algorithm, sampling = data.get("algorithm") or {}, data.get("sampling") or {}
        if not isinstance(algorithm, dict) or not isinstance(sampling, dict):
            return data  # told by the fields' own types
        algorithm, sampling = dict(algorithm), dict(sampling)
        preset = algorithm.get("preset", "deepseekmath")
        length = algorithm.pop("max_completion_length", sampling.pop("max_completion_length", None))
        if length is None and isinstance(preset, str) and preset in PRESETS:
            length = preset_values(preset)["max_new_tokens"]
        return {**data, "algorithm": algorithm, "sampling": {"max_new_tokens": length or 1024, **sampling}}

    @model_validator(mode="after")
    def _can_learn(self) -> "RunConfig":
        if self.sampling.temperature == 0:
            raise ValueError("sampling.temperature 0 makes every group equal: nothing can be learned from it")
        if self.algorithm.minibatches > self.algorithm.groups_per_step * self.algorithm.group_size:
            raise ValueError("algorithm.minibatches is more than there are completions in a step")
        return self

    @property
    def name(self) -> str:
        """The tasks' names, joined."""
        return "+".join(Path(task).stem for task in self.tasks)
