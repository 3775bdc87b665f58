"""What the wizard does between its pages: keep a draft, read its file, run it, save it."""
