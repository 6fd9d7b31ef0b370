"""Answers with parts: lists, sets, tuples, intervals, matrices, equations and inequalities.

`outline.py` reads the outer structure of a text, and `compare.py` is the tier: it decides which of the other
files compares two structures. The parts may be anything that an answer may be, so all tiers judge them.
"""
