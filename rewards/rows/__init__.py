"""Rows on disk: completions, which are read from files, and scores, which are written and read again."""
