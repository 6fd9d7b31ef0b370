"""Judging programs: find the program in a completion, run its tests in the sandbox, compare the results."""
