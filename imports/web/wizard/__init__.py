"""The wizard: an import is set up in the browser, step by step (seed 003)."""
