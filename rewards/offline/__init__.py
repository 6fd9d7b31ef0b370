"""Measuring marks without training."""
