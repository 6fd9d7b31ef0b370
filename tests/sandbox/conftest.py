"""What several tests of the sandbox use."""

import pytest

from markscheme.sandbox import Limits


@pytest.fixture(scope="session")
def small_limits() -> Limits:
    """Limits that hostile programs reach soon, with 0.5 MiB (1 << 19 bytes) of output."""
    return Limits(cpu_s=0.3, wall_s=0.9, memory_mb=200, output_mb=0.5)
