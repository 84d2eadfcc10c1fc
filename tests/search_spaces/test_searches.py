"""A space of method optuna: its ranges become parameters, and every choice of their values an ordinary grid."""

import pytest

from orchestrator.planning.expand import expand_space
from search_spaces import Constraint, Objective, Parameter, Rung, Space, SpaceError, load_space, parse_space

FILE = """\
method: optuna
search:
  n_trials: 3
  objectives: [clean_accuracy, {metric: robust_accuracy, attack: pgd, epsilon: 8/255}]
  constraints: [parameters <= 1e5]
  rungs: [{epochs: 0.25, steps: 5}, {epochs: 0.5}]
data: {name: digits}
model:
  theta: {min: 0.8, max: 1.0, step: 0.05, when: {model.tensorized: true}}
  tensorized: [true, false]
  width: 2
training:
  epochs: {min: 2, max: 5}
  adversarial_epsilon: [1/255, {min: 2/255, max: 8/255}]
  adversarial_steps: {values: [[1, 2], [3, 4]]}
attacks:
  - attack: [pgd, bim]
    epsilon: 8/255
    abs_stepsize: {min: 1/255, max: 4/255, log: true}
"""
VALUES = {
    "model.tensorized": True,
    "model.theta": 0.9500000000000001,
    "training.epochs": 3,
    "training.adversarial_epsilon.1": 0.02,
    "training.adversarial_steps": "[3, 4]",
    "attacks.0.abs_stepsize": 0.01,
}
DENSE = {name: value for name, value in VALUES.items() if name != "model.theta"} | {"model.tensorized": False}


def space(text=FILE, *overrides):
    return parse_space(text, label="x.yaml", stem="x", overrides=overrides)


def problems(text, *overrides):
    with pytest.raises(SpaceError) as caught:
        space(text, *overrides)
    return str(caught.value).splitlines()


def keys(grid):
    return [job.key for job in expand_space(Space.model_construct(grids=(grid,)))]


def test_every_range_is_a_parameter_and_what_others_hang_on_comes_first():
    assert space().parameters == (
        Parameter(name="model.tensorized", kind="categorical", choices=(True, False)),
        Parameter(name="model.theta", kind="float", low=0.8, high=1.0, step=0.05, when={"model.tensorized": (True,)}),
        Parameter(name="training.epochs", kind="int", low=2, high=5),
        Parameter(name="training.adversarial_epsilon.1", kind="float", low=2 / 255, high=8 / 255),
        Parameter(name="training.adversarial_steps", kind="categorical", choices=("[1, 2]", "[3, 4]")),
        Parameter(name="attacks.0.abs_stepsize", kind="float", low=1 / 255, high=4 / 255, log=True),
    )


def test_a_search_has_no_grids_beforehand_and_knows_how_it_is_done():
    found = space()
    assert (found.grids, expand_space(found)) == ((), [])
    assert found.search.objectives == (
        Objective(metric="clean_accuracy", goal="maximize"),
        Objective(metric="robust_accuracy", attack="pgd", epsilon="8/255"),
    )
    assert found.search.constraints == (Constraint(metric="parameters", direction="<=", bound=1e5),)
    assert found.search.rungs == (Rung(epochs=0.25, steps=5), Rung(epochs=0.5))
    assert (found.search.sampler, found.search.seed, found.search.timeout, found.search.precision) == ("tpe", 0, None, None)


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (VALUES, ("theta: 0.95", "tensorized: true")),
        (DENSE, ("", "tensorized: false")),
    ],
)
def test_a_choice_has_the_keys_of_a_grid_that_names_the_same_values(values, written):
    theta, tensorized = written
    _, _, body = FILE.partition("data:")
    text = (
        ("data:" + body)
        .replace("theta: {min: 0.8, max: 1.0, step: 0.05, when: {model.tensorized: true}}", theta)
        .replace("tensorized: [true, false]", tensorized)
        .replace("{min: 2, max: 5}", "3")
        .replace("{min: 2/255, max: 8/255}", "0.02")
        .replace("{values: [[1, 2], [3, 4]]}", "[3, 4]")
        .replace("{min: 1/255, max: 4/255, log: true}", "0.01")
    )
    (grid,) = space(text.replace("{name: digits}", "{name: digits, validation_examples: 0.1}")).grids
    assert keys(space().at(values)) == keys(grid.measured_on("validation"))
    assert set(keys(space().at(values))) < set(keys(grid)), "a grid is measured on test too"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model.theta": 0.5}, r"model.theta=0.5: must be in \[0.8, 1.0\]"),
        ({"training.epochs": 2.0}, r"training.epochs=2.0: must be a whole number in \[2, 5\]"),
        ({"training.adversarial_steps": "[9, 9]"}, r"training.adversarial_steps='\[9, 9\]': one of \[1, 2\], \[3, 4\]"),
        ({"model.tensorized": False}, "model.theta: does not apply under these values"),
        ({"model.width": 3}, "model.width: is not searched"),
    ],
)
def test_a_choice_that_the_space_does_not_have_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        space().at(VALUES | change)


def test_a_choice_without_a_value_is_refused():
    with pytest.raises(ValueError, match=r"model\.theta: applies, and has no value"):
        space().at({**DENSE, "model.tensorized": True})


def test_conditions_say_when_a_parameter_is_chosen():
    theta = space().parameters[1]
    assert theta.applies({"model.tensorized": True})
    assert not theta.applies({"model.tensorized": False})
    assert not theta.applies({})


STEPPED = "method: optuna\nsearch: {n_trials: 3, objectives: [clean_accuracy]}\ndata: {name: digits}\ntraining: {epochs: 1}\n"


@pytest.mark.parametrize(("low", "high", "step", "count"), [(0.2, 1.0, 1 / 15, 13), (0.166666667, 1, 0.166666667, 6), (0.1, 1.0, 0.1, 10)])
def test_a_stepped_range_has_every_value_up_to_its_top(low, high, step, count):
    (theta,) = space(STEPPED + f"model: {{theta: {{min: {low}, max: {high}, step: {step}}}}}\n").parameters
    values = [theta.exact(low + place * step) for place in range(count)]
    assert (values[0], values[-1], len(set(values))) == (low, high, count)
    for value in values:
        theta.require(value)


def test_steps_end_in_the_numbers_that_a_person_would_write():
    theta = space().parameters[1]
    assert [theta.exact(0.8 + 0.05 * step) for step in range(5)] == [0.8, 0.85, 0.9, 0.95, 1.0]


def test_a_list_in_a_group_of_attacks_is_no_choice_all_of_them_are_run():
    searched = space()
    (meant,) = searched.attacks_of(searched.search.objectives[1], searched.at(VALUES))
    assert (meant.attack.name, meant.attack.settings.abs_stepsize, meant.knowledge) == ("pgd", 0.01, "randomized")
    assert searched.at(VALUES).attacks[0].attack == ("pgd", "bim")


def test_what_is_searched_about_an_attack_tells_none_apart():
    text = FILE.replace("attack: [pgd, bim]", "attack: {values: [pgd, bim]}").replace("attack: pgd, ", "")
    searched = space(text)
    (meant,) = searched.attacks_of(searched.search.objectives[1], searched.at({**VALUES, "attacks.0.attack": "bim"}))
    assert meant.attack.name == "bim"


def test_ranges_and_the_search_can_be_overridden():
    found = space(FILE, "model.theta={min: 0.9, max: 1}", "search.n_trials=10", "model.width={values: [2, 4]}", "model.tensorized=true")
    assert [made.name for made in found.parameters][:3] == ["model.theta", "model.width", "training.epochs"]
    assert found.search.n_trials == 10


def test_attack_ranges_take_what_their_numbers_are_written_as():
    (group,) = space().at({**VALUES, "attacks.0.abs_stepsize": 1 / 255}).attacks
    assert group.abs_stepsize == ("1/255",)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("max: 1.0", "max: 1.3", "9: model.theta=1.3: must be in (0, 1]"),
        ("max: 1.0,", "mx: 1.0,", "9: model.theta.mx: unknown key; did you mean 'max'? legal: min, max, step, log, values, when"),
        ("min: 0.8", "min: 1.8", "9: model.theta={'max': 1.0, 'min': 1.8, ...}: min=1.8 is above max=1.0"),
        ("step: 0.05", "step: 0.3", "9: model.theta={...}: step=0.3: max must be min plus a whole number of steps"),
        ("step: 0.05", "step: 1e-9", "9: model.theta={...}: step=1e-09: must be at least a millionth of the range's larger end"),
        ("step: 0.05", "step: 1e6", "9: model.theta={...}: step=1e+06: max must be min plus a whole number of steps"),
        ("epochs: {min: 2,", "epochs: {min: 2.5,", "13: training.epochs={'max': 5, 'min': 2.5}: min=2.5: must be a whole number"),
        ("{min: 2, max: 5}", "{min: -1, max: 5, log: true}", "13: training.epochs={...}: log with min=-1: must be > 0"),
        ("{min: 2, max: 5}", "{min: 2}", "13: training.epochs={'min': 2}: a range has min and max, or values"),
        ("{min: 2, max: 5}", "{min: 2, values: [3]}", "13: training.epochs={...}: either values, or min and max"),
        ("{min: 2, max: 5}", "{values: []}", "13: training.epochs=[]: must name at least one value"),
        ("width: 2", "binary: {min: 0, max: 1}", "11: model.binary={...}: is not a number, it has no min and max; give it values: ["),
        (
            "tensorized: true}",
            "tensorised: true}",
            "9: model.theta={...}: when: model.tensorised is not searched; did you mean 'model.tensorized'? searched: ...",
        ),
        ("model.tensorized: true", "model.tensorized: 3", "9: model.theta={...}: when: model.tensorized=3: one of true, false"),
        (
            "[true, false]",
            "{values: [true, false], when: {model.theta: 1.0}}",
            "10: model.tensorized={...}: when: model.theta is a range of numbers; only a setting with values can be a condition",
        ),
        (", when: {model.tensorized: true}", "", "9: model.theta=[0.8, 1.0]: theta=0.8 with tensorized=false: ..."),
        ("[pgd, bim]", "fgsm", "19: attacks.0.abs_stepsize=...: attack fgsm has no abs_stepsize; leave abs_stepsize out"),
        (
            "[pgd, bim]",
            "{values: [pgd, fgsm]}",
            "19: attacks.0.abs_stepsize=...: attack fgsm has no abs_stepsize; leave abs_stepsize out "
            "(tried with attacks.0.attack=fgsm; `when:` says where a range applies)",
        ),
        ("attack: pgd, ", "", "4: search.objectives.1='robust_accuracy 8/255': means 2 of the space's attacks, it must ..."),
        ("attack: pgd,", "attack: fgsm,", "4: search.objectives.1=...: means none of the space's attacks, it must ..."),
        ("pgd, epsilon: 8/255}", "pgd, epsilon: 4/255}", "4: search.objectives.1=...: means none of the space's attacks, ..."),
        ("clean_accuracy", "clean_acuracy", "4: search.objectives.0.metric='clean_acuracy': one of attack_seconds, ..."),
        ("clean_accuracy", "worst_case_accuracy", "4: search.objectives.0=...: worst_case_accuracy: name an epsilon, ..."),
        ("clean_accuracy", "{metric: parameters, attack: pgd}", "4: search.objectives.0=...: parameters has no attack; leave attack out"),
        ("clean_accuracy,", "parameters, parameters,", "2: search.objectives: parameters twice"),
        ("parameters <= 1e5", "parameters = 1e5", "5: search.constraints.0='parameters = 1e5': must be a metric, <= or >=, ..."),
        ("parameters <= 1e5", "clean_accuracy >= 50", "5: search.constraints.0=...: must be in [0, 1], a share and not percent"),
        ("epochs: 0.25", "epochs: 0.75", "2: search.rungs: epochs must not fall from rung to rung, found 0.75, 0.5"),
        ("epochs: 0.25", "epochs: 1", "2: search.rungs: epochs are shares on some and numbers on others; write all alike"),
        ("{epochs: 0.5}", "{}", "6: search.rungs.1={}: a rung must reduce something: epochs, examples or steps"),
        ("n_trials: 3", "n_trails: 3\n  n_trials: 3", "3: search.n_trails: unknown key; did you mean 'n_trials'? ..."),
        ("  n_trials: 3\n", "", "2: search.n_trials: missing; it is required"),
        ("data:", "variants: [{}]\ndata:", "7: variants=[{}]: not with method optuna; `when:` says where a range applies"),
        ("width: 2\n", "width: 2\nsurfaces: [{extent: {min: 1, max: 2}}]\n", "12: surfaces.0.extent={...}: a range is allowed ..."),
        ("width: 2\n", "widht: 2\n", "11: model.widht: unknown key; did you mean 'width'? legal: name, ..."),
    ],
)
def test_a_mistake_in_a_search_is_one_line(old, new, line):
    assert old in FILE
    (found,) = problems(FILE.replace(old, new, 1))
    start, *rest = f"x.yaml:{line}".split("...")
    assert found.startswith(start.removesuffix("{"))
    assert all(part.removeprefix("}") in found for part in rest)


def test_ranges_that_hang_on_each_other_are_refused():
    text = FILE.replace("[true, false]", "{values: [true, false], when: {model.draws: batch}}").replace(
        "width: 2", "draws: {values: [batch, example], when: {model.tensorized: true}}"
    )
    (line,) = problems(text)
    assert line.endswith("when: circular dependency: model.theta, model.tensorized, model.draws")


def test_the_problems_of_ranges_and_of_everything_else_are_reported_at_once():
    text = FILE.replace("{min: 2, max: 5}", "{min: 2.5, max: 5}").replace("digits", "digts").replace("clean_accuracy", "clean_acuracy")
    assert [line.split(":")[1] for line in problems(text)] == ["4", "7", "13"]


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("search.n_trials=x", "override: search.n_trials='x': must be a whole number"),
        ("model.theta={min: 0.5}", "override: model.theta={'min': 0.5}: a range has min and max, or values"),
        ("search.foo=3", "override: search.foo: unknown key; legal: sampler, seed, n_trials, "),
        ("search.rungs.0.epochs=3", "override: search.rungs.0.epochs: unknown path; a setting has no parts"),
    ],
)
def test_a_wrong_override_of_a_search_is_one_line(override, line):
    (found,) = problems(FILE, override)
    assert found.startswith(line)


def test_grids_refuse_ranges_and_the_search_section():
    found = problems(FILE.replace("method: optuna", "method: grid"))
    assert found[0].startswith("x.yaml:2: search={")
    assert found[0].endswith(": only method optuna has this section")
    assert all(line.endswith(": a range is allowed here only with method: optuna, and not in surfaces") for line in found[1:])
    assert [line.split(":")[1] for line in found[1:]] == ["9", "13", "14", "15", "19"]


def test_a_search_says_what_it_is_for():
    (line,) = problems("method: optuna\ndata: {name: digits}\ntraining: {epochs: 1}\n")
    assert line == "x.yaml:1: search: missing; it is required"


@pytest.mark.parametrize(("value", "violation"), [(1e5, 0.0), (1.5e5, 5e4), (5e4, -5e4)])
def test_a_constraint_is_violated_by_what_is_beyond_its_bound(value, violation):
    (constraint,) = space().search.constraints
    assert constraint.violation(value) == violation
    assert str(constraint) == "parameters <= 100000"


@pytest.mark.parametrize("name", ["search-digits", "search-attack"])
def test_every_choice_at_the_ends_of_a_built_in_search_is_a_sweep(name):
    found = load_space(name).space
    for end in (0, -1):
        assert keys(found.at({made.name: made.ends[end] for made in found.parameters}))


def test_the_rank_of_each_stage_is_a_parameter_of_its_own():
    text = FILE.replace("  width: 2\n", "  stage_rank_fractions: [{min: 0.25, max: 1.0}, 0.5, {values: [0.5, 1.0]}, 0.25]\n")
    names = ["model.stage_rank_fractions.0", "model.stage_rank_fractions.2"]
    assert [made.name for made in space(text).parameters[2:4]] == names
    assert space(text).at({**VALUES, names[0]: 0.4, names[1]: 1.0}).model.stage_rank_fractions == ((0.4, 0.5, 1.0, 0.25),)
    (line,) = problems(text.replace("max: 1.0}, 0.5", "max: 1.5}, 0.5"))
    assert line == "x.yaml:11: model.stage_rank_fractions=1.5: must be in (0, 1]"
