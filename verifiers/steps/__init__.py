"""Splitting a solution into steps, placing them on tokens, and judging each by a rule."""
