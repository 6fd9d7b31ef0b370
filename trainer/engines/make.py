"""From `engine:` in a run file to what samples; vLLM is loaded only where it is asked for."""

from ..config.run_config import EngineConfig
from ..models.policy import Policy
from .base import Engine
from .hf import HfEngine


def make_engine(config: EngineConfig, policy: Policy) -> Engine:
    """Return a run's engine, with the policy's weights.

    Args:
        config: which one.
        policy: what it samples from.

    Raises:
        RunError: it does not start.
    """
    if config.kind == "vllm":
        from .vllm_local import VllmEngine

        return VllmEngine(config, policy)
    if config.kind == "vllm_http":
        from .vllm_servers import VllmServers

        return VllmServers(config, policy)
    return HfEngine(policy, max_rows=config.max_rows)
