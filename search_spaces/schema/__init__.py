"""The typed schema of a space file: its sections and their axes."""
