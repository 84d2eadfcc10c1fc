"""Places of jobs' folders below the root of the artifacts: a folder with 100,000 entries is slow on many file systems.

`KEY` lies in `KE/KEY`. Earlier versions left it at the root, and where it is there, it is used there.
"""

import re

_KEY, _SHARD = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{2}")
_DIGITS = 2


def is_job(folder: str) -> bool:
    """Tell whether a folder of this name is a job's."""
    return _KEY.fullmatch(folder) is not None


def is_shard(folder: str) -> bool:
    """Tell whether a folder of this name holds jobs' folders."""
    return _SHARD.fullmatch(folder) is not None


def sharded(path: str) -> str:
    """Return the place of a path that begins with a job's key: `KE/KEY/NAME`."""
    return f"{path[:_DIGITS]}/{path}"
