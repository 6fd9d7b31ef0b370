"""Training reward models: on pairs and on labelled steps, with replay, and a decision on every update."""
