"""Deliveries are taken out of the folders, and their results are written back."""
