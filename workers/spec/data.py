"""A data set, and how much of it is trained on. Imports no torch."""

from typing import ClassVar

from workers.registry import DATASETS
from workers.spec.component import ComponentSpec
from workers.spec.fields import Count


class DataSpec(ComponentSpec):
    """A data set and the fixed, class-balanced subset of its training split (None: all of it)."""

    registry: ClassVar = DATASETS

    name: str
    train_examples: Count | None = None

    @property
    def whole(self) -> "DataSpec":
        """The same data set without a limit to its training examples."""
        return self.model_copy(update={"train_examples": None})
