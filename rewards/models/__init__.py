"""Rewards that run a model: process reward models on torch or vLLM, their formats, and batching."""
