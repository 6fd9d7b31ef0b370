"""Answers as text: reading numbers, words, choice letters and notations.

Formulas are parsed in `verifiers/formulas`, units in `verifiers/units`, and lists and intervals in
`verifiers/structures`. All of them use the readers of this folder.
"""
