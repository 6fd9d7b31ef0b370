"""Judges: language models that mark completions by a rubric, at any OpenAI-compatible endpoint."""
