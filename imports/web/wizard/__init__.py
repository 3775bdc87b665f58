"""Making an import in the browser, step by step (seed 003)."""
