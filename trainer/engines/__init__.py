"""What samples completions: transformers, or vLLM in this process or on servers."""
