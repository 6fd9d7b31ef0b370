"""From a task's entries to scores: what runs, in which order, and how values combine."""
