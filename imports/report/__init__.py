"""What a sender is shown about the rows: summary, rejected rows, attachment. Pure."""
