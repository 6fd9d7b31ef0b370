"""Formulas: parsed without ever evaluating text, and compared as functions of their variables."""
