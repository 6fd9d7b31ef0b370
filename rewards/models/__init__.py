"""Rewards that run a model: process reward models on torch or vLLM, with their formats and batching."""
