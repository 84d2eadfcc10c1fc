"""The figures that the paper printed, each with everything it is of; kept in `results.yaml` and checked when they are read."""

import json
from collections.abc import Hashable
from functools import cache, cached_property
from importlib.resources import files
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, Field, TypeAdapter, model_validator

from search_spaces.schema.component_axes import known
from workers.components.settings import Frozen
from workers.registry import ATTACKS, DATASETS, DEFENCES, MODELS
from workers.spec.fields import AdversarialTraining, Interval, Knowledge, SignGradientName, Theta, epsilon_fraction

Percent = Annotated[float, AfterValidator(Interval(0, 100))]


class PublishedFigure(Frozen):
    """One published figure: accuracy in percent, clean where `attack` is `none` (then `knowledge` is too, and `epsilon` is None).

    `group` is what the paper prints once over several rows. `epsilon` is a literal in input units. `defence_settings` are those that
    the paper names. A net at theta 1 may be `tensorized` or not: the other kind stands in where there is none of this one.
    """

    table: int
    group: str | None
    row: str
    column: str
    dataset: Annotated[str, AfterValidator(known(DATASETS))]
    model: Annotated[str, AfterValidator(known(MODELS))]
    theta: Theta
    binary: bool
    tensorized: bool
    defence: Annotated[str, AfterValidator(known(DEFENCES))]
    defence_settings: dict[str, float] = {}
    adversarial_training: AdversarialTraining
    sign_gradient: SignGradientName
    attack: Literal["none"] | Annotated[str, AfterValidator(known(ATTACKS))]
    knowledge: Knowledge | Literal["none"]
    epsilon: str | None
    published: Percent
    remarks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The row's label, under its group's."""
        return self.row if self.group is None else f"{self.group} {self.row}"

    @property
    def net(self) -> tuple[Hashable, ...]:
        """Identity of the net that it is of, among the nets of the table's other figures."""
        settings = tuple(sorted(self.defence_settings.items()))
        return self.dataset, self.model, self.theta, self.binary, self.tensorized, self.defence, settings, self.adversarial_training

    def __hash__(self) -> int:
        return hash((self.table, self.group, self.row, self.column))

    @model_validator(mode="after")
    def _is_clean_or_attacked(self) -> Self:
        clean = [self.attack == "none", self.knowledge == "none", self.epsilon is None]
        if any(clean) != all(clean):
            raise ValueError(f"attack={self.attack} with knowledge={self.knowledge} and epsilon={self.epsilon}: all or none of them")
        if self.epsilon is not None:
            epsilon_fraction(self.epsilon)
        if self.theta < 1 and not self.tensorized:
            raise ValueError(f"theta={self.theta:g} with tensorized=false: a dense model has no sketch")
        return self


class Remark(Frozen):
    """A remark on some cells: those in all of the named groups, rows and columns; what is not named is all of them."""

    text: str
    groups: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def concerns(self, row: "PublishedRow", column: "PublishedColumn") -> bool:
        named = ((self.groups, row.group), (self.rows, row.label), (self.columns, column.label))
        return all(not names or name in names for names, name in named)


class PublishedColumn(Frozen):
    """A column's label and the settings that all its cells share."""

    label: str
    settings: dict[str, Any]


class PublishedRow(PublishedColumn):
    """A row's label (under its group's), the settings that all its cells share, and its figures, one per column."""

    group: str | None = None
    published: tuple[Percent, ...]

    @property
    def title(self) -> str:
        return self.label if self.group is None else f"{self.group} {self.label}"


class PublishedTable(Frozen):
    """A table of the paper and the built-in space that computes it."""

    number: int
    caption: str
    launch: str
    settings: dict[str, Any]
    columns: Annotated[tuple[PublishedColumn, ...], Field(min_length=1)]
    rows: Annotated[tuple[PublishedRow, ...], Field(min_length=1)]
    remarks: tuple[Remark, ...] = ()

    @cached_property
    def cells(self) -> tuple[tuple[PublishedFigure, ...], ...]:
        """The figures, row by row."""
        return tuple(tuple(self._figure(row, place) for place in range(len(self.columns))) for row in self.rows)

    def _figure(self, row: PublishedRow, place: int) -> PublishedFigure:
        column = self.columns[place]
        remarks = tuple(remark.text for remark in self.remarks if remark.concerns(row, column))
        names: dict[str, Any] = {"table": self.number, "group": row.group, "row": row.label, "column": column.label}
        settings = self.settings | column.settings | row.settings
        return PublishedFigure(**names, **settings, published=row.published[place], remarks=remarks)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        for row in self.rows:
            if len(row.published) != len(self.columns):
                raise ValueError(f"row '{row.title}': {len(row.published)} figures for {len(self.columns)} columns")
        for remark in self.remarks:
            if not any(remark.concerns(row, column) for row in self.rows for column in self.columns):
                raise ValueError(f"remark '{remark.text}': concerns no cell")
        _ = self.cells  # each is checked as it is made
        return self


_TABLES = TypeAdapter(tuple[PublishedTable, ...])


@cache
def published_tables() -> tuple[PublishedTable, ...]:
    """The paper's tables 1 to 5, in order.

    Raises:
        pydantic.ValidationError: the package's file is damaged.
    """
    text = files("orchestrator.report.paper").joinpath("results.yaml").read_text(encoding="utf-8")
    return parse_tables(text)


def parse_tables(text: str) -> tuple[PublishedTable, ...]:
    """Tables from YAML such as `results.yaml`.

    Raises:
        pydantic.ValidationError: a cell does not name all that it is of, or names it wrong.
    """
    return _TABLES.validate_json(json.dumps(yaml.safe_load(text)))
