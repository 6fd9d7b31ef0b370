"""The policy model: building or loading it, its log-probabilities with gradients, its weights as files."""
