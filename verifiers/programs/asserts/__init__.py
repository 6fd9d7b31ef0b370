"""Judging asserts: what can be split into calls and a condition, and what the condition costs to evaluate."""
