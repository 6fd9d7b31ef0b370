"""Training process reward models (PRMs): labelling the steps of completions, and learning from the labels."""
