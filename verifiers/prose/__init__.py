"""Reading where the sentences of a text state an answer, and what in them denies or doubts it."""
