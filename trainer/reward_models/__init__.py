"""Labelling steps and training process reward models."""
