"""Data sets: storing, fetching, reading and caching them, and putting them onto a device."""

from workers.data.loading.source import Dataset, Source, Split, balanced_subset, source

__all__ = ["Dataset", "Source", "Split", "balanced_subset", "source"]
