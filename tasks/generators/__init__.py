"""Generators: classes that make a task's rows in code, without a data set."""
