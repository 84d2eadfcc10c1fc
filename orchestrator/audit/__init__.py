"""Audits: one network under every attack that decides, until its verdict settles."""
