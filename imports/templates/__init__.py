"""Saved import templates: making, changing, versions, and what may be saved at all."""
