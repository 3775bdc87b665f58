"""Deliveries are taken out of the folders, and the folders told what became of them."""
