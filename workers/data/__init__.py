"""Data sets as NumPy arrays: inputs in [0, 1] (or uint8 for [0, 255]), labels as class numbers. Imports no torch."""

from workers.data.cifar10 import CIFAR10
from workers.data.digits import DIGITS
from workers.data.source import Dataset, DatasetInfo, Source, Split, balanced_subset
from workers.fields import DatasetName

DATASETS: dict[DatasetName, Source] = {"cifar10": CIFAR10, "digits": DIGITS}

__all__ = ["DATASETS", "Dataset", "DatasetInfo", "Source", "Split", "balanced_subset"]
