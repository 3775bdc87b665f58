"""Measurements of the product against the limit and its peers; nothing here is shipped."""
