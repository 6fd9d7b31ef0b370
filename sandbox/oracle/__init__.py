"""Tests that run in a process of their own, next to a program and out of its reach."""
