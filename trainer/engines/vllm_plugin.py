"""A backend of vLLM's weight-transfer API, which runs inside vLLM's workers and receives a policy's weights.

vLLM packs weights into other layouts after it has loaded them. A plain `load_weights` into a running engine
therefore fails on a CPU, or leaves old packed copies in use. vLLM's layerwise reload unpacks, loads and packs
again; this backend feeds it from tensors (in the trainer's process) or from a safetensors file (in a server).

Importing this module registers the backend. A server imports it because of `--worker-extension-cls`, before
it loads the model.
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
    """The policy's sizes, which an engine checks before it changes anything."""

    shape: dict[str, Any] = field(default_factory=dict)
    """Type and sizes of the policy, by their names in its config."""


@dataclass
class UpdateInfo:
    """New weights under the names that they have in a checkpoint: either as tensors or as a file."""

    weights: list[tuple[str, torch.Tensor]] = field(default_factory=list)
    path: str = ""
    """A safetensors file; empty = `weights` has them."""


class MarkschemeTransfer(WeightTransferEngine):
    """Loads weights from memory or from a file; vLLM calls its methods in the order given here."""

    init_info_cls = InitInfo
    update_info_cls = UpdateInfo
    model: Any
    model_config: Any

    def init_transfer_engine(self, init_info: InitInfo) -> None:
        """Reject a policy of other sizes, because weights that load only in part crash the whole engine."""
        own = self.model_config.hf_text_config
        different = {k: v for k, v in init_info.shape.items() if getattr(own, k, v) != v}
        if different:
            here = {key: getattr(own, key) for key in different}
            raise ValueError(
                f"the engine has another model: {here}, but the policy has {different}; start it on the"
                " policy's own model"
            )

    def start_weight_update(self) -> None:
        """Bring every layer back to the layout in which weights are loaded."""
        from vllm.model_executor.model_loader.reload import (  # pyright: ignore[reportMissingImports]
            initialize_layerwise_reload,
        )

        initialize_layerwise_reload(self.model)

    def receive_weights(self, update_info: UpdateInfo) -> None:
        """Load all weights."""
        if update_info.path:
            weights = _weights_in(update_info.path)
        else:
            weights = iter(update_info.weights)
        self.model.load_weights(weights)

    def finish_weight_update(self) -> None:
        """Pack every layer again, tied LM heads included.

        On a CPU, vLLM's own reload leaves a tied head with a packed copy of the old embeddings.
        """
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
        """Do nothing: this backend holds no connection and no file."""


def _weights_in(path: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield names and tensors of a safetensors file, one tensor at a time."""
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            yield name, file.get_tensor(name)


class WorkerExtension:
    """Empty: named by `--worker-extension-cls`, it makes each worker import this module."""


if BACKEND not in WeightTransferEngineFactory._registry:
    WeightTransferEngineFactory.register_engine(BACKEND, MarkschemeTransfer)
