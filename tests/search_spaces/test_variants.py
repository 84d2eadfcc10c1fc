"""A file with variants is a union of grids: each variant laid over the rest of the file."""

import pytest

from search_spaces import Grid, SpaceError, load_space, parse_space
from workers.registry import ATTACKS

FILE = """\
data:
  name: digits
model:
  width: 2
  theta: [1.0, 0.9]
training:
  epochs: 2
attacks:
  - attack: pgd
    epsilon: [2/255, 8/255]
variants:
  -
  - model:
      tensorized: false
      theta: 1.0
    seed: [1, 2]
    attacks:
      - attack: fgsm
        epsilon: 8/255
  - training:
      epochs: 3
    attacks: []
"""


def grids(text, *overrides):
    return parse_space(text, label="x.yaml", stem="x", overrides=overrides).grids


def problems(text, *overrides):
    with pytest.raises(SpaceError) as caught:
        grids(text, *overrides)
    return str(caught.value).splitlines()


def test_sections_are_merged_setting_by_setting_and_everything_else_is_replaced():
    own, dense, longer = grids(FILE)
    assert (own.seed, own.model.width, own.model.theta, own.model.tensorized, own.training.epochs) == ((0,), (2,), (1.0, 0.9), (), (2,))
    assert (dense.seed, dense.model.width, dense.model.theta, dense.model.tensorized) == ((1, 2), (2,), (1.0,), (False,))
    assert [(group.attack, group.epsilon) for group in dense.attacks] == [(("fgsm",), ("8/255",))]
    assert (longer.model, longer.training.epochs, longer.attacks) == (own.model, (3,), ())


@pytest.mark.parametrize("empty", ["", "{}", "null", "{model: }", "{model: {}, training: , evaluation: {}}"])
def test_an_empty_variant_is_the_file_itself(empty):
    head, _, _ = FILE.partition("variants:")
    assert grids(f"{head}variants: [{empty or 'null'}]") == grids(head) == grids(f"{head}variants:\n  # - model: {{}}\n")


def test_every_section_can_vary():
    variant = "{data: {name: tones}, model: {name: soundnet5}, fine_tuning: {epochs: 3}}"
    (grid,) = grids(f"data: {{name: digits}}\ntraining: {{epochs: 1}}\nvariants: [{variant}]")
    assert (grid.data.name, grid.model.name, grid.fine_tuning.epochs) == (("tones",), ("soundnet5",), (3,))
    assert [grid.evaluation.examples for grid in grids(FILE, "variants.0={evaluation: {examples: 9}}")] == [9, None, None]


def test_what_the_file_leaves_out_the_variants_may_give():
    (grid,) = grids("variants: [{data: {name: digits}, training: {epochs: 1}}]")
    assert (grid.data.name, grid.training.epochs) == (("digits",), (1,))


def test_a_setting_that_every_variant_replaces_is_not_looked_at():
    text = (
        FILE.replace("[1.0, 0.9]", "1.3")
        .replace("  -\n", "  - model: {theta: 0.8}\n")
        .replace("epochs: 3", "epochs: 3\n    model: {theta: 1}")
    )
    assert [grid.model.theta for grid in grids(text)] == [(0.8,), (1.0,), (1.0,)]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("  theta: 1.0", "  theta: 1.3", "x.yaml:15: variants.1.model.theta=1.3: must be in (0, 1]"),
        ("  theta: 1.0", "  theta: [1.0,\n        0.8]", "x.yaml:15: variants.1.model.theta=[1.0, 0.8]: theta=0.8 with tensorized=false: "),
        (
            "fgsm",
            "fsgm",
            "x.yaml:18: variants.1.attacks.0.attack='fsgm': one of apgd_ce, apgd_dlr, ",
        ),
        (
            "attack: fgsm\n",
            "attack: fgsm\n        epsilno: 2\n",
            "x.yaml:19: variants.1.attacks.0.epsilno: unknown key; did you mean 'epsilon'? legal: attack, norm, epsilon, ",
        ),
        ("  seed: [1, 2]", "  sede: [1, 2]", "x.yaml:16: variants.1.sede: unknown key; did you mean 'seed'? legal: seed, data, "),
        ("  seed: [1, 2]", "  name: y", "x.yaml:16: variants.1.name: unknown key; legal: seed, data, "),
        ("  seed: [1, 2]", "  variants: []", "x.yaml:16: variants.1.variants: unknown key; legal: seed, data, "),
        ("  seed: [1, 2]", "  seed: {a: 1}", "x.yaml:16: variants.1.seed={'a': 1}: must be a whole number"),
        (
            "      tensorized",
            "      tensorised",
            "x.yaml:14: variants.1.model.tensorised: unknown key; did you mean 'tensorized'? legal: name, ",
        ),
        ("  -\n", "  - 3\n", "x.yaml:12: variants.0=3: must be a mapping (key: value)"),
        ("  -\n", "  - !!set {a}\n", "x.yaml:12: tag '!!set' is not allowed"),
        ("  - training:\n      epochs: 3\n", "  - training: 3\n", "x.yaml:20: variants.2.training=3: must be a mapping (key: value)"),
        (
            "epochs: 3",
            "recipe: fats",
            "x.yaml:21: variants.2.training.recipe='fats': one of awp, custom, fast, fast_at, grad_align, madry, mart, paper, trades",
        ),
        (
            "  -\n",
            "  - model: {name: soundnet5}\n",
            "x.yaml:12: variants.0.model.name=soundnet5: takes audio inputs, and digits",
        ),
    ],
)
def test_a_mistake_in_a_variant_is_one_line_that_points_into_the_variant(old, new, line):
    (found,) = problems(FILE.replace(old, new, 1))
    assert found.startswith(line)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("width: 2", "width: 0", "x.yaml:4: model.width=0: must be >= 1"),
        ("width: 2", "wdth: 2", "x.yaml:4: model.wdth: unknown key; did you mean 'width'? legal: name, "),
        (
            "data:\n",
            "modle:\ndata:\n",
            "x.yaml:1: modle: unknown key; did you mean 'model'? legal: name, description, plugins, method, ",
        ),
        ("data:\n  name: digits\n", "", "x.yaml:1: data: missing; it is required"),
        ("model:\n  width: 2\n  theta: [1.0, 0.9]\n", "model: 3\n", "x.yaml:3: model=3: must be a mapping (key: value)"),
        ("  epochs: 2\n", "  batch_size: 2\n", "x.yaml:6: training.epochs: missing; it is required"),
        ("data:\n", "name: a b\ndata:\n", "x.yaml:1: name='a b': must be at most 100 letters"),
    ],
)
def test_a_mistake_that_every_variant_inherits_is_reported_once_where_it_stands(old, new, line):
    (found,) = problems(FILE.replace("epochs: 3", "momentum: 0.5").replace(old, new, 1))
    assert found.startswith(line)
    assert "(in variants" not in found


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("theta: [1.0, 0.9]", "theta: 1.3", "x.yaml:5: model.theta=1.3: must be in (0, 1] (in variants.0, variants.2)"),
        (
            "pgd",
            "pdg",
            f"x.yaml:9: attacks.0.attack='pdg': one of {', '.join(ATTACKS.names())}, foolbox:NAME (did you mean pgd?) (in variants.0)",
        ),
        (
            "      theta: 1.0\n",
            "",
            "x.yaml:5: model.theta=[1.0, 0.9]: theta=0.9 with tensorized=false: .* use theta 1.0 for dense (in variants.1)",
        ),
    ],
)
def test_a_mistake_of_the_file_that_only_some_variants_have_names_these(old, new, line):
    (found,) = problems(FILE.replace(old, new, 1))
    start, _, end = line.partition(".*")
    assert found.startswith(start)
    assert found.endswith(end)


@pytest.mark.parametrize("variants", ["3", "{model: {}}", "x"])
def test_variants_are_a_list(variants):
    (line,) = problems(f"{FILE.partition('variants:')[0]}variants: {variants}")
    assert line.startswith("x.yaml:11: variants=")
    assert line.endswith(": must be a list")


def test_no_variant_at_all_is_refused():
    assert problems(f"{FILE.partition('variants:')[0]}variants: []") == ["x.yaml:11: variants=[]: must name at least one variant"]


def test_the_mistakes_of_all_variants_are_reported_at_once_in_the_order_of_their_lines():
    text = (
        FILE.replace("width: 2", "width: 0")
        .replace("tensorized", "tensorised")
        .replace("epochs: 3", "epochs: 0")
        .replace("  -\n", "  - 3\n")
    )
    assert [line.split(":")[1] for line in problems(text)] == ["4", "12", "14", "21"]


def test_an_override_reaches_one_variant_or_all_that_do_not_set_it():
    assert [grid.model.width for grid in grids(FILE, "model.width=8")] == [(8,)] * 3
    assert [grid.model.width for grid in grids(FILE, "variants.1.model.width=8")] == [(2,), (8,), (2,)]
    assert [grid.model.theta for grid in grids(FILE, "variants.0.model.theta=0.7")] == [(0.7,), (1.0,), (1.0, 0.9)]
    assert grids(FILE, "variants.1.attacks.0.epsilon=4/255")[1].attacks[0].epsilon == ("4/255",)
    assert len(grids(FILE, "variants=")) == 1


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("model.theta=0.5", "model.theta: not for variants.1, which set their own; override variants.1.model.theta as well, or instead"),
        ("model={theta: 0.5}", "model.theta: not for variants.1, which set their own; override variants.1.model.theta as well, or instead"),
        ("seed=5", "seed: not for variants.1, which set their own; override variants.1.seed as well, or instead"),
        (
            "attacks.0.epsilon=4/255",
            "attacks.0.epsilon: not for variants.1, variants.2, which set their own; "
            "override variants.1.attacks.0.epsilon, variants.2.attacks.0.epsilon as well, or instead",
        ),
        ("variants.3.seed=1", "variants.3.seed: no such variant; legal: variants.0, variants.1, variants.2"),
        ("variants.x=1", "variants.x: no such variant; legal: variants.0, variants.1, variants.2"),
        ("variants.0.attacks.0.epsilon=1", "variants.0.attacks.0.epsilon: no such attack group; legal: none"),
        ("variants.1.attacks.1.epsilon=1", "variants.1.attacks.1.epsilon: no such attack group; legal: variants.1.attacks.0"),
        ("variants.1.model.theta=1.3", "variants.1.model.theta=1.3: must be in (0, 1]"),
        ("variants.1.model.theta.0=1", "variants.1.model.theta.0: unknown path; a setting has no parts"),
        ("variants=3", "variants=3: must be a list"),
        ("variants.0=3", "variants.0=3: must be a mapping (key: value)"),
    ],
)
def test_an_override_that_would_not_do_what_it_says_is_refused_in_one_line(override, line):
    assert problems(FILE, override) == [f"override: {line}"]


@pytest.mark.parametrize("override", ["variants.0.model.thta=1", "variants.0.name=y", "variants.1.attacks.0.epsilno=1", "variants.0.=1"])
def test_an_override_of_an_unknown_path_in_a_variant_names_the_legal_ones(override):
    (line,) = problems(FILE, override)
    assert line.startswith(f"override: {override.split('=')[0].rstrip('.')}")
    assert "unknown key" in line
    assert "legal: " in line


def test_an_override_of_a_setting_that_a_variant_sets_is_taken_where_another_override_is_for_that_variant():
    given = grids(FILE, "model.theta=0.5", "variants.1.model.theta=1")
    assert [grid.model.theta for grid in given] == [(0.5,), (1.0,), (0.5,)]
    assert [grid.seed for grid in grids(FILE, "variants.1={}", "seed=5")] == [(5,)] * 3
    assert [len(grid.attacks) for grid in grids(FILE, "attacks=[]", "variants.1.attacks.0.epsilon=0.1", "variants.2.attacks=[]")] == [
        0,
        1,
        0,
    ]


def test_a_space_knows_its_grids_and_the_text_it_came_from(tmp_path):
    path = tmp_path / "union.yaml"
    path.write_text(FILE)
    loaded = load_space(str(path), ["variants.1.seed=7"])
    assert all(isinstance(grid, Grid) for grid in loaded.space.grids)
    assert loaded.recorded_text == FILE + "\n# --set variants.1.seed=7"


def test_what_is_missing_because_of_a_variant_is_missing_in_the_variant():
    text = FILE.replace("epochs: 2", "recipe: fast").replace("epochs: 3", "recipe: custom")
    assert problems(text) == ["x.yaml:20: variants.2.training.epochs: missing; it is required"]


def test_sections_that_do_not_go_together_in_any_variant_are_one_mistake_of_the_file():
    text = "data: {name: tones}\ntraining: {epochs: 1}\nmodel: {width: 2}\nvariants:\n  - model: {theta: 1.0}\n  - model: {theta: 0.9}\n"
    message = "model.name=resnet18: takes image inputs, and tones is audio; one of logmel, m11, m5, soundnet5"
    assert problems(text) == [f"x.yaml:3: {message}"]
    assert problems(text + "  - model: {name: logmel}\n") == [f"x.yaml:5: variants.0.{message}", f"x.yaml:6: variants.1.{message}"]
