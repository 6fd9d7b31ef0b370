"""Skipping where a machine lacks a tier of the sandbox."""

import pytest

from markscheme.sandbox.isolation.tiers import Tier
from markscheme.sandbox.sandbox import try_tier


def needs_tier(tier: Tier) -> None:
    """Skip where a tier of the sandbox does not start on this machine."""
    if (why := try_tier(tier)) is not None:
        pytest.skip(f"the tier {tier} does not start here: {why}")
