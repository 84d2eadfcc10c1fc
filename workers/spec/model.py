"""A network and its latent sketch, every setting resolved. Imports neither torch nor Ray."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import model_validator

from workers.components.component_registry import Component
from workers.components.facts import ModelFacts
from workers.components.references import scheme_of
from workers.registry import MODELS
from workers.spec.compatibility import require_binary_draws, require_binary_form, require_binary_init
from workers.spec.component import ComponentSpec
from workers.spec.fields import (
    AllZero,
    Draws,
    ExecutionChoice,
    Factorization,
    Initialisation,
    Normalisation,
    Prefixes,
    RankFraction,
    RankFractions,
    RankKind,
    SketchModes,
    Theta,
)

SKETCH_SETTINGS = ("sketch_modes", "rescale", "all_zero", "draws")
"""The settings of a model that do nothing without a sketch."""
TUCKER_SETTINGS = (
    *("factorization", "rank_fraction", "rank_kind", "rank_fractions", "execution", "init"),
    *("tensorize_first", "tensorize_linear", "tensorize_attention", "tensorize_transposed"),
)
"""The settings of a model that do nothing in a dense one."""


class ModelSpec(ComponentSpec):
    """A network and its latent sketch.

    `factorization` is the form of tensorized kernels: Tucker form (the paper's), CP or a tensor train.
    `rank_fractions`, by patterns of layer names, are in place of `rank_fraction` for the layers that they match.
    A `binary` one has binary convolutions (XNOR-Net), the first excepted. `weights` say where those of an adopted network come from, as a
    space has it (None: it is trained here); they count by their digest, in the job that adopts it. `weights_map` renames them.
    `init` is where Tucker layers come from: `random` weights, or
    the decomposition of a trained dense net of the same architecture (`decompose`).
    """

    registry: ClassVar = MODELS

    name: str = "resnet18"
    tensorized: bool = True
    factorization: Factorization = "tucker"
    rank_fraction: RankFraction = 0.5
    rank_kind: RankKind = "channels"
    rank_fractions: RankFractions | None = None
    tensorize_first: bool = False
    tensorize_linear: bool = False
    tensorize_attention: bool = False
    tensorize_transposed: bool = False
    execution: ExecutionChoice = "auto"
    theta: Theta = 1.0
    sketch_modes: SketchModes = "channels"
    rescale: bool = True
    all_zero: AllZero = "keep"
    draws: Draws = "batch"
    binary: bool = False
    init: Initialisation = "random"
    normalisation: Normalisation = "data"
    weights: str | None = None
    weights_map: Prefixes | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.theta < 1 and not self.tensorized:
            raise ValueError(f"theta={self.theta:g} with tensorized=false: a dense model has no sketch; use theta 1.0 for dense")
        if self.draws == "example" and self.sketch_modes == "all":
            raise ValueError("draws=example with sketch_modes=all: only the channel modes can be drawn per example")
        if self.binary:
            require_binary_draws(self.draws)
            require_binary_init(self.init)
            if self.name in MODELS:
                require_binary_form(self.name)
        return self

    @classmethod
    def _as_today(cls, component: Component[Any] | None, data: Mapping[str, Any]) -> dict[str, Any]:
        today, by_stage = super()._as_today(component, data), data.get("stage_rank_fractions")
        if by_stage and component is not None:
            today["rank_fractions"] = dict(zip(component.facts.stages, by_stage, strict=False))
        return today

    @property
    def asked_of_factors(self) -> str:
        """The first setting, as `model.theta=0.9`, that asks for what layers in factors alone have; empty where none does.

        The full rank asks for nothing: it stores what dense layers do.
        """
        names = ("theta", "rank_fractions", "init", "factorization", "rank_fraction", "rank_kind")
        usual = {name: (type(self).model_fields[name].default, 1.0) for name in names}
        asked = (name for name in names if self.tensorized and getattr(self, name) not in usual[name])
        return next((f"model.{name}={getattr(self, name)}" for name in asked), "")

    @property
    def is_foreign(self) -> bool:
        """True where the network is not ours: a plugin's, or a library's by reference."""
        return self.component.digest is not None or bool(scheme_of(self.name))

    @property
    def facts(self) -> ModelFacts:
        facts: ModelFacts = self.component.facts
        return facts
