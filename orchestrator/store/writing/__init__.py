"""Everything that writes rows; only the driver calls it."""
