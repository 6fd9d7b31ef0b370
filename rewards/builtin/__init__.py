"""Rewards that ship: shaping, and rules for steps."""
