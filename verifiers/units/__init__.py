"""Values with units: the table of units, reading a unit, splitting it off a value, comparing values."""
