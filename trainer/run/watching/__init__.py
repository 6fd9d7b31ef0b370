"""Watching a run: metrics of each step, trackers, and alarms where a reward shows signs of being gamed."""
