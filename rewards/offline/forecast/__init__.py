"""Forecasting how much a training would learn: shares of mixed groups, advantages, errors of a verifier."""
