"""Rewards that are models."""
