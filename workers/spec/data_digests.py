"""Digests of the files of data sets in job keys: how planning finds one, and its name among a job's digests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workers.spec.component import DataSpec

DigestOf = Callable[[DataSpec], str | None]
_PREFIX = "data "


def _unknown(data: DataSpec) -> str | None:  # noqa: ARG001
    return None


_digest_of: DigestOf = _unknown


@contextmanager
def digests_by(digest_of: DigestOf) -> Iterator[None]:
    """Inside, planned jobs have the digests of their data sets' files that `digest_of` finds; outside they have none."""
    global _digest_of  # noqa: PLW0603 (every place that plans would have to hand the data root on)
    before, _digest_of = _digest_of, digest_of
    try:
        yield
    finally:
        _digest_of = before


def data_digests(data: DataSpec) -> dict[str, str]:
    """The digest of a data set's files by its name in `Job.digests`; none where they are missing, or no part of a key."""
    found = _digest_of(data)
    return {} if found is None else {data_digest_name(data): found}


def data_digest_name(data: DataSpec) -> str:
    """The name of the digest of a data set's files in `Job.digests`."""
    return f"{_PREFIX}{data.name}"


def data_set_of(name: str) -> str | None:
    """The data set whose files' digest has this name in `Job.digests`; None for other digests."""
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None
