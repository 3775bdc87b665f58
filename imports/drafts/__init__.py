"""The wizard's work between its pages: keep a draft, look at its file, run it, save it."""
