"""Data sets: storing, fetching, reading and caching them, and putting them onto a device."""

from workers.data.loading.source import Dataset, DataSource, Split, balanced_subset, source

__all__ = ["DataSource", "Dataset", "Split", "balanced_subset", "source"]
