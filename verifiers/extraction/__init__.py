"""Finding the final answer in a completion, and noticing where the completion takes it back."""
