"""The mathematics of training as pure functions: advantages, losses, the KL, and off-policy corrections."""
