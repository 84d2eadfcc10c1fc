"""How data sets are kept, fetched, read, cached and put onto a device."""

from workers.data.loading.source import Dataset, Source, Split, balanced_subset, source

__all__ = ["Dataset", "Source", "Split", "balanced_subset", "source"]
