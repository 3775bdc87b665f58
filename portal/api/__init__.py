"""The REST API under /api/v1/: tokens, problem details, events."""
