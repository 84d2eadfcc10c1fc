"""Connections to the database: URLs, engines, sessions, read-only SQL."""
