"""Fixtures of the verifiers' tests."""

import pytest

from markscheme.sandbox.deadline.shared import shared_pool
from markscheme.verifiers.answers.math_verify import _WORKER_MODULE


@pytest.fixture(scope="session", autouse=True)
def math_verify_is_imported() -> None:
    """Wait for the worker of hard answers, whose start takes longer than any verdict may on a slow machine."""
    assert shared_pool().is_warm(_WORKER_MODULE, wait_s=60)
