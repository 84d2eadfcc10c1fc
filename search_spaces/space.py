"""A space, as one file describes it: one grid, or with variants one for each of them, or a search."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from search_spaces.ranges.legality import error, relocated
from search_spaces.ranges.objective_attacks import attacks_meant, objective_errors
from search_spaces.ranges.read_ranges import SEARCHED, read_ranges
from search_spaces.ranges.substitute import filled
from search_spaces.ranges.written_range import WrittenRange
from search_spaces.schema.attack_groups import Asked
from search_spaces.schema.axes import named_fields
from search_spaces.schema.component_axes import ComponentAxes
from search_spaces.schema.grid import Grid, SpaceName, SpaceTitle
from search_spaces.schema.parameter import Parameter, ParameterValue
from search_spaces.schema.racing_section import RacingSection
from search_spaces.schema.registered_sections import LISTS, SECTION_NAMES, grid_type, sections
from search_spaces.schema.search_section import SEARCH_PARTS, Objective, SearchSection
from workers.components.settings import Frozen

S = TypeVar("S")
Location = tuple[str | int, ...]

SEARCH, VARIANTS = "search", "variants"
VALIDATION_SHARE = 0.1
"""Share of the training examples that a search holds out unless its space says otherwise."""
_HEADER = ("name", "description", "plugins", "method", SEARCH)
_MOST_VARIANTS = 10_000
_MERGED = frozenset(SECTION_NAMES) - LISTS.keys()


class Space(Frozen):
    """The configurations to try: the union of the grids that one space file describes, or a search in the ranges that it names.

    Validated from the file's data. `variants`, a list of partial files, gives one grid for each: the variant laid over the rest of
    the file. Only these grids are validated: a setting of the file that every variant replaces is never checked.

    With method optuna there are no grids beforehand: a search chooses values for `parameters`, and `at` gives the grid of one choice.
    """

    name: SpaceName
    description: SpaceTitle = ""
    plugins: Annotated[tuple[str, ...], Field(strict=False)] = ()
    method: Literal["grid", "optuna"] = "grid"
    search: SearchSection | None = None
    grids: Annotated[tuple[Grid, ...], Field(strict=False)]
    parameters: tuple[Parameter, ...] = ()
    template: dict[str, Any] = Field(default={}, repr=False)
    _weights: Mapping[str, str] = PrivateAttr(default={})

    @model_validator(mode="wrap")
    @classmethod
    def _from_a_file(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        data = with_flat_settings(data)
        header = {key: value for key, value in data.items() if key in _HEADER}
        shared = {key: value for key, value in data.items() if key not in {*_HEADER, VARIANTS}}
        if _is_search(header):
            return _search(header, shared, data.get(VARIANTS), handler)
        errors = [_no_search(data[SEARCH])] if SEARCH in data else []
        variants = data.get(VARIANTS)
        if isinstance(variants, list) and not 1 <= len(variants) <= _MOST_VARIANTS:
            message = f"{len(variants):,} variants; must be at most {_MOST_VARIANTS:,}" if variants else "must name at least one variant"
            errors.append(error((VARIANTS,), variants, message))
            variants = variants[:1]
        grids = {key: value for key, value in header.items() if key != SEARCH} | {"grids": _grids(shared, variants)}
        return _handled(grids, errors, handler)

    def at(self, values: Mapping[str, ParameterValue]) -> Grid:
        """Return the grid of one choice, which is the same as that of a file that names these values instead of ranges, except that its
        models are measured on the validation split, where they have one.

        Args:
            values: by the parameters' names; one for each that applies under the others (`Parameter.applies`), and for no other.

        Raises:
            ValueError: a value is missing, superfluous or illegal, or they cannot be combined; one line says why.
        """
        data = filled(self.template, self.parameters, values)
        try:
            return grid_type().model_validate(data).with_weights(self._weights).measured_on("validation")
        except ValidationError as invalid:
            found = invalid.errors(include_url=False)[0]
            where = ".".join(map(str, found["loc"]))
            raise ValueError(f"{where}: {found['msg'].removeprefix('Value error, ')}") from None

    @property
    def race(self) -> RacingSection | None:
        """The race that the trials of a search run; None where they do not."""
        racing = self.template.get("racing")
        return None if racing is None else RacingSection.model_validate(racing)

    @property
    def named_weights(self) -> tuple[str, ...]:
        """The weights of adopted networks that the space, or any choice of its search, has, as they are written there."""
        chosen = [parameter.choices for parameter in self.parameters if parameter.name == "model.weights"]
        given = (self.template.get("model") or {}).get("weights")
        fixed = given if isinstance(given, list) else [given]
        found = [*(name for grid in self.grids for name in grid.model.weights), *(name for choices in chosen for name in choices), *fixed]
        return tuple(dict.fromkeys(name for name in found if isinstance(name, str)))

    @property
    def weights(self) -> Mapping[str, str]:
        """The digests of the weights that it names, by how they are written."""
        return self._weights

    def with_weights(self, digests: Mapping[str, str]) -> Self:
        """The same space, whose grids know these digests of adopted weights, by how they are written."""
        known = self.model_copy(update={"grids": tuple(grid.with_weights(digests) for grid in self.grids)})
        known._weights = digests
        return known

    def attacks_of(self, objective: Objective, grid: Grid) -> tuple[Asked, ...]:
        """Return the attacks of the grid of a choice by which an objective is measured: one for `robust_accuracy`, for the others all
        that count, as `AttackGroup.resolved` gives them for a randomised model."""
        return attacks_meant(objective, grid, self.parameters)


def _is_search(header: dict[str, Any]) -> bool:
    """Tell whether a file describes a search; one with a mistyped method does where it has a section `search`."""
    method = header.get("method", "grid")
    return bool(method == "optuna" or (method != "grid" and SEARCH in header))


def _no_search(section: object) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("no_search", "only method optuna has this section"), loc=(SEARCH,), input=section)


def _search(header: dict[str, Any], shared: dict[str, Any], variants: object, handler: ModelWrapValidatorHandler[S]) -> S:
    """Return the space of a file with method optuna."""
    shared = _with_validation(shared)
    found = read_ranges(shared)
    errors = list(found.errors)
    if variants is not None:
        errors.append(error((VARIANTS,), variants, "not with method optuna; `when:` says where a range applies"))
    if header.get(SEARCH) is None:
        errors.append(InitErrorDetails(type="missing", loc=(SEARCH,), input=header))
        header = {key: value for key, value in header.items() if key != SEARCH}
    elif not found.errors:
        errors += [*objective_errors(header[SEARCH], shared, found.parameters), *_racing_errors(header[SEARCH], shared)]
    parts = {"grids": (), "parameters": found.parameters if not found.errors else (), "template": shared}
    return _handled({**header, **parts}, errors, handler)


def _racing_errors(section: object, shared: Mapping[str, Any]) -> Iterator[InitErrorDetails]:
    """Yield the error of a search's race; none where one of the sections is invalid by itself."""
    if (racing := shared.get("racing")) is None:
        return
    try:
        search, race = SearchSection.model_validate(section), RacingSection.model_validate(racing)
    except ValidationError:
        return
    try:
        race.require_searched_by(search, seeds=shared.get("seed"))
    except ValueError as complaint:
        yield error(("racing",), racing, str(complaint))


def _with_validation(shared: dict[str, Any]) -> dict[str, Any]:
    """Return a search's settings with a tenth of the training examples held out, to choose by, unless they say what is; nothing where the
    network is trained elsewhere, on unknown data."""
    data, model = shared.get("data"), shared.get("model")
    adopts = isinstance(model, dict) and model.get("weights") is not None
    if not isinstance(data, dict) or adopts:
        return shared
    return {**shared, "data": {**data, "validation_examples": data.get("validation_examples", VALIDATION_SHARE)}}


def _handled(data: dict[str, Any], errors: list[InitErrorDetails], handler: ModelWrapValidatorHandler[S]) -> S:
    """Validate the fields; their errors and those already found are raised together."""
    try:
        space = handler(data)
    except ValidationError as invalid:
        errors = [*relocated(invalid, ()), *errors]
    if errors:
        raise ValidationError.from_exception_data("Space", errors)
    return space


def _grids(shared: dict[str, Any], variants: object) -> object:
    if variants is None:
        return [shared]
    return [_laid_over(shared, variant) for variant in variants] if isinstance(variants, list) else variants


def _laid_over(shared: dict[str, Any], variant: object) -> object:
    """Return the file's settings with a variant's: sections are merged setting by setting, lists and everything else are replaced."""
    if variant is None:
        return shared
    if not isinstance(variant, dict):
        return variant
    return {**shared, **{key: _merged(shared.get(key), given) if key in _MERGED else given for key, given in variant.items()}}


def _merged(held: Any, given: Any) -> Any:
    """Merge a section over another; a null one adds nothing, and a value that is no section stays, to be reported at its own path."""
    if held is None or not _is_section(given):
        return given
    return {**held, **(given or {})} if isinstance(held, dict) else held


def _is_section(value: object) -> bool:
    return value is None or isinstance(value, dict)


def origin(location: Location, data: Mapping[str, Any], *, everywhere: bool) -> Location:
    """Return the path in the file's data of what is at `location` in its `Space`: in a variant if that sets it, else in the file itself.

    Args:
        location: pydantic's, of a value or of a missing one.
        data: the file's data.
        everywhere: true where every grid has it; what is missing from the sections of the file and of a variant alike is then the file's.
    """
    if location[:1] != ("grids",):
        return location
    variants = data.get(VARIANTS)
    if len(location) == 1 or variants is None:
        return location[2:] or (VARIANTS,)
    index, inside = location[1], location[2:]
    own = not inside or _is_own(variants[index], inside, data, unless_tied=everywhere)
    return (VARIANTS, index, *inside) if own else inside


def _is_own(variant: dict[str, Any] | None, path: Location, shared: Mapping[str, Any], *, unless_tied: bool) -> bool:
    """Tell whether a variant, rather than the file it is laid over, holds `path`, or the longer part of it."""
    section, decided = str(path[0]), _decided(path)
    laid_over_it = section in _MERGED and _is_section((variant or {}).get(section))
    if laid_over_it and not _is_section(shared.get(section)):
        return False
    own, held = _depth(variant, decided), _depth(shared, decided)
    whole_section = laid_over_it and len(path) == 1
    return own > held or (own == len(decided) and not whole_section) or (own == held > 0 and not unless_tied)


def _decided(path: Location) -> Location:
    """Return the part of a path below which nothing is merged."""
    return path[:2] if path[0] in _MERGED else path[:1]


def _depth(data: object, path: Location) -> int:
    """Return the number of leading parts of the path that exist."""
    for depth, part in enumerate(path):
        if not isinstance(data, dict) or part not in data:
            return depth
        data = data[part]
    return len(path)


def usable(data: Mapping[str, Any]) -> int:
    """Return the number of grids made of the file's own settings: one for each variant that is null or a mapping."""
    variants = data.get(VARIANTS)
    return sum(variant is None or isinstance(variant, dict) for variant in variants) if isinstance(variants, list) else 1


def sets(variant: object, path: Location) -> bool:
    """Tell whether a variant has its own value for the setting at `path`."""
    return _depth(variant, _decided(path)) == len(_decided(path))


def divided(path: Location) -> tuple[Location, Location]:
    """Split a path in a file into the variant it lies in, `("variants", 1)` or `()` for the file itself, and the path within that."""
    end = 2 if path[:1] == (VARIANTS,) and len(path) > 1 else 0
    return path[:end], path[end:]


def legal_keys(path: Location) -> list[str]:
    """The keys that the mapping at `path` may hold: () is the file, ("variants", 1) a variant, ("model",) and ("attacks", 0) sections,
    ("model", "theta") a range."""
    within, inside = divided(path)
    if not inside:
        return list(grid_type().model_fields) if within else [*_HEADER, *grid_type().model_fields, VARIANTS]
    if inside[0] == SEARCH:
        return list((SEARCH_PARTS[str(inside[1])] if len(inside) > 1 else SearchSection).model_fields)
    depth = 0 if inside[0] == "seed" else 2 if inside[0] in LISTS else 1
    is_range = len(inside) > depth and inside[0] in SEARCHED
    return _keys(WrittenRange if is_range else sections()[str(inside[0])])


def _keys(section: type[Frozen]) -> list[str]:
    """A section's settings, those of its components next to the component's name."""
    if not issubclass(section, ComponentAxes) or section.named_by != "name":
        return list(named_fields(section))
    rest = [name for name in named_fields(section) if name != section.named_by and name not in section.own]
    return [section.named_by, *sorted(section.own), *rest]


def space_type() -> type[Space]:
    """The type of spaces with the settings of every component that is registered now."""
    grids: Any = (Annotated[tuple[grid_type(), ...], Field(strict=False)], ...)  # type: ignore[misc]
    return create_model("Space", __base__=Space, __module__=Space.__module__, grids=grids)


def with_flat_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """A file's data with the settings of components, which may be written in a mapping `settings`, among those of their section."""
    flat = {key: _flat(value) if key in SECTION_NAMES else value for key, value in data.items()}
    if isinstance(flat.get(VARIANTS), list):
        flat[VARIANTS] = [with_flat_settings(variant) if isinstance(variant, dict) else variant for variant in flat[VARIANTS]]
    return flat


def _flat(section: Any) -> Any:
    if isinstance(section, list):
        return [_flat(item) for item in section]
    if not isinstance(section, dict) or not isinstance(section.get("settings"), dict):
        return section
    nested = {name: value for name, value in section["settings"].items() if name not in section}
    return {name: value for name, value in section.items() if name != "settings"} | nested


def given_twice(data: Mapping[str, Any], within: Location = ()) -> Iterator[Location]:
    """Yield where a file has a component's setting both in `settings` and next to them."""
    for name, value in data.items():
        if name == VARIANTS and isinstance(value, list):
            for number, variant in enumerate(value):
                yield from given_twice(variant, (VARIANTS, number)) if isinstance(variant, dict) else ()
        elif name in SECTION_NAMES:
            numbered = [((name, number), item) for number, item in enumerate(value)] if isinstance(value, list) else [((name,), value)]
            for path, section in numbered:
                nested = section.get("settings") if isinstance(section, dict) else None
                yield from ((*within, *path, key) for key in nested if key in section) if isinstance(nested, dict) else ()


def as_written(path: Location, data: Any) -> Location:
    """Return a setting's path as the file has it, in `settings` where it is there."""
    written: list[str | int] = []
    for part in path:
        nested = data.get("settings") if isinstance(data, dict) and part not in data else None
        if isinstance(nested, dict) and part in nested:
            written.append("settings")
            data = nested
        written.append(part)
        data = _inside(data, part)
    return tuple(written)


def _inside(data: Any, part: str | int) -> Any:
    """Return the item of a mapping or a list, or None."""
    if isinstance(data, dict):
        return data.get(part)
    return data[part] if isinstance(data, list) and isinstance(part, int) and part < len(data) else None
