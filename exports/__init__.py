"""The way out: event or record change → selection → file → delivery."""
