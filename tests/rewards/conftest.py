"""Fixtures of the tests of rewards."""

from collections.abc import Iterator

import pytest

from markscheme.rewards.composition.reward_functions import REWARDS
from markscheme.verifiers.verdict import VERIFIERS


@pytest.fixture(autouse=True)
def restored_registries() -> Iterator[None]:
    """Forget the rewards and verifiers that a test has decorated, when it ends."""
    rewards, verifiers = dict(REWARDS.decorated), dict(VERIFIERS.decorated)
    yield
    REWARDS.decorated, VERIFIERS.decorated = rewards, verifiers
