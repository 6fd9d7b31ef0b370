"""The policy and what computes its log-probabilities and gradients."""
