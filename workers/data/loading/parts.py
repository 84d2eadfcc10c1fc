"""Parts of a data set that a spec names: what it trains on, what is held out for choices, and what is reported."""

from typing import Literal

from workers.data.loading.held_out import Places, held_out_of
from workers.data.loading.source import Dataset, Split
from workers.errors import UserError
from workers.spec.component import DataSpec

Part = Literal["test", "train", "validation"]


def part_of(dataset: Dataset, data: DataSpec, part: Part) -> tuple[Split, Places | None]:
    """Return the split that a part lies in, and the places of its examples there (None: it is all of it).

    Args:
        dataset: as it was read.
        data: says what is held out of training.
        part: `train` is without what is held out, `validation` is that, or the data set's own validation split.

    Raises:
        DataError: nothing would be left to train on.
        UserError: there is nothing to validate on, or less than is asked for.
    """
    if part == "test":
        return dataset.test, None
    if data.validation_examples == 0:
        if part == "validation":
            raise UserError(f"validation_examples=0: nothing of {data.name} is held out to measure on; give data.validation_examples")
        return dataset.train, None
    if (own := dataset.validation) is not None:
        return (dataset.train, None) if part == "train" else (own, _first(own, data))
    division = held_out_of(dataset.train.labels, data.validation_examples, name=data.name)
    return dataset.train, division.train if part == "train" else division.validation


def _first(own: Split, data: DataSpec) -> Places | None:
    """Return the places of a data set's own validation examples: of all, or of the first so many of the class-balanced order."""
    if isinstance(data.validation_examples, float):
        return None
    if data.validation_examples > len(own):
        raise UserError(f"validation_examples={data.validation_examples}: {data.name}'s own validation split has {len(own)} examples")
    return own.places(data.validation_examples)
