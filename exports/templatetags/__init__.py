"""Template tags of the export pages."""
