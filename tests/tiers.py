"""Skip tests that need a tier of the sandbox where this machine does not offer it."""

import pytest

from markscheme.sandbox.isolation.tiers import Tier
from markscheme.sandbox.sandbox import try_tier


def needs_tier(tier: Tier) -> None:
    """Skip the test, or every test of the fixture, that calls this where a tier does not start."""
    reason = try_tier(tier)
    if reason is not None:
        pytest.skip(f"the tier {tier} does not start here: {reason}")
