"""Reading formulas and deciding whether two are equal."""
