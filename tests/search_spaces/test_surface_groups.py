import pytest

from search_spaces import SpaceError, parse_space
from search_spaces.schema.measuring_sections import SurfaceGroup
from workers.spec.surface import SurfaceSettings

FILE = """\
data: {name: digits}
training: {epochs: 1}
surfaces:
  - example: [0, 3]
    direction: own
    resolution: 5
variants:
  - {}
  - surfaces:
      - extent: 0.1
"""


def problems(text, *overrides):
    with pytest.raises(SpaceError) as caught:
        parse_space(text, label="x.yaml", stem="x", overrides=overrides)
    return str(caught.value).splitlines()


def test_every_setting_of_a_surface_is_an_axis_in_the_same_order():
    assert list(SurfaceGroup.model_fields) == list(SurfaceSettings.model_fields)


def test_a_group_is_every_combination_with_the_specs_defaults():
    assert list(SurfaceGroup().resolved()) == [SurfaceSettings()]
    group = SurfaceGroup.model_validate({"example": [0, 3], "direction": ["theta_one", "own"], "extent": 1})
    assert [(found.example, found.direction, found.extent) for found in group.resolved()] == [
        (0, "theta_one", 1.0), (0, "own", 1.0), (3, "theta_one", 1.0), (3, "own", 1.0),
    ]  # fmt: skip


def test_a_variants_surfaces_take_the_place_of_the_files():
    files, variants = parse_space(FILE, label="x.yaml", stem="x").grids
    assert [group.example for group in files.surfaces] == [(0, 3)]
    assert [(group.example, group.extent) for group in variants.surfaces] == [((), (0.1,))]


def test_surfaces_are_overridden_by_their_number():
    overrides = ["surfaces.0.example=7", "variants.1.surfaces=[]"]
    files, variants = parse_space(FILE, label="x.yaml", stem="x", overrides=overrides).grids
    assert (files.surfaces[0].example, files.surfaces[0].direction, variants.surfaces) == ((7,), ("own",), ())


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("own", "owm", "x.yaml:5: surfaces.0.direction='owm': one of own, theta_one"),
        ("resolution: 5", "resolution: 6", "x.yaml:6: surfaces.0.resolution=6: must be an odd number >= 3: "),
        ("resolution: 5", "extent: 0", "x.yaml:6: surfaces.0.extent=0: must be > 0"),
        ("resolution: 5", "resolutoin: 5", "x.yaml:6: surfaces.0.resolutoin: unknown key; did you mean 'resolution'? legal: example, "),
        ("extent: 0.1", "draws: 0", "x.yaml:10: variants.1.surfaces.0.draws=0: must be >= 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old, new, line):
    (found,) = problems(FILE.replace(old, new))
    assert found.startswith(line)


def test_an_override_of_a_group_that_is_not_there_names_those_that_are():
    (line,) = problems(FILE, "surfaces.1.extent=1")
    assert line == "override: surfaces.1.extent: no such surface group; legal: surfaces.0"
