"""Is this final answer the reference? The tiers in order, and math-verify as the last of them."""
