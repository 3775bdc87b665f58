"""Look-up tables: the meanings of a file's codes, kept in versions."""
