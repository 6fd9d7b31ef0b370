"""Settings for vLLM in this process, some of which vLLM reads from the environment when it is imported."""

import os
from typing import Any


def settings_for_vllm(*, on_cpu: bool, memory: float) -> dict[str, Any]:
    """Set vLLM's environment variables, and return arguments for an engine in this process.

    Call this before vLLM is imported.

    Args:
        on_cpu: whether the model runs on the CPU.
        memory: on a GPU, the share of its memory to use, 0 to 1; on the CPU, gigabytes for the KV cache.
    """
    # One process, so that weights can be handed to the engine as tensors.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    if on_cpu:
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(max(1, round(memory))))
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    # Standard output is for the command's own result.
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    settings: dict[str, Any] = {"enforce_eager": on_cpu, "disable_log_stats": True}
    if on_cpu:
        # vLLM 0.32 crashes on the CPU if a request has a seed and its prompt is computed in chunks.
        settings["enable_chunked_prefill"] = False
    else:
        settings["gpu_memory_utilization"] = memory
    return settings
