"""The mathematics of the objective: pure functions."""
