import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from search_spaces import AttackGroup, Space, builtin_spaces, load_space, paper_steps
from search_spaces.defence_axes import DefenceAxes
from search_spaces.schema import DataAxes, EvaluationSettings, FineTuningAxes, ModelAxes, TrainingAxes
from workers.defence_spec import DefenceSpec
from workers.specs import DataSpec, EvaluationSpec, ModelSpec, TrainingSpec

SMALLEST = {"name": "x", "data": {"name": "digits"}, "training": {"epochs": 1}}


def grid(**sections):
    (found,) = Space.model_validate({**SMALLEST, **sections}).grids
    return found


@pytest.mark.parametrize(
    ("axes", "spec"),
    [
        (DataAxes, DataSpec),
        (ModelAxes, ModelSpec),
        (DefenceAxes, DefenceSpec),
        (TrainingAxes, TrainingSpec),
        (FineTuningAxes, TrainingSpec),
    ],
)
def test_every_setting_of_a_spec_is_an_axis_in_the_same_order(axes, spec):
    assert list(axes.model_fields) == list(spec.model_fields)


def test_every_evaluation_setting_can_be_set():
    assert list(EvaluationSettings.model_fields) == [*EvaluationSpec.model_fields, "repeats"]


@pytest.mark.parametrize(("epsilon", "steps"), [(1, 1), (2, 2), (4, 5), (8, 10), (16, 20), (32, 36), (64, 68), (128, 132)])
def test_steps_are_the_papers_for_the_papers_epsilons(epsilon, steps):
    assert paper_steps(Fraction(epsilon, 255)) == steps


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=1))
def test_step_rule_is_exact_and_never_below_one(epsilon):
    e = epsilon * 255
    steps = paper_steps(epsilon)
    assert steps >= 1
    if steps > 1:
        assert steps <= e + 4
        assert steps <= e * Fraction(5, 4)
    assert steps + 1 > min(e + 4, e * Fraction(5, 4))


@given(st.lists(st.fractions(min_value=Fraction(1, 10**6), max_value=1), min_size=2))
def test_a_larger_epsilon_never_takes_fewer_steps(epsilons):
    steps = [paper_steps(epsilon) for epsilon in sorted(epsilons)]
    assert steps == sorted(steps)


def test_a_scalar_is_an_axis_of_one_and_equal_values_are_merged_in_order():
    found = grid(seed=3, model={"theta": [0.9, 1, 1.0, 0.9]})
    assert found.seed == (3,)
    assert found.model.theta == (0.9, 1.0)


def test_whole_numbers_are_stored_as_floats_so_that_keys_agree():
    theta = grid(model={"theta": 1}).model.theta[0]
    assert isinstance(theta, float)


def test_no_built_in_axis_is_left_empty_by_a_section_without_settings():
    found = grid(model=None, fine_tuning=None, evaluation=None, attacks=None)
    assert list(found.model.points()) == [{}]
    assert found.attacks == ()


@pytest.mark.parametrize("bad", [True, math.nan, math.inf, "0.9", [], [[0.9]], {}, 0, 1.3, None])
def test_theta_takes_numbers_in_its_interval_only(bad):
    with pytest.raises(ValidationError):
        Space.model_validate({**SMALLEST, "model": {"theta": bad}})


@pytest.mark.parametrize(
    "bad", [True, "8", 8, 0, "8/0", "-1/255", "1e-999999999", "1e999999999", "nan", math.inf, None, [1], "0." + "0" * 99]
)
def test_epsilon_takes_literals_in_input_units_only(bad):
    with pytest.raises(ValidationError):
        AttackGroup.model_validate({"attack": "pgd", "epsilon": [bad]})


def test_an_epsilon_keeps_how_it_was_written_without_spaces():
    group = AttackGroup.model_validate({"attack": "pgd", "epsilon": [" 8 / 255", 0.03, 1]})
    assert group.epsilon == ("8/255", "0.03", "1")


def test_fgsm_is_one_step_of_size_epsilon_bim_and_pgd_follow_the_paper():
    group = AttackGroup.model_validate({"attack": ["fgsm", "bim", "pgd"], "epsilon": "8/255"})
    settings = [attack for attack, _ in group.resolved()]
    assert [(s.name, s.steps, s.abs_stepsize, s.random_start) for s in settings] == [
        ("fgsm", 1, 8 / 255, False),
        ("bim", 10, 1 / 255, False),
        ("pgd", 10, 1 / 255, True),
    ]
    assert {(s.epsilon, s.epsilon_literal, s.norm) for s in settings} == {(8 / 255, "8/255", "linf")}


@pytest.mark.parametrize("setting", [{"steps": 2}, {"abs_stepsize": "1/255"}, {"steps": "paper"}])
def test_steps_for_fgsm_alone_are_refused_by_name(setting):
    with pytest.raises(ValidationError, match=f"leave {next(iter(setting))} out"):
        AttackGroup.model_validate({"attack": ["fgsm"], "epsilon": "8/255", **setting})


def test_steps_in_a_group_with_fgsm_apply_to_the_others():
    group = AttackGroup.model_validate({"attack": ["fgsm", "pgd"], "epsilon": "8/255", "steps": 40, "abs_stepsize": 0.01})
    assert [(a.steps, a.abs_stepsize) for a, _ in group.resolved()] == [(1, 8 / 255), (40, 0.01)]


@pytest.mark.parametrize("bad", [0, True, "papr", 2.0, None])
def test_steps_are_a_positive_whole_number_or_paper(bad):
    with pytest.raises(ValidationError, match="or paper"):
        AttackGroup.model_validate({"attack": "pgd", "epsilon": "8/255", "steps": bad})


@pytest.mark.parametrize("theta", [0.9, [1.0, 0.9]])
@pytest.mark.parametrize("tensorized", [False, [True, False]])
def test_a_sketch_on_a_dense_model_is_refused(theta, tensorized):
    with pytest.raises(ValidationError, match=r"theta=0\.9 with tensorized=false: .* use theta 1\.0 for dense"):
        Space.model_validate({**SMALLEST, "model": {"theta": theta, "tensorized": tensorized}})


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "-x", "a" * 101, "ä", "a\n"])
def test_a_name_that_is_unfit_for_paths_and_the_command_line_is_refused(name):
    with pytest.raises(ValidationError, match="letters, digits"):
        Space.model_validate({**SMALLEST, "name": name})


def training(**settings):
    return grid(training=settings).training


def test_a_recipe_other_than_custom_knows_its_number_of_epochs():
    assert training(recipe="fast").epochs == ()
    assert training(recipe=["fast", "paper"], epochs=3).epochs == (3,)


def test_a_list_is_one_value_of_a_setting_that_is_a_list_and_lists_of_lists_are_an_axis():
    one = training(epochs=9, milestones=[3, "7/9"], adversarial_epsilon=["2/255", "16/510"], adversarial_steps=[1, 3])
    assert (one.milestones, one.adversarial_epsilon, one.adversarial_steps) == (((3, "7/9"),), (("2/255", "8/255"),), ((1, 3),))
    several = training(epochs=9, milestones=[[3, 7], [5], []], adversarial_epsilon=[["2/255", 0.5], ["2/255", "1/2"], [1, 1]])
    assert (several.milestones, several.adversarial_epsilon) == (((3, 7), (5,), ()), (("2/255", "1/2"), ("1", "1")))
    assert training(epochs=9, milestones=[]).milestones == ((),)


def test_every_built_in_space_loads_under_its_own_name_and_says_what_it_is_for():
    spaces = dict(builtin_spaces())
    assert set(spaces) >= {"quickstart", "cifar10-smoke"}
    assert all(spaces.values())
    assert all(load_space(name).space.name == name for name in spaces)
