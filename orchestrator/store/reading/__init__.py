"""Everything that is read of the store, as frozen values."""
