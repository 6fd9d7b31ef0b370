"""Tests that run beside a program, in a process that the program cannot reach."""
