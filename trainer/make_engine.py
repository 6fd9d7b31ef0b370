"""From `engine:` in a run file to what samples; vLLM is loaded only where it is asked for."""

from .config import EngineConfig
from .engine import Engine
from .hf_engine import HfEngine
from .policy import Policy


def make_engine(config: EngineConfig, policy: Policy) -> Engine:
    """Return a run's engine, with the policy's weights.

    Args:
        config: which one.
        policy: what it samples from.

    Raises:
        RunError: it does not start.
    """
    if config.kind == "vllm":
        from .vllm_engine import VllmEngine

        return VllmEngine(config, policy)
    if config.kind == "vllm_http":
        from .vllm_http import VllmServers

        return VllmServers(config, policy)
    return HfEngine(policy, max_rows=config.max_rows)
