"""One spelling for every answer: normalising its text, with the tables of words, names and languages."""
