"""File names from arbitrary names."""

import re

_LONGEST = 100


def slug(name: str) -> str:
    """Convert a name to a part of a file name: letters, digits, dots and dashes, no leading dot."""
    return re.sub(r"[^\w.]+", "-", name).strip("-.")[:_LONGEST] or "sweep"
