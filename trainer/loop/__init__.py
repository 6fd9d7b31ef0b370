"""The training loop: sample, score, credit, learn, evaluate."""
