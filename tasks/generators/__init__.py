"""Generators: classes that make a task's rows by code, without a data set."""
