"""Import templates: how one institution's files become records, as data."""
