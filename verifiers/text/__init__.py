"""Answers as text: normalising their spelling, and reading numbers, words, choice letters and notations.

Formulas are parsed in `verifiers/formulas`, units in `verifiers/units`, lists and intervals in
`verifiers/structures`; all of them use the readers of this folder.
"""
