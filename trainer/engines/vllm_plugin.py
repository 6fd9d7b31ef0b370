"""Inside vLLM's workers: weights arrive by vLLM's weight-transfer API, through a backend of ours.

vLLM packs weights after loading them, so a plain `load_weights` into a running engine fails on a CPU or
leaves old packed copies. Its layerwise reload unpacks, loads and packs again; this backend feeds it
from tensors (the same process) or from a safetensors file (a server). Import this module to register
the backend: in a server `--worker-extension-cls` does, before the model is loaded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import safe_open
from vllm.distributed.weight_transfer import (  # pyright: ignore[reportMissingImports]
    WeightTransferEngine,
    WeightTransferEngineFactory,
)

BACKEND = "markscheme"


@dataclass
class InitInfo:
    """What is looked at before anything is touched."""

    shape: dict[str, Any] = field(default_factory=dict)
    """The policy's sizes, by their names in its config."""


@dataclass
class UpdateInfo:
    """Where the weights are, by their names in a checkpoint: one of the two."""

    weights: list[tuple[str, torch.Tensor]] = field(default_factory=list)
    path: str = ""


class MarkschemeTransfer(WeightTransferEngine):
    """Takes weights from memory or from a file."""

    init_info_cls = InitInfo
    update_info_cls = UpdateInfo
    model: Any
    model_config: Any

    def init_transfer_engine(self, init_info: InitInfo) -> None:
        """Refuse another model's weights: half loaded, they would bring the whole engine down."""
        own = self.model_config.hf_text_config
        other = {k: v for k, v in init_info.shape.items() if getattr(own, k, v) != v}
        if other:
            here = {key: getattr(own, key) for key in other}
            raise ValueError(f"the engine has another model: {here}, and the policy {other}")

    def start_weight_update(self) -> None:
        """Bring every layer back to the form in which it is loaded."""
        from vllm.model_executor.model_loader.reload import (  # pyright: ignore[reportMissingImports]
            initialize_layerwise_reload,
        )

        initialize_layerwise_reload(self.model)

    def receive_weights(self, update_info: UpdateInfo) -> None:
        """Load all of the weights."""
        self.model.load_weights(_in_file(update_info.path) if update_info.path else iter(update_info.weights))

    def finish_weight_update(self) -> None:
        """Pack again, and pack tied heads too: they would keep a packed copy of the old embeddings."""
        from vllm.model_executor.model_loader.reload import (  # pyright: ignore[reportMissingImports]
            finalize_layerwise_reload,
        )

        finalize_layerwise_reload(self.model, self.model_config)
        for module in self.model.modules():
            if hasattr(module, "cpu_linear") and module.weight.numel():
                from vllm.model_executor.layers.utils import (  # pyright: ignore[reportMissingImports]
                    dispatch_cpu_unquantized_gemm,
                )

                dispatch_cpu_unquantized_gemm(module, remove_weight=False)

    def shutdown(self) -> None:
        """Nothing to give back."""


def _in_file(path: str) -> Iterator[tuple[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            yield name, file.get_tensor(name)


class WorkerExtension:
    """Named by `--worker-extension-cls`, so that each worker imports this module."""


if BACKEND not in WeightTransferEngineFactory._registry:
    WeightTransferEngineFactory.register_engine(BACKEND, MarkschemeTransfer)
