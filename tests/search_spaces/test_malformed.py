"""No text and no data, however malformed, may show the user a traceback."""

import json

import yaml
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Space, SpaceError, parse_space
from search_spaces.schema.registered_sections import sections
from search_spaces.space import legal_keys

SECTIONS = sections()

KEYS = [*legal_keys(()), *(key for section in SECTIONS.values() for key in section.model_fields)]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["8/255", "pgd", "digits", "paper", "1e-3"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
)
SECTION_VALUES = {
    name: VALUES | st.dictionaries(st.sampled_from(list(section.model_fields)), SCALARS | st.lists(SCALARS, max_size=3))
    for name, section in SECTIONS.items()
}
GRIDS = st.fixed_dictionaries({}, optional={**SECTION_VALUES, "seed": VALUES})
VARIANTS = VALUES | st.lists(GRIDS | VALUES, max_size=3)
FILES = st.fixed_dictionaries({}, optional={**SECTION_VALUES, "variants": VARIANTS}) | VALUES
YAML_TEXT = st.text(alphabet="ab:-[]{}&*!|>'\"%#?,<=.\\xU0159/~ \n\t", max_size=60)


def loads_or_explains(text, overrides=()):
    try:
        space = parse_space(text, label="x.yaml", stem="x", overrides=overrides)
    except SpaceError as error:
        for line in str(error).split("\n"):
            assert line.startswith(("x.yaml:", "override: "))
            assert line.isprintable()
            assert len(line) < 1000
    else:
        assert isinstance(space, Space)


@given(st.text() | YAML_TEXT)
def test_any_text_loads_or_is_explained(text):
    loads_or_explains(text)


@given(FILES)
def test_any_json_loads_or_is_explained(data):
    loads_or_explains(json.dumps(data))


@given(FILES)
def test_any_yaml_loads_or_is_explained(data):
    loads_or_explains(yaml.safe_dump(data))


INSIDE = st.lists(st.sampled_from([*KEYS, "0", "1"]), max_size=4)
PATHS = (INSIDE | INSIDE.map(lambda inside: ["variants", "0", *inside])).map(".".join)
OVERRIDES = st.builds("{}={}".format, PATHS, VALUES.map(json.dumps) | YAML_TEXT) | st.text()


@given(FILES, st.lists(OVERRIDES, max_size=3))
def test_any_override_of_any_file_is_applied_or_explained(data, overrides):
    loads_or_explains(json.dumps(data), overrides)


RANGES = VALUES | st.fixed_dictionaries(
    {}, optional={"min": SCALARS, "max": SCALARS, "step": SCALARS, "log": VALUES, "values": VALUES, "when": VALUES}
)
SEARCHES = st.fixed_dictionaries(
    {"method": st.sampled_from(["optuna", "optna"])},
    optional={
        "data": st.fixed_dictionaries({"name": st.just("digits") | RANGES}, optional={"train_examples": RANGES}),
        "model": st.fixed_dictionaries({}, optional={"theta": RANGES, "tensorized": RANGES, "width": RANGES}) | VALUES,
        "training": st.fixed_dictionaries({"epochs": st.just(1) | RANGES}, optional={"adversarial_epsilon": RANGES | st.lists(RANGES)}),
        "attacks": st.lists(st.fixed_dictionaries({"attack": st.just("pgd") | RANGES, "epsilon": st.just("8/255") | RANGES}), max_size=2),
        "search": st.fixed_dictionaries(
            {"n_trials": st.just(3) | VALUES, "objectives": st.just(["clean_accuracy"]) | VALUES},
            optional={"constraints": VALUES, "rungs": VALUES, "precision": VALUES},
        ),
        "seed": RANGES,
    },
)


@given(SEARCHES)
def test_any_search_loads_or_is_explained(data):
    loads_or_explains(json.dumps(data))
