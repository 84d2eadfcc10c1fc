import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from search_spaces import builtin_spaces, load_space, paper_steps
from search_spaces.ranges.written_range import axis_kind
from search_spaces.schema.grid import EvaluationSettings
from search_spaces.schema.registered_sections import sections
from search_spaces.space import space_type
from workers.spec.component import DataSpec, DefenceSpec
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import MeasuringSettings
from workers.spec.training import TrainingSpec

AttackGroup, Space = sections()["attacks"], space_type()
SMALLEST = {"name": "x", "data": {"name": "digits"}, "training": {"epochs": 1}}


def grid(**sections):
    (found,) = Space.model_validate({**SMALLEST, **sections}).grids
    return found


@pytest.mark.parametrize(
    ("axes", "spec"),
    [
        ("data", DataSpec),
        ("model", ModelSpec),
        ("defence", DefenceSpec),
        ("training", TrainingSpec),
        ("fine_tuning", TrainingSpec),
    ],
)
def test_every_setting_of_a_spec_and_of_its_components_is_an_axis(axes, spec):
    declared = [name for name in spec.model_fields if name != "settings"]
    own = {name for component in spec.registry.known() for name in component.settings.model_fields}
    fields = list(sections()[axes].model_fields)
    assert [name for name in fields if name in declared] == declared
    assert set(fields) - set(declared) == own | ({"stage_rank_fractions"} if axes == "model" else set())


def test_every_evaluation_setting_can_be_set():
    assert list(EvaluationSettings.model_fields) == [*MeasuringSettings.model_fields, "repeats"]


@pytest.mark.parametrize(("epsilon", "steps"), [(1, 1), (2, 2), (4, 5), (8, 10), (16, 20), (32, 36), (64, 68), (128, 132)])
def test_steps_are_the_papers_for_the_papers_epsilons(epsilon, steps):
    assert paper_steps(Fraction(epsilon, 255)) == steps


@given(st.fractions(min_value=Fraction(1, 10**6), max_value=1))
@example(Fraction(288959498867, 288959500000))
def test_step_rule_is_exact_up_to_rounded_epsilons_and_never_below_one(epsilon):
    e = epsilon * 255 + Fraction(1, 10**6)
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
    settings = [asked.attack for asked in group.resolved()]
    assert [(s.name, dict(s.settings), s.facts.random_start) for s in settings] == [
        ("fgsm", {"loss": "ce"}, False),
        ("bim", {"steps": 10, "abs_stepsize": 1 / 255, "loss": "ce", "precision": "float32"}, False),
        ("pgd", {"steps": 10, "abs_stepsize": 1 / 255, "loss": "ce", "precision": "float32"}, True),
    ]
    assert {(s.epsilon, s.epsilon_literal, s.norm) for s in settings} == {(8 / 255, "8/255", "linf")}


@pytest.mark.parametrize("setting", [{"steps": 2}, {"abs_stepsize": "1/255"}, {"steps": "paper"}])
def test_steps_for_fgsm_alone_are_refused_by_name(setting):
    with pytest.raises(ValidationError, match=f"leave {next(iter(setting))} out"):
        AttackGroup.model_validate({"attack": ["fgsm"], "epsilon": "8/255", **setting})


def test_steps_in_a_group_with_fgsm_apply_to_the_others():
    group = AttackGroup.model_validate({"attack": ["fgsm", "pgd"], "epsilon": "8/255", "steps": 40, "abs_stepsize": 0.01})
    pgd = {"steps": 40, "abs_stepsize": 0.01, "loss": "ce", "precision": "float32"}
    assert [dict(a.settings) for a, *_ in group.resolved()] == [{"loss": "ce"}, pgd]


def resolved(**group):
    return [attack for attack, *_ in AttackGroup.model_validate({"epsilon": "8/255", **group}).resolved()]


@pytest.mark.parametrize(
    ("attack", "own", "loss", "random_start"),
    [
        ("apgd_ce", {"steps": 100}, "ce", True),
        ("apgd_dlr", {"steps": 100}, "dlr", True),
        ("mi_fgsm", {"steps": 10, "abs_stepsize": 1 / 255, "loss": "ce", "momentum": 1.0}, "ce", False),
        ("noise", {}, "ce", True),
        ("smoothed_pgd", {"steps": 10, "abs_stepsize": 1 / 255, "loss": "ce", "samples": 10, "sigma": 0.5}, "ce", True),
        ("square", {"steps": 5000, "schedule": "scaled"}, "margin", True),
        ("apgd_t", {"steps": 100, "classes": 9}, "dlr", True),
        ("fab_t", {"steps": 100, "classes": 9}, "margin", False),
    ],
)
def test_what_an_attack_settles_itself_is_filled_in(attack, own, loss, random_start):
    (found,) = resolved(attack=attack)
    assert (dict(found.settings), found.loss, found.facts.random_start) == (own, loss, random_start)
    assert (found.restarts, found.eot_samples) == (1, 1)


def test_a_setting_in_a_group_applies_to_the_attacks_that_have_it():
    group = {"loss": "dlr", "momentum": 0.5, "restarts": 3, "early_stop": True}
    found = {attack.name: attack for attack in resolved(attack=["fgsm", "mi_fgsm", "pgd", "apgd_ce", "square", "noise"], **group)}
    assert {name: attack.loss for name, attack in found.items()} == {
        "fgsm": "dlr", "mi_fgsm": "dlr", "pgd": "dlr", "apgd_ce": "ce", "square": "margin", "noise": "ce",
    }  # fmt: skip
    assert {name: attack.restarts for name, attack in found.items() if attack.restarts > 1} == dict.fromkeys(
        ("pgd", "apgd_ce", "square", "noise"), 3
    )
    assert {name for name, attack in found.items() if getattr(attack.settings, "momentum", None) == 0.5} == {"mi_fgsm"}
    assert {name for name, attack in found.items() if not attack.early_stop} == {"fgsm"}
    assert {name for name, attack in found.items() if attack.selection_draws == 1} == {"fgsm", "mi_fgsm"}


def test_only_knowledge_eot_has_samples():
    group = AttackGroup.model_validate({"attack": "pgd", "epsilon": "8/255", "knowledge": ["randomized", "eot"], "eot_samples": [4, 8]})
    assert [(knowledge, attack.eot_samples) for attack, knowledge, *_ in group.resolved()] == [
        ("randomized", 1), ("randomized", 1), ("eot", 4), ("eot", 8),
    ]  # fmt: skip


def test_only_knowledge_transfer_has_a_source():
    group = AttackGroup.model_validate({"attack": "square", "epsilon": "8/255", "knowledge": ["randomized", "transfer"]})
    assert [(asked.knowledge, asked.source) for asked in group.resolved()] == [("randomized", None), ("transfer", "parent")]
    wider = group.model_copy(update={"source": ("dense", "undefended")})
    assert {asked.source for asked in wider.resolved() if asked.knowledge == "transfer"} == {"dense", "undefended"}


def test_a_targeted_square_attack_climbs_the_targets_cross_entropy():
    assert [attack.loss for attack in resolved(attack="square", target=["none", "next"])] == ["margin", "ce"]


def test_an_epsilon_of_l2_may_exceed_one():
    (found,) = resolved(attack="pgd", norm="l2", epsilon=3, steps=20, abs_stepsize="0.5")
    assert (found.norm, found.epsilon, found.epsilon_literal, found.steps, found.settings.abs_stepsize) == ("l2", 3.0, "3", 20, 0.5)
    assert [attack.epsilon for attack in resolved(attack=["fgsm", "apgd_ce"], norm="l2", epsilon="0.5")] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"attack": "pgd", "norm": ["l2", "linf"], "epsilon": 3, "steps": 5, "abs_stepsize": 1}, r"must be in \(0, 1\]"),
        ({"attack": "pgd", "norm": "l2", "epsilon": 0}, "must be > 0"),
        ({"attack": "pgd", "norm": "l2"}, "steps=paper: there is no such rule under norm l2; give a number of steps .attack pgd"),
        ({"attack": "pgd", "norm": "l2", "steps": 5}, "abs_stepsize: missing; under norm l2 it has no default .attack pgd"),
        ({"attack": ["pgd", "square"], "knowledge": "eot"}, "attack square takes no gradient to average; give it a group without eot"),
        ({"attack": ["apgd_ce", "noise"], "loss": "dlr"}, "attack apgd_ce has no loss; leave loss out"),
        ({"attack": "pgd", "momentum": 1.0}, "attack pgd has no momentum; leave momentum out"),
        ({"attack": ["bim", "fgsm"], "restarts": 2}, "attack bim has no random start; leave restarts out"),
        ({"attack": "square", "abs_stepsize": "1/255"}, "attack square has no abs_stepsize; leave abs_stepsize out"),
        ({"attack": "noise", "steps": 3}, "attack noise has no steps; leave steps out"),
        ({"attack": "pgd", "eot_samples": 3}, "only knowledge eot averages gradients; leave eot_samples out"),
        ({"attack": ["pgd", "square"], "backend": "foolbox"}, "backend=foolbox: not for square; one of bim, fgsm, pgd"),
        ({"attack": "pgd", "loss": "dlr", "backend": "foolbox"}, "backend=foolbox with loss=dlr: Foolbox climbs ce"),
        ({"attack": "pgd", "knowledge": "eot", "backend": "foolbox"}, "Foolbox averages no gradients"),
        ({"attack": "pgd", "early_stop": True, "backend": "foolbox"}, "Foolbox takes every step"),
        ({"attack": "pgd", "target": "all"}, "'least_likely', 'next', 'none' or 'random'"),
        ({"attack": "pgd", "source": "dense"}, "only knowledge transfer has a source; leave source out"),
        ({"attack": "pgd", "knowledge": ["eot", "omniscient"], "source": "parent"}, "only knowledge transfer has a source"),
        ({"attack": "pgd", "knowledge": "transfer", "source": "twin"}, "'dense', 'parent' or 'undefended'"),
        ({"attack": "pgd", "knowledge": "transfer", "source": []}, "must name at least one value"),
        ({"attack": "pgd", "knowledge": "transfer", "eot_samples": 3}, "only knowledge eot averages gradients; leave eot_samples out"),
        ({"attack": "pgd", "norm": "l1"}, "'l2' or 'linf'"),
        ({"attack": "pgd", "norm": []}, "must name at least one value"),
        ({"attack": "pdg"}, "^1 validation error for .*\nattack.0\n  Value error, one of"),
        ({"attack": ["foolbox:L2FMNAttack", "pgd"]}, "attack foolbox:L2FMNAttack has norm l2, not linf"),
        ({"attack": "foolbox:L2FMNAttack", "knowledge": "eot"}, "takes its gradients itself, and gives none to average"),
        ({"attack": "pgd", "restarts": 0}, "must be >= 1"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(group, message):
    with pytest.raises(ValidationError, match=message):
        AttackGroup.model_validate({"epsilon": "8/255", **group})


def test_a_group_that_says_no_norm_has_linf_or_else_the_one_of_its_attacks():
    assert [attack.norm for attack in resolved(attack=["pgd", "foolbox:LinfDeepFoolAttack"])] == ["linf", "linf"]
    assert [attack.norm for attack in resolved(attack=["foolbox:L2FMNAttack", "foolbox:L2DeepFoolAttack"])] == ["l2", "l2"]


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


def test_a_librarys_step_sizes_are_written_like_ours_and_searched_like_ours():
    (found,) = resolved(attack="foolbox:LinfBasicIterativeAttack", abs_stepsize="2/255")
    assert found.settings.abs_stepsize == 2 / 255
    (found,) = resolved(attack="foolbox:LinfBasicIterativeAttack")
    assert found.settings.abs_stepsize is None
    group = sections()["attacks"]
    assert {name: axis_kind(group, name).number for name in ("abs_stepsize", "steps", "momentum")} == {
        "abs_stepsize": "literal",
        "steps": "int",
        "momentum": "float",
    }


@pytest.mark.parametrize("name", ["size", "points", "components", "axes", "own", "default", "registry", "named_by", "jobs_each"])
@pytest.mark.usefixtures("forgotten")
def test_a_setting_of_a_plugin_may_be_called_as_an_attribute_of_a_section(name, tmp_path, recwarn):
    source = f"""
import robustsweep as rs
@rs.model
def net_of_mine(info, *, {name}: int = 3): ...
@rs.attack
def attack_of_mine(logits, inputs, labels, *, {name}: int = 3): ...
"""
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "x.yaml").write_text(f"""
name: x
plugins: [mine.py]
data: {{name: digits}}
model: {{name: net_of_mine, tensorized: false, {name}: [1, 2]}}
training: {{epochs: 1}}
attacks: [{{attack: attack_of_mine, epsilon: 8/255, settings: {{{name}: [3, 4, 5]}}}}, {{attack: fgsm, epsilon: 8/255}}]
""")
    (found,) = load_space(str(tmp_path / "x.yaml")).space.grids
    models, attacks = list(found.model.points()), list(found.attacks[0].resolved())
    assert [point[name] for point in models] == [1, 2]
    assert [asked.attack.own[name] for asked in attacks] == [3, 4, 5]
    assert not recwarn.list
