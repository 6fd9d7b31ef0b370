"""Probes: completions made from a task's rows, without a model, whose worth is known beforehand."""
