"""Bytes become records with true line numbers: encoding, dialect, header, record bounds. Pure."""
