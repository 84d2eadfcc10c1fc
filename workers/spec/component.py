"""A component in a spec: its name and its own settings, resolved and checked against what it declares; among them the
data set and the defence."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self, get_args, get_origin

from pydantic import BaseModel, ModelWrapValidatorHandler, SerializeAsAny, ValidationError, ValidationInfo, field_validator, model_validator

from workers.components.component_registry import Component, Registry
from workers.components.facts import DatasetFacts, DefenceFacts
from workers.components.settings import Frozen, OpaqueSettings, Settings
from workers.registry import DATASETS, DEFENCES
from workers.spec.fields import Count, HeldOut, OpenShare

STORED = {"stored": True}
"""The validation context of specs that are read from a store: components that are not installed here are no error there."""


class ComponentSpec(Frozen):
    """The base of specs that name a component in the field `named_by`; its own settings, `settings`, may also be given flat.

    Raises:
        ValueError: there is no such component, or it has no such setting or value.
    """

    registry: ClassVar[Registry[Any]]
    named_by: ClassVar[str] = "name"

    settings: SerializeAsAny[Settings] = Settings()

    @model_validator(mode="wrap")
    @classmethod
    def _with_own_settings(cls, data: Any, handler: ModelWrapValidatorHandler[Any], info: ValidationInfo) -> Any:
        if not isinstance(data, Mapping):
            return handler(data)
        name = data.get(cls.named_by, cls.model_fields[cls.named_by].default)
        if not isinstance(name, str):
            return handler(data)
        context = info.context or {}
        component = cls.registry.find(name)
        if context.get("stored"):
            data = cls._as_today(component, data)
        if component is None and context.get("stored"):
            return handler({**data, "settings": OpaqueSettings.model_validate(_mapping(data.get("settings")))})
        component = cls.registry[name] if component is None else component
        own, others = cls._divided(component, data)
        return handler({**others, "settings": _validated(component, own, {**context, **cls._context(data)})})

    @classmethod
    def _as_today(cls, component: Component[Any] | None, data: Mapping[str, Any]) -> dict[str, Any]:
        """A stored spec, perhaps of an earlier version, without the settings that are none of its component's any more."""
        own = () if component is None else component.settings.model_fields
        return {key: value for key, value in data.items() if key in cls.model_fields or key in own}

    @classmethod
    def _context(cls, data: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003 (of those that have one)
        """Return the values on which the validation of the component's settings may depend."""
        return {}

    @classmethod
    def _divided(cls, component: Component[Any], data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The component's own settings, and the other fields."""
        flat = {key: value for key, value in data.items() if key in component.settings.model_fields and key not in cls.model_fields}
        nested = _mapping(data.get("settings"))
        if both := sorted(flat.keys() & nested.keys()):
            raise ValueError(f"settings.{both[0]}: given twice, in settings and next to them")
        return flat | nested, {key: value for key, value in data.items() if key not in flat and key != "settings"}

    @property
    def component(self) -> Component[Any]:
        """The component.

        Raises:
            ValueError: it is not installed here.
        """
        return self.registry[getattr(self, self.named_by)]

    @property
    def is_installed(self) -> bool:
        """True where the component is installed here."""
        return getattr(self, self.named_by) in self.registry

    @property
    def own(self) -> dict[str, Any]:
        """The component's own settings as plain data."""
        return self.settings.model_dump(mode="json")

    @property
    def flat(self) -> dict[str, Any]:
        """All fields as plain data, the component's own settings among them, as a space file has them."""
        return {**self.model_dump(mode="json", exclude={"settings"}), **self.own}

    def with_settings(self, **changes: Any) -> Any:
        """The same with other values of some of its component's settings; those that it does not have are left out."""
        own = {name: value for name, value in changes.items() if name in type(self.settings).model_fields}
        return self.model_copy(update={"settings": self.settings.model_copy(update=own)}) if own else self


def _holds_tuples(annotation: Any) -> bool:
    return tuple in (annotation, get_origin(annotation)) or any(map(_holds_tuples, get_args(annotation)))


def _tupled(value: Any) -> Any:
    """Lists as tuples, which neither JSON nor YAML has."""
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _mapping(settings: Any) -> dict[str, Any]:
    if isinstance(settings, BaseModel):
        return dict(settings)
    return dict(settings or {})


def _validated(component: Component[Any], own: dict[str, Any], context: dict[str, Any]) -> Settings:
    fields = component.settings.model_fields
    own = {name: _tupled(value) if name in fields and _holds_tuples(fields[name].annotation) else value for name, value in own.items()}
    try:
        return component.settings.model_validate(own, context=context)
    except ValidationError as invalid:
        found = invalid.errors(include_url=False)[0]
        where = ".".join(map(str, found["loc"]))
        legal = ", ".join(component.settings.model_fields) or "none"
        if found["type"] == "extra_forbidden":
            raise ValueError(f"{where}: {component.kind} {component.name} has no such setting; its settings: {legal}") from None
        raise ValueError(f"{where}={found['input']}: {found['msg'].removeprefix('Value error, ')}") from None


class DefenceSpec(ComponentSpec):
    """A defence and its settings (see the files of `workers.defences`)."""

    registry: ClassVar = DEFENCES

    name: str = "none"

    @property
    def facts(self) -> DefenceFacts:
        facts: DefenceFacts = self.component.facts
        return facts


UNDEFENDED = DefenceSpec()
NO_EXTRA: dict[str, Any] = {"extra": None, "extra_share": 0.5}
"""The fields of data without extra ones."""


class DataSpec(ComponentSpec):
    """A data set, what is held out of its training split for validation, and the fixed, class-balanced subset of the rest that is trained
    on (None: all of it).

    `validation_examples` is a number or a share of the training split, 0 for none. Which ones depends on the data set alone (see
    `workers.data.loading.parts`). A data set with a validation split of its own has that one: all of it where a share is asked for,
    else its first so many examples; nothing is held out then.

    With `extra`, another data set of the same classes in the same order, the share `extra_share` of each batch is of its training split. It
    takes the same values of settings that both have, and a folder of images the size of this one's.
    """

    registry: ClassVar = DATASETS

    name: str
    train_examples: Count | None = None
    validation_examples: HeldOut = 0
    extra: str | None = None
    extra_share: OpenShare = 0.5

    @field_validator("extra")
    @classmethod
    def _is_known(cls, name: str | None, info: ValidationInfo) -> str | None:
        return name if name is None or (info.context or {}).get("stored") else DATASETS[name].name

    @model_validator(mode="after")
    def _extra_fits(self) -> Self:
        if self.extra is not None and self.extra in DATASETS and self.is_installed:
            require_same_kind(self.name, self.extra)
        return self

    @property
    def extra_data(self) -> "DataSpec | None":
        """The data set whose training split is trained on too, in the shape of this one's examples; None without one."""
        if self.extra is None:
            return None
        own = DATASETS[self.extra].settings.model_fields
        shaped = {} if self.shape is None else {"image_size": self.shape[-1], "channels": self.shape[0]}
        shared = {name: value for name, value in {**shaped, **dict(self.settings)}.items() if name in own}
        return DataSpec.model_validate({"name": self.extra, "settings": shared})

    @property
    def facts(self) -> DatasetFacts:
        facts: DatasetFacts = self.component.facts
        return facts

    @property
    def shape(self) -> tuple[int, ...] | None:
        """An example's shape; None where only the files tell."""
        if self.facts.info is not None:
            return self.facts.info.shape
        found: tuple[int, ...] | None = self.facts.shape and self.facts.shape(**dict(self.settings))
        return found

    @property
    def whole(self) -> "DataSpec":
        """The same data set without a limit to its training examples, with nothing held out of them and none added to them."""
        return self.unlimited.model_copy(update={"validation_examples": 0})

    @property
    def unlimited(self) -> "DataSpec":
        """The same data set without a limit to its training examples and none added to them, but with the same ones held out of them."""
        return self.model_copy(update={"train_examples": None, **NO_EXTRA})


def require_same_kind(name: str, extra: str) -> None:
    """Check that extra data are of the data set's kind.

    Raises:
        ValueError: the one is of images, the other of waveforms.
    """
    kind, theirs = (DATASETS[data].facts.modality for data in (name, extra))
    if kind != theirs:
        raise ValueError(f"{extra}: is {theirs}, and {name} is {kind}")
