"""One spelling for every answer: normalising its text, and the tables of words, names and languages behind it."""
