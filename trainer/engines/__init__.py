"""Engines, which sample completions: with transformers, or with vLLM in this process or on servers."""
