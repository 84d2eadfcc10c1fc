"""The section of a space that asks for every model's accuracy under common corruptions."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from search_spaces.schema.axes import Axis
from search_spaces.schema.component_axes import known
from workers.registry import CORRUPTIONS
from workers.settings import Frozen
from workers.spec.corruption import SEVERITIES, CorruptionSpec, Severity, published
from workers.spec.fields import Index


class CorruptionSection(Frozen):
    """Corruptions and severities, each with each; `{}` is the published ones at every severity. All models see the same images, which
    `seed` draws."""

    kind: Axis[Annotated[str, AfterValidator(known(CORRUPTIONS))]] = Field(default_factory=published)
    severity: Axis[Severity] = SEVERITIES
    seed: Index = 0

    @property
    def size(self) -> int:
        """Number of corruptions of one model."""
        return len(self.kind) * len(self.severity)

    def resolved(self) -> Iterator[CorruptionSpec]:
        """Every corruption at every severity."""
        for kind in self.kind:
            for severity in self.severity:
                yield CorruptionSpec.model_validate({"name": kind, "severity": severity, "seed": self.seed})
