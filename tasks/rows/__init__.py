"""Rows: read from files, hub data sets and generators, and made into problems by a task's templates."""
