"""A training run: set-up, the loop over the steps, the run's folder, checkpoints, alarms and progress."""
