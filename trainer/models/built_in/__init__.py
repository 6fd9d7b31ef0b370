"""Policies that a run file may name without a folder or a hub: `tiny`, built here, and `smollm2`."""
