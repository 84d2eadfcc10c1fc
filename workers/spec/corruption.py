"""One common corruption of images at one severity, resolved. Imports neither torch nor Ray."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from workers.components.facts import Modality
from workers.registry import CORRUPTIONS
from workers.spec.component import ComponentSpec
from workers.spec.fields import Index, Interval

Severity = Annotated[int, AfterValidator(Interval(1, 5))]
SEVERITIES = (1, 2, 3, 4, 5)


class CorruptionSpec(ComponentSpec):
    """A corruption, its severity, and the seed of what it draws: the same for every model, so that all see the same images."""

    registry: ClassVar = CORRUPTIONS

    name: str
    severity: Severity
    seed: Index = 0


def published() -> tuple[str, ...]:
    """Names of the corruptions over which the benchmark takes its mean, sorted; without its frost, which is made of photographs."""
    return tuple(found.name for found in CORRUPTIONS if found.facts.published)


def require_corruptible(dataset: str, modality: Modality) -> None:
    """Check that a data set holds images.

    Raises:
        ValueError: it does not.
    """
    if modality != "image":
        raise ValueError(f"{dataset} is {modality}, and only images are corrupted; leave corruptions out")
