"""Seeds derived from job keys, so that a job's randomness is the same in every run and on every machine."""

import hashlib


def derive_seed(key: str, purpose: str) -> int:
    """Return a 63-bit seed for one purpose of one job (`sketch`, `start`, `order`, ...): independent streams from one key."""
    digest = hashlib.sha256(f"{key}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
