"""The engine that a run file's `engine:` section asks for; vLLM is imported only where it is used."""

from ..config.run_config import EngineConfig
from ..models.notes import Note, ignored
from ..models.policy import Policy
from .base import Engine
from .hf import HfEngine


def make_engine(config: EngineConfig, policy: Policy, note: Note = ignored) -> Engine:
    """Start and return the engine that `config.kind` names.

    `note` is called with lines that a reader of the run should know, such as that a server was restarted.

    Raises:
        RunError: the engine does not start.
        PolicyError: the model cannot be sampled from.
    """
    if config.kind == "vllm":
        from .vllm_local import VllmEngine

        return VllmEngine(config, policy, note)
    if config.kind == "vllm_http":
        from .vllm_servers import VllmServers

        return VllmServers(config, policy, note)
    return HfEngine(policy, max_rows=config.max_rows, note=note)
