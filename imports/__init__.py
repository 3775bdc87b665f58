"""The way in: drop → arrival → collect → job → scan → map → validate → plan → apply → report."""
