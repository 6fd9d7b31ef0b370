"""Rewards that run a model: outcome and process reward models, on torch or vLLM, and judges."""
