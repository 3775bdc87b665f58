"""Who may log in: people and programs, their failed logins and their tokens."""
