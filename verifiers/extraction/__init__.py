"""Finding the final answer in a completion, and what is said against it."""
