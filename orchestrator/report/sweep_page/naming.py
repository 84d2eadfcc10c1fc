"""Names of files, from names that may hold anything."""

import re

_LONGEST = 100


def slug(name: str) -> str:
    """The name as a part of a file's name: letters, digits, dots and dashes, no leading dot."""
    return re.sub(r"[^\w.]+", "-", name).strip("-.")[:_LONGEST] or "sweep"
