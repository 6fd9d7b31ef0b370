"""What vLLM must be told before it is imported, where it runs in this process."""

import os
from typing import Any


def settings_for_vllm(*, on_cpu: bool, memory: float) -> dict[str, Any]:
    """Set vLLM's environment; return the arguments that an engine in this process needs.

    Args:
        on_cpu: whether the models are on a CPU.
        memory: share of a GPU's memory; on a CPU, gigabytes for keys and values.
    """
    # One process, so that tensors can be handed over; read while vLLM is imported.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    if on_cpu:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(max(1, round(memory))))
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # standard output is the command's
    # On a CPU, requests with seeds bring vLLM 0.32 down where a prompt is computed in parts.
    more: dict[str, Any] = {"enable_chunked_prefill": False} if on_cpu else {"gpu_memory_utilization": memory}
    return {"enforce_eager": on_cpu, "disable_log_stats": True, **more}
