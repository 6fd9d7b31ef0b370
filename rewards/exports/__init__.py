"""Mark schemes as reward functions of TRL and verl, and TRL's reward functions as rewards of a task."""
