"""The examples in docstrings run, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import markscheme

FOLDERS = ("sandbox", "tasks", "verifiers", "rewards", "trainer")
NEEDS_VLLM = {"markscheme.trainer.engines.vllm_plugin"}
"""Modules that cannot be imported without vLLM."""


def all_modules() -> list[str]:
    """Return the full names of the package's modules, without those that need vLLM."""
    names = [module.name for module in pkgutil.walk_packages(markscheme.__path__, "markscheme.")]
    # FOLDERS leaves out `markscheme.__main__`, and whatever else is in the repository's root.
    return sorted(name for name in names if name.split(".")[1] in FOLDERS and name not in NEEDS_VLLM)


WITH_EXAMPLES = [name for name in all_modules() if ">>>" in inspect.getsource(importlib.import_module(name))]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
    assert results.attempted > 0


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_public_name_has_an_example(folder: str) -> None:
    module = importlib.import_module(f"markscheme.{folder}")
    without_example = []
    for name in module.__all__:
        value = getattr(module, name)
        is_error = isinstance(value, type) and issubclass(value, Exception)
        if not is_error and ">>>" not in (value.__doc__ or ""):
            without_example.append(name)
    assert without_example == []
