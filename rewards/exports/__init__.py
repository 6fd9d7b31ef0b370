"""Mark schemes as reward functions for TRL and verl, and TRL's reward functions as rewards of a task."""
