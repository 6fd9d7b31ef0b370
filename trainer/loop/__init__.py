"""One training step of GRPO and its parts: sample, score, assign credit, update; and held-out evaluation."""
