"""The examples in docstrings run, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import markscheme

FOLDERS = ("sandbox", "tasks", "verifiers", "rewards", "trainer")
NEEDS_VLLM = {"markscheme.trainer.engines.vllm_plugin"}


def modules() -> list[str]:
    """Every module of the package by its full name."""
    found = pkgutil.walk_packages(markscheme.__path__, "markscheme.")
    names = [made.name for made in found if made.name.split(".")[1] in FOLDERS]
    return sorted(set(names) - NEEDS_VLLM)


WITH_EXAMPLES = [name for name in modules() if ">>>" in inspect.getsource(importlib.import_module(name))]


def _examples_of(module: ModuleType) -> doctest.TestResults:
    return doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name: str) -> None:
    results = _examples_of(importlib.import_module(name))
    assert results.failed == 0
    assert results.attempted > 0


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_public_name_has_an_example(folder: str) -> None:
    module = importlib.import_module(f"markscheme.{folder}")
    public = {name: getattr(module, name) for name in module.__all__}
    without = [
        name
        for name, value in public.items()
        if not (isinstance(value, type) and issubclass(value, Exception))
        and ">>>" not in (value.__doc__ or "")
    ]
    assert without == []
