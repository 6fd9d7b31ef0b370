"""One run: setting it up, its folder, checkpoints, alarms and progress."""
