"""Writes of rows; only the driver calls them."""
