"""One job's life, from its making through claim and outcome to undo."""
