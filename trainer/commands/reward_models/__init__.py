"""The commands that make reward models: labels of steps and preference pairs, and training on them."""
