"""A space: the grids that one file describes, which are the file itself or, where it has variants, one grid for each of them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from search_spaces.schema import LISTS, SECTIONS, Grid, SpaceName, SpaceTitle
from workers.fields import Frozen

Location = tuple[str | int, ...]

_HEADER = ("name", "description", "method")
_MERGED = SECTIONS.keys() - LISTS.keys()
VARIANTS = "variants"


def _at_least_one(grids: tuple[Grid, ...]) -> tuple[Grid, ...]:
    if not grids:
        raise ValueError("must name at least one variant")
    return grids


class Space(Frozen):
    """What varies: the union of the grids that one space file describes.

    Validated from the file's data. `variants`, a list of partial files, gives one grid for each: the variant laid over the rest of
    the file. Only these grids are validated: a setting of the file that every variant replaces is never looked at.
    """

    name: SpaceName
    description: SpaceTitle = ""
    method: Literal["grid"] = "grid"
    grids: Annotated[tuple[Grid, ...], Field(strict=False), AfterValidator(_at_least_one)]

    @model_validator(mode="before")
    @classmethod
    def _has_one_grid_for_each_variant(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        header = {key: value for key, value in data.items() if key in _HEADER}
        shared = {key: value for key, value in data.items() if key not in {*_HEADER, VARIANTS}}
        return {**header, "grids": _grids(shared, data.get(VARIANTS))}


def _grids(shared: dict[str, Any], variants: object) -> object:
    if variants is None:
        return [shared]
    return [_laid_over(shared, variant) for variant in variants] if isinstance(variants, list) else variants


def _laid_over(shared: dict[str, Any], variant: object) -> object:
    """The file's settings with a variant's: sections are merged setting by setting, lists and everything else are replaced."""
    if variant is None:
        return shared
    if not isinstance(variant, dict):
        return variant
    return {**shared, **{key: _merged(shared.get(key), given) if key in _MERGED else given for key, given in variant.items()}}


def _merged(held: Any, given: Any) -> Any:
    """A section laid over another; a null one adds nothing, and what is no section stays, to be reported where it stands."""
    if held is None or not _is_section(given):
        return given
    return {**held, **(given or {})} if isinstance(held, dict) else held


def _is_section(value: object) -> bool:
    return value is None or isinstance(value, dict)


def origin(location: Location, data: Mapping[str, Any], *, everywhere: bool) -> Location:
    """Where in the file's data that is which lies at `location` in its `Space`: in a variant if it says so, else in the file itself.

    Args:
        location: pydantic's, of a value or of something that is missing.
        data: the file's data.
        everywhere: whether every grid has it; what is missing from the sections of the file and of a variant alike is then the file's.
    """
    if location[0] != "grids":
        return location
    variants = data.get(VARIANTS)
    if len(location) == 1 or variants is None:
        return location[2:] or (VARIANTS,)
    index, inside = location[1], location[2:]
    own = not inside or _is_own(variants[index], inside, data, unless_tied=everywhere)
    return (VARIANTS, index, *inside) if own else inside


def _is_own(variant: dict[str, Any] | None, path: Location, shared: Mapping[str, Any], *, unless_tied: bool) -> bool:
    """Whether a variant, rather than the file it is laid over, has what is at `path`, or the most of the way there."""
    section, decided = str(path[0]), _decided(path)
    laid_over_it = section in _MERGED and _is_section((variant or {}).get(section))
    if laid_over_it and not _is_section(shared.get(section)):
        return False
    own, held = _depth(variant, decided), _depth(shared, decided)
    whole_section = laid_over_it and len(path) == 1
    return own > held or (own == len(decided) and not whole_section) or (own == held > 0 and not unless_tied)


def _decided(path: Location) -> Location:
    """The part of a path below which nothing is merged."""
    return path[:2] if path[0] in _MERGED else path[:1]


def _depth(data: object, path: Location) -> int:
    """How many parts of the path there are."""
    for depth, part in enumerate(path):
        if not isinstance(data, dict) or part not in data:
            return depth
        data = data[part]
    return len(path)


def usable(data: Mapping[str, Any]) -> int:
    """How many grids are made of the file's own settings: one for each variant that is none or a mapping."""
    variants = data.get(VARIANTS)
    return sum(variant is None or isinstance(variant, dict) for variant in variants) if isinstance(variants, list) else 1


def sets(variant: object, path: Location) -> bool:
    """Whether a variant has a value of its own for the setting at `path`."""
    return _depth(variant, _decided(path)) == len(_decided(path))


def divided(path: Location) -> tuple[Location, Location]:
    """A path in a file as the variant it lies in, `("variants", 1)` or `()` for the file itself, and the path inside of that."""
    end = 2 if path[:1] == (VARIANTS,) and len(path) > 1 else 0
    return path[:end], path[end:]


def legal_keys(path: Location) -> list[str]:
    """The keys that the mapping at `path` may hold: () is the file, ("variants", 1) a variant, ("model",) and ("attacks", 0) sections."""
    within, inside = divided(path)
    if inside:
        return list(SECTIONS[str(inside[0])].model_fields)
    return list(Grid.model_fields) if within else [*_HEADER, *Grid.model_fields, VARIANTS]
