"""Values with units."""
