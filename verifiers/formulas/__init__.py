"""Formulas: parsed without ever evaluating text, and compared as functions of their variables.

`parse` makes a tree, `equality.py` decides whether two trees are equal, and `compare.py` is the tier.
"""
