"""Data sets as NumPy arrays: inputs as floats or compactly coded (see `Split`), labels as class numbers. Imports no torch."""

from workers.data.cifar10 import CIFAR10
from workers.data.digits import DIGITS
from workers.data.source import Dataset, DatasetInfo, Source, Split, balanced_subset
from workers.data.speech_commands import RESPLIT, SPEECH_COMMANDS
from workers.data.tones import TONES
from workers.spec.fields import DatasetName, SplitLists

DATASETS: dict[DatasetName, Source] = {
    "cifar10": CIFAR10,
    "digits": DIGITS,
    "speech_commands": SPEECH_COMMANDS,
    "tones": TONES,
}


def source(name: DatasetName, lists: SplitLists) -> Source:
    """The data set as one pair of split lists divides it; those with one split are the same for both."""
    return RESPLIT if name == "speech_commands" and lists == "resplit" else DATASETS[name]


__all__ = ["DATASETS", "Dataset", "DatasetInfo", "Source", "Split", "balanced_subset", "source"]
