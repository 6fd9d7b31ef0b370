"""Answers as text: normal forms, numbers, words, choice letters, and whether they commit to anything."""
