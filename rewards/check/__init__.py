"""Checking a task before it is trained on: its data, references, solutions, tests and labelled cases."""
