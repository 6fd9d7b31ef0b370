"""Splitting a completion into steps, finding their last tokens, and judging each step by a rule."""
