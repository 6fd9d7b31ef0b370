"""Finding settings of a run that its other settings make ineffective."""

from collections.abc import Iterator

from .presets import preset_values
from .run_config import RunConfig


def without_effect(config: RunConfig) -> list[str]:
    """Return a line for each setting that was given and changes nothing.

    >>> from markscheme.trainer.config.run_file import load_run
    >>> without_effect(load_run("addition", overrides=["algorithm.kl_coef=0", "algorithm.kl=k1"]))
    ['algorithm.kl k1 has no effect while algorithm.kl_coef is 0']
    """
    preset = preset_values(config.algorithm.preset)
    lines = []
    for section, key, why in _unused(config):
        value = getattr(getattr(config, section), key)
        default = type(getattr(config, section)).model_fields[key].get_default(call_default_factory=True)
        expected = preset.get(key, default) if section == "algorithm" else default
        if value != expected:
            lines.append(f"{section}.{key} {value} has no effect {why}")
    warmup, steps = config.algorithm.warmup_steps, config.algorithm.total_steps
    if warmup > steps > 0:  # told also where the preset brings it
        lines.append(
            f"algorithm.lr is never reached: algorithm.warmup_steps {warmup} exceeds the {steps} steps"
        )
    return lines


def _unused(config: RunConfig) -> Iterator[tuple[str, str, str]]:
    """Yield (section, key, reason) for every key that the other settings make useless, given or not."""
    algorithm, engine = config.algorithm, config.engine
    if algorithm.aggregate != "constant":
        yield "algorithm", "constant_length", f"with algorithm.aggregate {algorithm.aggregate}"
    if not algorithm.kl_coef:
        yield "algorithm", "kl", "while algorithm.kl_coef is 0"
    if algorithm.ratio == "none":
        yield from (("algorithm", key, "with algorithm.ratio none") for key in ("clip_low", "clip_high"))
    if algorithm.std == "none":
        yield from (("algorithm", key, "with algorithm.std none") for key in ("eps", "std_floor"))
    if algorithm.correction == "none":
        keys = ("correction_level", "correction_low", "correction_high")
        yield from (("algorithm", key, "with algorithm.correction none") for key in keys)
    if engine.kind == "hf":
        keys = ("dtype", "memory", "max_mismatch")
        yield from (("engine", key, "with engine.kind hf") for key in keys)
    if engine.kind != "vllm_http":
        keys = ("weights_folder", "timeout_s", "retry_s", "key_env")
        yield from (("engine", key, f"with engine.kind {engine.kind}") for key in keys)
    if engine.kind != "hf":
        yield "engine", "max_rows", f"with engine.kind {engine.kind}"
