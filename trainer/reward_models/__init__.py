"""Training process reward models: labelling the steps of completions, and learning from the labels."""
