"""The grammar of `algorithm:` in a run file: the settings of GRPO, filled in from a preset.

TRL's names are accepted as aliases of ours (`TRL_NAMES`). The defaults below are those of the default preset,
and are overridden by the values of whichever preset a run names.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...sandbox.errors import did_you_mean
from ..objective.settings import Aggregate, Correction, Kl, Level, Std
from .presets import DEFAULT_PRESET, PRESETS, SAMPLING_KEYS, preset_values

TRL_NAMES = {
    "num_generations": "group_size",
    "num_iterations": "inner_updates",
    "learning_rate": "lr",
    "max_steps": "steps",
    "beta": "kl_coef",
    "epsilon": "clip_low",
    "epsilon_high": "clip_high",
}
"""TRL's name of each key to ours. `RunConfig` also accepts TRL's `max_completion_length`."""


class Section(BaseModel):
    """A section of a run file. It is frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class AlgorithmConfig(Section):
    """The settings of GRPO. Keys that are not given have the values of `preset`.

    The symbols in brackets are those of DeepSeekMath (arXiv 2402.03300).
    """

    preset: str = DEFAULT_PRESET
    """Values for the keys that are not given. `markscheme list presets` shows them with their sources."""
    mode: Literal["outcome", "process"] = "outcome"
    """`outcome`: all tokens of a completion share one advantage, from its reward. `process`: each token has
    its own, which also depends on the marks of the steps; every task then needs a `process:` section."""
    steps: int = Field(default=100, ge=0)
    """Training steps (M) of an iteration. In each, a batch of completions is sampled, scored and learned
    from."""
    iterations: int = Field(default=1, ge=1)
    """Iterations (I), each of `steps` steps. At the start of each, the policy becomes the reference; at its
    end, a reward model that learns along is updated."""
    group_size: int = Field(default=64, ge=2)
    """Completions per problem (G), 2 or more, since an advantage compares the completions of one problem."""
    groups_per_step: int = Field(default=16, ge=1)
    """Problems per training step."""
    inner_updates: int = Field(default=1, ge=1)
    """Passes over each step's completions (mu)."""
    minibatches: int = Field(default=1, ge=1)
    """Optimizer steps per pass: the completions are split into this many parts of nearly equal size."""
    optimizer: Literal["adamw", "adamw_fused", "adamw_8bit"] = "adamw_fused"
    """AdamW of torch (`adamw`), torch's fused AdamW, or that of bitsandbytes with 8-bit moments."""
    lr: float = Field(default=1e-6, gt=0)
    """Learning rate at the end of the warm-up, which is the highest of the schedule."""
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.999)
    """AdamW's decay rates of the first and the second moment, each from 0 to below 1."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's weight decay: each optimizer step multiplies the weights by 1 - lr * weight_decay."""
    warmup_steps: int = Field(default=0, ge=0)
    """Training steps over which the learning rate rises linearly to `lr`."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """Learning rate after the warm-up: `constant`, or falling along a line or a cosine. It would reach 0 one
    step after the last one, so the last step still learns."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients with a larger L2 norm, over all parameters, are scaled down to this norm."""
    clip_low: float = Field(default=0.2, ge=0, le=1)
    """The ratio is clipped below at 1 - clip_low (epsilon); from 0 to 1."""
    clip_high: float = Field(default=0.2, ge=0)
    """The ratio is clipped above at 1 + clip_high (epsilon). If only `clip_low` is given, both are equal."""
    ratio: Literal["token", "sequence", "none"] = "token"
    """Importance ratio pi / pi_old: one per `token`; one per completion, the geometric mean over its tokens
    (`sequence`: GSPO); or `none`, which is REINFORCE, without a clip."""
    kl_coef: float = Field(default=0.04, ge=0)
    """Weight of the KL divergence from the reference policy (beta). With 0 no reference is kept."""
    kl: Kl = "k3"
    """Estimator of the KL: `k1`, `k2`, `k3` (equation 4 of the paper), or `k3_ratio` (k3 times the ratio)."""
    std: Std = "population"
    """Divisor of the advantages: the standard deviation of a group's rewards (`population`, or `sample` with
    Bessel's correction), that of all rewards of the step (`batch`), or no division (`none`)."""
    eps: float = Field(default=0.0, ge=0)
    """Added to the standard deviation that advantages are divided by."""
    std_floor: float = Field(default=0.0, ge=0)
    """The standard deviation that advantages are divided by counts as at least this. The scores of a model
    never tie, so without a floor the noise of a group that is all right gets advantages of full size."""
    leave_out_unanimous: bool = False
    """Leave out groups whose completions are all right or all wrong by the task's verifiers, however their
    rewards differ."""
    model_rewards_last: int | None = Field(default=None, ge=0)
    """Entries that are judged by a model (`rm`, `prm`, `judge`, and composites of them) have weight 0 except
    in the last so many steps of the run, as in DeepSeek-R1; null = they count from the start."""
    aggregate: Aggregate = "sequence_mean"
    """How the losses of tokens become one number: the mean over each completion, then over completions
    (`sequence_mean`: the paper's); the mean over all tokens (`token_mean`: DAPO); or each completion's sum
    divided by `constant_length`, then the mean over completions (`constant`: Dr. GRPO)."""
    constant_length: int | None = Field(default=None, ge=1)
    """Tokens by which `aggregate: constant` divides; null = `sampling.max_new_tokens`."""
    correction: Correction = "truncate"
    """Importance weights pi_old / mu for engines whose log-probabilities (mu) are not exactly the trainer's
    (pi_old): clamped to the bounds (`truncate`), set to 0 outside of them (`mask`), or not used (`none`)."""
    correction_level: Level = "token"
    """One weight per `token`, or one per completion (`sequence`): the product over its tokens."""
    correction_low: float | None = Field(default=None, ge=0)
    """Lower bound of the weights; null = as published: 0.5 for `mask` by token, else 0."""
    correction_high: float | None = Field(default=None, gt=0)
    """Upper bound of the weights; null = as published: 2 by token, 3 by sequence."""
    off_policy_delta: float | None = Field(default=None, gt=0)
    """Completions with a negative advantage get weight 0 if the mean of log(mu / pi) over their tokens is
    above this, in nats (DeepSeek-V3.2, equation 9); null = none are dropped in this way."""

    @property
    def total_steps(self) -> int:
        """The training steps of all iterations."""
        return self.iterations * self.steps

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        """Translate TRL's names, and fill in the preset's values."""
        if not isinstance(data, dict):
            return data
        given = dict(data)
        for theirs, ours in TRL_NAMES.items():
            if theirs in given and ours in given:
                raise ValueError(f"{theirs!r} is TRL's name of {ours!r}; give one of the two")
            if theirs in given:
                given[ours] = given.pop(theirs)
        if "clip_low" in given:
            given.setdefault("clip_high", given["clip_low"])
        return {**_preset_of(given), **given}


def _preset_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the preset that the mapping names, or of the default one.

    Raises:
        ValueError: there is no such preset.
    """
    name = given.get("preset", DEFAULT_PRESET)
    if not isinstance(name, str) or name not in PRESETS:
        raise ValueError(
            f"unknown preset {name!r}{did_you_mean(str(name), PRESETS)} (known: {', '.join(PRESETS)})"
        )
    values = preset_values(name)
    # Keys of `sampling:` are filled in by `RunConfig`.
    return {key: value for key, value in values.items() if key not in SAMPLING_KEYS}
