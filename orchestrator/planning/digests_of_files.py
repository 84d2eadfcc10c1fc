"""Digests of data sets' files in the keys of planned jobs, from the data root that a command was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from workers.data.loading import remote, source
from workers.data.loading.remote import DataRoot
from workers.errors import DataError
from workers.spec.component import DataSpec
from workers.spec.data_digests import digests_by


@contextmanager
def digests_of_files(root: DataRoot) -> Iterator[None]:
    """Inside, planned jobs have the digests of the files in `root`; those of data sets that are not there have none, and cannot be run."""

    @cache
    def digest_of(data: DataSpec) -> str | None:
        try:
            return remote.digest(source(data), root)
        except DataError:
            return None

    with digests_by(digest_of):
        yield
