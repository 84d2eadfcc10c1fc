"""Sections of a space by which its models are measured further: diagnoses, loss surfaces, common corruptions."""

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from search_spaces.schema.axes import Axis, AxisSection, PositiveLiteral, axes_of
from search_spaces.schema.component_axes import known
from workers.components.facts import Modality
from workers.components.settings import Frozen
from workers.registry import CORRUPTIONS, DATASETS
from workers.spec.corruption import SEVERITIES, CorruptionSpec, Severity, published
from workers.spec.diagnosis import FULL_QUERIES, Depth, DiagnosisSettings, require_more
from workers.spec.fields import Count, Index, SignGradientName, epsilon_fraction, positive_fraction
from workers.spec.surface import SurfaceSettings

EPSILONS: dict[Modality, str] = {"image": "8/255", "audio": "0.032"}
"""Default epsilon of a diagnosis: the middle one of the paper's tables."""


def _default(name: str) -> Any:
    return DiagnosisSettings.model_fields[name].default


class DiagnosisSection(Frozen):
    """Settings of the diagnosis, for a randomised binary model; none is an axis. `{}` is a full diagnosis with these defaults."""

    depth: Depth = "full"
    examples: Count = _default("examples")
    batch_size: Count = _default("batch_size")
    epsilon: PositiveLiteral | None = None
    steps: Count = _default("steps")
    more_steps: Count = _default("more_steps")
    eot_samples: Count = _default("eot_samples")
    selection_draws: Count = _default("selection_draws")
    queries: Count | None = None
    draws: Count = _default("draws")
    sign_gradient: SignGradientName = "tanh"

    @field_validator("epsilon")
    @classmethod
    def _is_in_input_units(cls, literal: str | None) -> str | None:
        if literal is not None:
            epsilon_fraction(literal)
        return literal

    @field_validator("selection_draws", "draws")
    @classmethod
    def _is_not_one_lucky_draw(cls, value: int) -> int:
        if value == 1:
            raise ValueError("one draw of a randomised model proves nothing; must be >= 2")
        return value

    @model_validator(mode="after")
    def _takes_more_steps(self) -> Self:
        require_more(self.steps, self.more_steps)
        return self

    def resolved(self, dataset: str) -> DiagnosisSettings:
        """Return the diagnosis of a randomised binary model for that data."""
        literal = self.epsilon or EPSILONS[DATASETS[dataset].facts.modality]
        given = self.model_dump(exclude={"epsilon", "queries"})
        queries = self.queries or (FULL_QUERIES if self.depth == "full" else _default("queries"))
        return DiagnosisSettings(epsilon=float(positive_fraction(literal)), epsilon_literal=literal, queries=queries, **given)


@axes_of(SurfaceSettings)
class SurfaceGroup(AxisSection):
    """The axes of `SurfaceSettings`; every combination is one surface of every model.

    A setting without effect on a model makes no jobs: `draws` where it is not randomised, `own` where the model is itself the net
    that `theta_one` means.
    """

    def resolved(self) -> Iterator[SurfaceSettings]:
        """Every surface of the group, for a randomised model."""
        for point in self.points():
            yield SurfaceSettings(**point)


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
