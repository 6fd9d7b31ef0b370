"""Our schemes for other trainers, and their reward functions for us."""
