"""Is a final answer right? The tiers of comparison in their order, and math-verify as the last one."""
