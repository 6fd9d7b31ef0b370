"""Watching a run: the metrics of each step, and alarms where a reward shows signs of being gamed."""
