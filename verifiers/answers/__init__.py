"""Judging final answers against references: the tiers of comparison in their order, math-verify the last."""
