"""From a task's entries to scores: building entries, running their components, combining their values."""
