"""Good rows become records: read, staged, compared with the store, limited, applied."""
