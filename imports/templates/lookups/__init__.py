"""Look-up tables: what the codes of a file stand for, kept in versions."""
