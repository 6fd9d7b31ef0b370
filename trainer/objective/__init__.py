"""The mathematics of training as pure functions: advantages, losses, KL, and off-policy corrections."""
