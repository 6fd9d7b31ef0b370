"""The outer loop of iterated GRPO: the guard, the update of the reward model, and the new reference."""
