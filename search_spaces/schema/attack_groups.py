"""Attack groups of a space, and the rules that turn one combination of settings into a resolved attack."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from search_spaces.schema.axes import Axis, PositiveLiteral
from search_spaces.schema.component_axes import ComponentAxes, known
from workers.components.component_registry import Component
from workers.components.facts import AttackFacts
from workers.registry import ATTACKS
from workers.spec.attack import MOST_PARTS, AttackSettings, not_averaged, require_foolbox_form, settled
from workers.spec.fields import (
    BackendName,
    Count,
    Index,
    Knowledge,
    NormName,
    SignGradientName,
    TargetName,
    epsilon_fraction,
    positive_fraction,
)

SourceName = Literal["dense", "parent", "undefended"]
"""On which other model transferred examples are made: `parent`, the theta = 1 net from which the attacked one comes, trained in the same
way and without a defence around it; `undefended`, that net trained neither adversarially nor with a defence; `dense`, the undefended net
of the same architecture with ordinary convolutions."""


class Asked(NamedTuple):
    """One attack of a group, with what its attacker knows; `source` is None where nothing is transferred. Of the first `keep_examples` it
    keeps what it made of them."""

    attack: AttackSettings
    knowledge: Knowledge
    source: SourceName | None
    keep_examples: int = 0


class AttackGroup(ComponentAxes):
    """Attacks that share settings; every combination of its axes is one attack.

    A setting that an attack does not have applies to the others of the group; one that no attack of the group has is a mistake.
    What depends on the model makes no jobs where it changes nothing: `sign_gradient` where it is not binary, `early_stop` where it
    is randomised, `eot_samples` and `selection_draws` where it is not. Nothing is transferred from a model to itself. `keep_examples` is
    one number: of how many examples each attack keeps what it made of them, to be looked at.
    """

    registry: ClassVar = ATTACKS
    named_by: ClassVar = "attack"

    attack: Axis[Annotated[str, AfterValidator(known(ATTACKS))]]
    norm: Axis[NormName] = Field(default=("linf",), validate_default=True)
    epsilon: Axis[PositiveLiteral]
    knowledge: Axis[Knowledge] = ("randomized",)
    source: Axis[SourceName] = ("parent",)
    target: Axis[TargetName] = ("none",)
    restarts: Axis[Count] = (1,)
    eot_samples: Axis[Count] = (10,)
    selection_draws: Axis[Count] = (8,)
    early_stop: Axis[bool] = (False,)
    backend: Axis[BackendName] = ("native",)
    sign_gradient: Axis[SignGradientName] = ("identity",)
    keep_examples: Axis[Index] = (0,)

    @field_validator("keep_examples")
    @classmethod
    def _is_one_number(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if len(values) > 1:
            raise ValueError(f"keep_examples={list(values)}: is no axis; must be one number of examples")
        return values

    @model_validator(mode="before")
    @classmethod
    def _with_the_norm_of_all(cls, data: Any) -> Any:
        """A group that says no norm has linf, or another one where none of its attacks has that."""
        if not isinstance(data, Mapping) or "norm" in data:
            return data
        said = data.get("attack")
        named = [ATTACKS.find(name) for name in (said if isinstance(said, list | tuple) else [said]) if isinstance(name, str)]
        own = {found.facts.own_norm for found in named if found is not None}
        return data if len(own) != 1 else {**data, "norm": own.pop()}

    @field_validator("epsilon")
    @classmethod
    def _is_in_input_units(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("norm") != ("l2",):
            for literal in values:
                epsilon_fraction(literal)
        return values

    @field_validator("knowledge")
    @classmethod
    def _has_gradients_to_average(cls, values: tuple[Knowledge, ...], info: ValidationInfo) -> tuple[Knowledge, ...]:
        for attack in info.data.get("attack", ()):
            if "eot" in values and (reason := not_averaged(attack)):
                raise ValueError(f"attack {reason} to average; give it a group without eot")
        return values

    @field_validator("source")
    @classmethod
    def _is_transferred(cls, values: tuple[SourceName, ...], info: ValidationInfo) -> tuple[SourceName, ...]:
        if "transfer" not in info.data.get("knowledge", ("transfer",)):
            raise ValueError("only knowledge transfer has a source; leave source out")
        return values

    @field_validator("restarts")
    @classmethod
    def _starts_at_random(cls, values: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        attacks = info.data.get("attack", ())
        if attacks and not any(ATTACKS[attack].facts.has_restarts for attack in attacks):
            raise ValueError(f"attack {attacks[0]} has no random start; leave restarts out")
        return values

    @field_validator("target")
    @classmethod
    def _can_be_aimed(cls, values: tuple[TargetName, ...], info: ValidationInfo) -> tuple[TargetName, ...]:
        attacks = info.data.get("attack", ())
        if values != ("none",) and attacks and all(ATTACKS[attack].facts.untargeted for attack in attacks):
            raise ValueError(f"attack {attacks[0]} is untargeted; leave target out")
        return values

    @field_validator("norm")
    @classmethod
    def _attacks_have_the_norm(cls, values: tuple[NormName, ...], info: ValidationInfo) -> tuple[NormName, ...]:
        for attack, norm in product(info.data.get("attack", ()), values):
            if norm not in (norms := ATTACKS[attack].facts.norms):
                raise ValueError(f"attack {attack} has norm {', '.join(norms)}, not {norm}")
        return values

    @field_validator("eot_samples")
    @classmethod
    def _averages(cls, values: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if "eot" not in info.data.get("knowledge", ("eot",)):
            raise ValueError("only knowledge eot averages gradients; leave eot_samples out")
        return values

    @model_validator(mode="after")
    def _resolves(self) -> Self:
        """Check what depends on several settings: the backend, and settings that depend on epsilon and norm."""
        if "foolbox" in self.backend:
            losses, eot, early_stop = getattr(self, "loss", ()) or ("ce",), "eot" in self.knowledge, True in self.early_stop
            for attack, loss in product(self.attack, losses):
                require_foolbox_form(attack, loss=loss, eot=eot, early_stop=early_stop)
        if others := [knowledge for knowledge in self.knowledge if knowledge != "eot" and self._averages_always]:
            raise ValueError(f"version=rand with knowledge={others[0]}: it averages gradients over draws; knowledge must be eot")
        for component, norm in product(self.components, self.norm):
            own = component.settings.model_fields
            self._require(component, norm, {name: values for name, values in self.axes.items() if name in own})
        return self

    @property
    def _averages_always(self) -> bool:
        return "rand" in getattr(self, "version", ()) and any(component.facts.suite for component in self.components)

    @property
    def jobs_each(self) -> int:
        """The most jobs that one of its attacks may be."""
        return MOST_PARTS + 1 if any(component.facts.suite for component in self.components) else 1

    def _require(self, component: Component[AttackFacts], norm: NormName, own: dict[str, tuple[Any, ...]]) -> None:
        context = {"epsilon": positive_fraction(self.epsilon[0]), "norm": norm}
        for name, values in [("", ((),)), *own.items()]:
            first = {other: chosen[0] for other, chosen in own.items()}
            for value in values:
                try:
                    component.settings.model_validate(first | ({name: value} if name else {}), context=context)
                except ValidationError as invalid:
                    raise ValueError(_complaint(component, invalid)) from None

    def resolved(self) -> Iterator[Asked]:
        """Every attack of the group with what its attacker knows, for a randomised model; equal ones may come again."""
        for point in self.points():
            knowledge, source, kept = point.pop("knowledge"), point.pop("source"), point.pop("keep_examples")
            attack = _settings(**point, eot=knowledge == "eot")
            yield Asked(attack, knowledge, source if knowledge == "transfer" else None, kept)


def _complaint(component: Component[AttackFacts], invalid: ValidationError) -> str:
    found = invalid.errors(include_url=False)[0]
    setting, message = ".".join(map(str, found["loc"])), found["msg"].removeprefix("Value error, ")
    if found["type"] == "missing":
        return f"{setting}: missing; attack {component.name} has no default for it"
    value = "" if found["input"] is None else f"={found['input']}"
    return f"{setting}{value}: {message} (attack {component.name})"


def _settings(*, attack: str, epsilon: str, eot: bool, **given: Any) -> AttackSettings:
    values = {"name": attack, "epsilon": float(positive_fraction(epsilon)), "epsilon_literal": epsilon, **given}
    if not eot:
        values["eot_samples"] = 1
    return AttackSettings.model_validate({**values, **settled(AttackSettings.model_construct(**values))})
