"""Problems made by code instead of read from a file."""
