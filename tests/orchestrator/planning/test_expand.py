import re
from collections import Counter

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.planning.expand import count, expand_space
from search_spaces import load_space, parse_space
from search_spaces.schema.grid import EvaluationSettings
from search_spaces.space import space_type
from workers.errors import UserError
from workers.spec.model import ModelSpec
from workers.spec.recipes import resolve_training

EPSILONS = st.lists(st.sampled_from(["1/255", "2/255", "8/255", "16/255", "0.1"]), min_size=1, max_size=3)
THETAS = st.lists(st.sampled_from([1.0, 0.95, 0.9]), min_size=1, max_size=3)
MODELS = st.fixed_dictionaries(
    {"width": st.just(8), "theta": THETAS},
    optional={
        "rank_fraction": st.lists(st.sampled_from([0.5, 1]), min_size=1, max_size=2),
        "sketch_modes": st.sampled_from(["all", "channels", ["all", "channels"]]),
        "rescale": st.sampled_from([True, [True, False]]),
        "binary": st.sampled_from([True, [True, False]]),
    },
)
OWN_SETTINGS = {
    "feature_squeezing": {"bit_depth": st.sampled_from([4, [4, 5]])},
    "defensive_dropout": {"dropout": st.sampled_from([0.3, [0.3, 0.5]])},
}


HUGE = """
data: {name: digits}
model: {theta: [1.0, 0.9], width: [2, 3]}
training: {epochs: 1}
attacks: [{attack: [fgsm, pgd], epsilon: [1/255, 2/255, 3/255], steps: [1, 2]}]
"""


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "evaluation.repeats=1000000000",
            "evaluation.repeats 1,000,000,000, attacks.0.epsilon 3, model.width 2, model.theta 2, attacks.0.steps 2",
        ),
        (f"seed={[*range(5_000)]}", "seed 5,000, attacks.0.epsilon 3"),
        ("attacks.0.restarts=" + str([*range(1, 9_000)]), "attacks.0.restarts 8,999, attacks.0.epsilon 3"),
        ("variants=" + str([{"seed": seed} for seed in range(5_000)]).replace("'", ""), "variants 5,000, attacks.0.epsilon 3"),
    ],
)
def test_a_space_of_too_many_jobs_is_refused_by_their_number_before_any_is_made(override, said, monkeypatch):
    monkeypatch.setattr("orchestrator.planning.expand.grid_jobs", pytest.fail)
    with pytest.raises(UserError, match=re.escape(f"more than --max-jobs 200,000; values by axis: {said}")):
        expand_space(parse_space(HUGE, label="x", stem="x", overrides=[override]))


def test_shards_of_a_race_are_among_what_makes_too_many_jobs():
    raced = HUGE + "evaluation: {examples: 10000, batch_size: 1}\nracing: {shard: 1}\n"
    with pytest.raises(UserError, match=r"values by axis: shards of a race 10,001, attacks\.0\.epsilon 3"):
        expand_space(parse_space(raced, label="x", stem="x", overrides=[]))


@pytest.mark.parametrize("name", ["quickstart", "table3", "table4", "surfaces-small"])
def test_no_more_measurements_are_made_than_were_counted(name):
    space = load_space(name).space
    measured = [job for job in expand_space(space) if job.stage not in {"pretrain", "fine_tune", "defend", "craft"}]
    assert sum(map(count, space.grids)) >= len(measured)


def defences_named(names):
    """Defences of these names, with settings that one of them has."""
    own = {setting: values for name in names for setting, values in OWN_SETTINGS.get(name, {}).items()}
    return st.fixed_dictionaries({"name": st.just(names)}, optional=own)


DEFENCES = st.just({}) | st.lists(
    st.sampled_from(["none", "defensive_dropout", "feature_squeezing", "random_resize_pad"]), min_size=1, max_size=3
).flatmap(defences_named)
GROUPS = st.fixed_dictionaries(
    {
        "attack": st.lists(st.sampled_from(["fgsm", "bim", "pgd", "mi_fgsm", "apgd_ce"]), min_size=1, max_size=2),
        "epsilon": EPSILONS,
        "knowledge": st.sampled_from(["randomized", "omniscient", "eot", "transfer", ["randomized", "omniscient", "eot", "transfer"]]),
        "target": st.sampled_from(["none", ["none", "least_likely"]]),
        "sign_gradient": st.sampled_from(["identity", ["tanh", "tanh075"]]),
    }
)
SPACES = st.fixed_dictionaries(
    {
        "name": st.just("x"),
        "seed": st.lists(st.integers(0, 2), min_size=1, max_size=2),
        "data": st.fixed_dictionaries({"name": st.sampled_from(["digits", "cifar10", ["digits", "cifar10"]])}),
        "model": MODELS,
        "defence": DEFENCES,
        "training": st.fixed_dictionaries({"epochs": st.sampled_from([1, [1, 2]])}),
        "fine_tuning": st.fixed_dictionaries({}, optional={"learning_rate": st.sampled_from([0.1, [0.1, 0.01]])}),
        "evaluation": st.fixed_dictionaries({"repeats": st.integers(1, 2)}),
        "attacks": st.lists(GROUPS, max_size=2),
    }
)
VARIANTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2),
            "model": st.fixed_dictionaries({}, optional={"theta": THETAS, "rescale": st.booleans(), "binary": st.booleans()}),
            "training": st.fixed_dictionaries({}, optional={"adversarial_training": st.sampled_from(["pgd", ["none", "r_fgsm"]])}),
            "fine_tuning": st.just({"learning_rate": 0.2}),
            "evaluation": st.fixed_dictionaries({"repeats": st.integers(1, 2)}),
            "attacks": st.lists(GROUPS, max_size=1),
        },
    ),
    min_size=1,
    max_size=3,
)


def alone(data, variant):
    """The file that a variant stands for, written out."""
    whole = {**data, **variant}
    for section in ("model", "training", "fine_tuning", "evaluation"):
        whole[section] = {**data[section], **variant.get(section, {})}
    return whole


def keys(data):
    return [job.key for job in expand_space(space_type().model_validate(data))]


def small(*, attacks=(), evaluation=None, **sections):
    data = {"name": "x", "data": {"name": "digits"}, "training": {"epochs": 2}, "attacks": list(attacks), "evaluation": evaluation}
    return space_type().model_validate({**data, **sections})


def trained(space):
    return [job for job in expand_space(space) if job.stage in {"pretrain", "fine_tune"}]


def reordered(data):
    if isinstance(data, dict):
        return {key: reordered(data[key]) for key in sorted(data, reverse=True)}
    return [reordered(item) for item in data] if isinstance(data, list) else data


@given(SPACES)
def test_no_key_comes_twice_and_parents_come_before_their_children(data):
    seen = set()
    for job in expand_space(space_type().model_validate(data)):
        assert job.key not in seen
        assert seen >= set(job.parents.values())
        seen.add(job.key)


@given(SPACES)
def test_the_order_of_the_keys_in_a_file_changes_nothing(data):
    text = yaml.safe_dump(reordered(data), sort_keys=False)
    assert [job.key for job in expand_space(parse_space(text, label="x.yaml", stem="x"))] == keys(data)


@settings(max_examples=12)
@given(SPACES.filter(lambda data: data["attacks"]))
def test_another_epsilon_only_adds_jobs(data):
    data = {**data, "model": {**data["model"], "theta": [*data["model"]["theta"], 0.8]}}
    group = data["attacks"][0]
    wider = {**data, "attacks": [{**group, "epsilon": [*group["epsilon"], "128/255"]}, *data["attacks"][1:]]}
    assert set(keys(wider)) > set(keys(data))


@settings(max_examples=12)
@given(SPACES)
def test_more_repeats_only_add_jobs(data):
    data = {**data, "model": {**data["model"], "theta": [*data["model"]["theta"], 0.8]}}
    wider = {**data, "evaluation": {"repeats": data["evaluation"]["repeats"] + 1}}
    assert set(keys(wider)) > set(keys(data))


@settings(max_examples=12)
@given(SPACES)
def test_another_theta_only_adds_jobs(data):
    wider = {**data, "model": {**data["model"], "theta": [*data["model"]["theta"], 0.8]}}
    assert set(keys(wider)) > set(keys(data))


@settings(max_examples=12)
@given(SPACES, VARIANTS)
def test_a_space_with_variants_has_the_jobs_of_their_files_in_order_each_once(data, variants):
    separate = dict.fromkeys(key for variant in variants for key in keys(alone(data, variant)))
    assert keys({**data, "variants": variants}) == list(separate)


@settings(max_examples=12)
@given(SPACES, VARIANTS)
def test_another_variant_only_adds_jobs_and_repeating_one_adds_none(data, variants):
    held = keys({**data, "variants": variants})
    wider = keys({**data, "variants": [*variants, {"model": {"theta": 0.7}}]})
    assert wider[: len(held)] == held
    assert len(wider) > len(held)
    assert keys({**data, "variants": [*variants, *variants]}) == held


def test_a_grid_and_its_variants_written_out_have_equal_keys():
    group = {"attack": "pgd", "epsilon": "8/255"}
    grid = small(model={"theta": [1.0, 0.9]}, training={"epochs": [1, 2]}, attacks=[group])
    variants = [{"training": {"epochs": epochs}, "model": {"theta": theta}} for epochs in (1, 2) for theta in (0.9, 1)]
    union = small(model={"theta": 0.5, "rescale": True}, attacks=[group], variants=variants)
    assert {job.key for job in expand_space(union)} == {job.key for job in expand_space(grid)}


def test_a_dense_baseline_stands_next_to_sketched_models():
    space = small(model={"theta": [1.0, 0.9]}, variants=[{"model": {"tensorized": False, "theta": 1.0}}, {}])
    assert [(job.stage, job.spec.model.tensorized, job.spec.model.theta) for job in trained(space)] == [
        ("pretrain", False, 1.0),
        ("pretrain", True, 1.0),
        ("fine_tune", True, 0.9),
    ]


def test_the_quickstart_has_the_jobs_that_its_file_describes():
    jobs = expand_space(load_space("quickstart").space)
    assert Counter(job.stage for job in jobs) == {"pretrain": 1, "fine_tune": 2, "evaluate": 7, "craft": 3, "attack": 34, "diagnose": 3}


def curves(name, *axes):
    """The measured models of a built-in space: its attacks' values of `axes`, by the model's theta and adversarial training."""
    jobs = {job.key: job for job in expand_space(load_space(name).space)}
    found = {}
    for job in jobs.values():
        if job.stage == "attack":
            model = jobs[job.parents["model"]].spec
            values = found.setdefault((model.model.theta, model.training.adversarial_training), set())
            values.add(tuple(getattr(job.spec.attack, axis) for axis in axes))
    return found


def test_figure_1_has_seven_curves_three_of_them_with_adversarial_training():
    epsilons = [f"{2**power}/255" for power in range(8)]
    every_attack = {(attack, epsilon) for attack in ("fgsm", "pgd") for epsilon in epsilons}
    expected = [(1.0, "none"), (0.95, "none"), (0.9, "none"), (0.8, "none"), (1.0, "pgd"), (0.95, "pgd"), (0.9, "pgd")]
    assert curves("figure1", "name", "epsilon_literal") == dict.fromkeys(expected, every_attack)


def test_table_4_attacks_the_unsketched_binary_net_through_three_gradients_and_the_sketched_one_through_one():
    attacks = {(attack, f"{epsilon}/255") for attack in ("fgsm", "bim", "pgd") for epsilon in (2, 8, 16)}
    signs = {1.0: ("identity", "tanh", "tanh075"), 0.99: ("identity",)}
    expected = {(theta, "none"): {(*attack, sign) for attack in attacks for sign in of_theta} for theta, of_theta in signs.items()}
    assert curves("table4", "name", "epsilon_literal", "sign_gradient") == expected
    assert all(job.spec.model.binary for job in trained(load_space("table4").space))


def test_sketched_models_are_fine_tuned_from_one_pretrained_model_that_is_not_measured_itself():
    jobs = expand_space(small(model={"theta": [0.9, 0.8], "sketch_modes": ["all", "channels"]}))
    (pretrain,) = [job for job in jobs if job.stage == "pretrain"]
    fine_tuned = [job for job in jobs if job.stage == "fine_tune"]
    assert pretrain.spec.model == ModelSpec(theta=1.0)
    assert len(fine_tuned) == 4
    assert all(job.parents == {"weights": pretrain.key} for job in fine_tuned)
    assert {job.parents["model"] for job in jobs if job.stage == "evaluate"} == {job.key for job in fine_tuned}


def test_theta_one_has_the_same_key_alone_and_as_a_parent():
    assert trained(small(model={"theta": 1}))[0].key == trained(small(model={"theta": 0.9, "rescale": False}))[0].key


def test_settings_that_do_nothing_make_no_jobs():
    idle = {"sketch_modes": ["all", "channels"], "rescale": [True, False]}
    assert len(trained(small(model={"theta": 1.0, **idle}))) == 1
    idle |= {"rank_fraction": [0.5, 1.0], "rank_kind": ["channels", "dimensions"], "tensorize_first": [True, False]}
    (dense,) = trained(small(model={"tensorized": False, **idle}))
    assert dense.spec.model == ModelSpec(tensorized=False)


def test_the_signs_gradient_makes_attacks_on_binary_models_only():
    group = {"attack": "pgd", "epsilon": "8/255", "knowledge": ["randomized", "omniscient"], "sign_gradient": ["tanh", "tanh075"]}
    jobs = expand_space(small(model={"binary": [False, True]}, attacks=[group]))
    binary = {job.key: job.spec.model.binary for job in jobs if job.stage == "pretrain"}
    signs = Counter(
        (binary[job.parents["model"]], job.stage, job.spec.attack.sign_gradient) for job in jobs if job.stage in {"craft", "attack"}
    )
    assert signs == {
        (False, "craft", "identity"): 1,
        (False, "attack", "identity"): 2,
        (True, "craft", "tanh"): 1,
        (True, "craft", "tanh075"): 1,
        (True, "attack", "tanh"): 2,
        (True, "attack", "tanh075"): 2,
    }


def test_an_attack_on_a_model_that_is_not_binary_has_one_key_whatever_the_signs_gradient():
    keys = [
        {job.key for job in expand_space(small(attacks=[{"attack": "fgsm", "epsilon": "8/255", **sign}]))}
        for sign in ({}, {"sign_gradient": "tanh"}, {"sign_gradient": ["tanh075", "identity"]})
    ]
    assert keys[0] == keys[1] == keys[2]


def attacks_by_theta(*, theta, **group):
    jobs = expand_space(small(model={"theta": theta}, attacks=[{"epsilon": "8/255", **group}]))
    thetas = {job.key: job.spec.model.theta for job in jobs if job.stage in {"pretrain", "fine_tune"}}
    return [(thetas[job.parents["model"]], job.stage, job.spec) for job in jobs if job.stage in {"craft", "attack"}]


def test_what_only_a_sketch_gives_a_meaning_is_idle_without_one():
    group = {"attack": "apgd_ce", "knowledge": ["randomized", "eot", "omniscient"], "eot_samples": [4, 8], "selection_draws": [3, 5]}
    found = Counter(
        (theta, stage, getattr(spec, "knowledge", None), spec.attack.eot_samples, spec.attack.selection_draws)
        for theta, stage, spec in attacks_by_theta(theta=[1.0, 0.9], **group)
    )
    plain = [("craft", None, 1, 1), ("attack", "omniscient", 1, 1)]
    expected = [(theta, *job) for theta in (1.0, 0.9) for job in plain]
    expected += [(1.0, "attack", knowledge, 1, 1) for knowledge in ("randomized", "eot")]
    expected += [(0.9, "attack", "randomized", 1, draws) for draws in (3, 5)]
    expected += [(0.9, "attack", "eot", samples, draws) for samples in (4, 8) for draws in (3, 5)]
    assert found == dict.fromkeys(expected, 1)


@pytest.mark.parametrize("knowledge", ["randomized", "omniscient"])
def test_examples_leave_early_only_where_nothing_they_meet_is_random(knowledge):
    found = attacks_by_theta(theta=[1.0, 0.9], attack="pgd", knowledge=knowledge, early_stop=True)
    assert {(theta, spec.attack.early_stop) for theta, _, spec in found} == {(1.0, True), (0.9, False)}


def test_settings_that_do_nothing_make_no_attacks():
    group = {"attack": ["bim", "pgd"], "epsilon": "8/255", "selection_draws": [3, 5], "momentum": 1.0, "early_stop": False}
    plain = {job.key for job in expand_space(small(attacks=[{"attack": ["bim", "pgd"], "epsilon": "8/255"}]))}
    del group["momentum"]
    assert {job.key for job in expand_space(small(attacks=[group]))} == plain


def test_every_setting_of_an_attack_is_part_of_its_key():
    group = {"attack": "pgd", "epsilon": "8/255", "norm": ["linf", "l2"], "steps": [3, 4], "abs_stepsize": ["1/255", "2/255"]}
    axes = {"loss": ["ce", "dlr"], "target": ["none", "next"], "restarts": [1, 2], "early_stop": [False, True]}
    jobs = [job for job in expand_space(small(attacks=[{**group, **axes}])) if job.stage == "attack"]
    assert len(jobs) == 2**7


def test_a_binary_sketched_model_is_fine_tuned_from_the_binary_full_one():
    pretrain, fine_tune = trained(small(model={"theta": 0.9, "binary": True}))
    assert (pretrain.spec.model.binary, fine_tune.spec.model.binary) == (True, True)


def test_fine_tuning_takes_what_it_does_not_set_from_training():
    space = small(model={"theta": 0.9}, training={"epochs": 8, "momentum": 0.5}, fine_tuning={"epochs": 4, "learning_rate": 0.01})
    pretrain, fine_tune = (job.spec.training for job in trained(space))
    assert (pretrain.epochs, pretrain.momentum, pretrain.learning_rate) == (8, 0.5, 0.1)
    assert (fine_tune.epochs, fine_tune.momentum, fine_tune.learning_rate) == (4, 0.5, 0.01)


def test_the_settings_of_fine_tuning_do_not_change_the_pretrained_model():
    one, other = (trained(small(model={"theta": 0.9}, fine_tuning={"epochs": epochs})) for epochs in (1, 2))
    assert one[0].key == other[0].key
    assert one[1].key != other[1].key


@pytest.mark.parametrize(("given", "flips"), [({}, [False, True]), ({"horizontal_flip": True}, [True, True])])
def test_images_are_flipped_by_data_set_unless_the_space_says_otherwise(given, flips):
    space = small(data={"name": ["digits", "cifar10"]}, training={"epochs": 1, **given}, model={"theta": 0.9})
    assert [job.spec.training.horizontal_flip for job in trained(space)] == [flip for flip in flips for _ in range(2)]


@pytest.mark.parametrize(("model", "width"), [("soundnet5", 16), ("logmel", 16)])
def test_audio_is_not_flipped_and_a_width_that_is_left_out_is_the_papers(model, width):
    space = small(data={"name": ["speech_commands", "tones"]}, model={"name": model, "theta": 0.9})
    assert {(job.spec.training.horizontal_flip, job.spec.model.settings.width) for job in trained(space)} == {(False, width)}


def test_another_pair_of_lists_is_another_model():
    one, other = trained(small(data={"name": "speech_commands", "split_lists": ["official", "resplit"]}, model={"name": "logmel"}))
    assert (one.spec.data.settings.split_lists, other.spec.data.settings.split_lists) == ("official", "resplit")
    assert one.key != other.key


def test_a_recipe_is_resolved_into_every_training_and_its_name_makes_no_job_of_its_own():
    (fast,) = trained(small(training={"recipe": "fast"}))
    assert fast.spec.training == resolve_training({"recipe": "fast"}, dataset="digits", binary=False)
    spelt_out = fast.spec.training.model_dump(exclude={"recipe", "milestones", "gamma", "clip_norm"}, exclude_defaults=True)
    (same,) = trained(small(training=spelt_out))
    assert (same.key, same.spec.training.recipe) == (fast.key, "custom")


def test_a_recipe_trains_binary_networks_in_their_own_way_and_fine_tuning_follows():
    jobs = trained(small(model={"binary": [False, True], "theta": 0.9}, training={"recipe": "fast"}, fine_tuning={"epochs": 3}))
    seen = [(job.spec.model.binary, job.stage, job.spec.training) for job in jobs]
    for binary, stage, training in seen:
        epochs = {"epochs": 3} if stage == "fine_tune" else {}
        assert training == resolve_training({"recipe": "fast"} | epochs, dataset="digits", binary=binary)
    optimizers = {(binary, training.optimizer) for binary, _, training in seen}
    assert optimizers == {(False, "sgd"), (True, "adam")}


def test_each_data_set_gets_its_own_resolution_of_a_recipe():
    flips = [
        job.spec.training.horizontal_flip for job in trained(small(data={"name": ["digits", "cifar10"]}, training={"recipe": "paper"}))
    ]
    assert flips == [False, True]


def test_adversarial_training_is_an_axis_whose_settings_are_idle_without_it():
    axis = {"epochs": 1, "adversarial_training": ["none", "pgd", "r_fgsm"], "adversarial_steps": [[1, 2], [3, 4]]}
    jobs = trained(small(training=axis, model={"theta": 0.9}))
    kinds = Counter((job.stage, job.spec.training.adversarial_training) for job in jobs)
    assert kinds == {(stage, kind): n for stage in ("pretrain", "fine_tune") for kind, n in (("none", 1), ("pgd", 2), ("r_fgsm", 1))}


def test_a_sketched_model_is_fine_tuned_adversarially_from_the_parent_trained_in_the_same_way():
    axis = {"epochs": 4, "adversarial_training": ["none", "pgd"]}
    jobs = {job.key: job for job in trained(small(training=axis, model={"theta": 0.9}, fine_tuning={"epochs": 2}))}
    for job in jobs.values():
        if job.stage == "fine_tune":
            parent = jobs[job.parents["weights"]].spec.training
            assert job.spec.training == parent.model_copy(update={"epochs": 2})


def test_omniscient_examples_are_crafted_once_and_used_by_every_repeat():
    group = {"attack": "pgd", "epsilon": "8/255", "knowledge": ["randomized", "omniscient"]}
    jobs = expand_space(small(attacks=[group], evaluation={"repeats": 3, "examples": 10}, model={"theta": 0.9}))
    model, craft = (next(job for job in jobs if job.stage == stage) for stage in ("fine_tune", "craft"))
    attacks = [job for job in jobs if job.stage == "attack"]
    assert craft.parents == {"model": model.key}
    assert Counter(job.stage for job in jobs) == {"pretrain": 1, "fine_tune": 1, "evaluate": 3, "craft": 1, "attack": 6}
    for job in attacks:
        omniscient = job.spec.knowledge == "omniscient"
        assert job.parents == ({"model": model.key, "examples": craft.key} if omniscient else {"model": model.key})
        assert job.spec.evaluation.examples == 10
    assert [job.spec.repeat for job in attacks] == [0, 1, 2, 0, 1, 2]


def test_one_epsilon_written_two_ways_is_one_job_with_the_first_spelling():
    jobs = expand_space(small(attacks=[{"attack": "fgsm", "epsilon": ["51/255", 0.2]}]))
    assert [job.spec.attack.epsilon_literal for job in jobs if job.stage == "attack"] == ["51/255"]


def test_without_attacks_only_clean_accuracy_is_measured():
    stages = [job.stage for job in expand_space(small(evaluation={"repeats": 2}, model={"theta": 0.9}))]
    assert stages == ["pretrain", "fine_tune", "evaluate", "evaluate"]


def test_what_is_not_random_is_measured_once():
    attacks = [{"attack": ["bim", "pgd"], "epsilon": "8/255", "knowledge": ["randomized", "omniscient"]}]
    attacks += [{"attack": "bim", "epsilon": "8/255", "target": "random"}]
    repeats = {"repeats": 3}
    still = expand_space(small(attacks=attacks, evaluation=repeats))
    counts = Counter((job.spec.attack.name, job.spec.knowledge, job.spec.attack.target) for job in still if job.stage == "attack")
    assert counts == {
        ("bim", "randomized", "none"): 1,
        ("bim", "omniscient", "none"): 1,
        ("pgd", "randomized", "none"): 3,
        ("pgd", "omniscient", "none"): 1,
        ("bim", "randomized", "random"): 3,
    }
    assert sum(job.stage == "evaluate" for job in still) == 1
    for random in ({"model": {"theta": 0.9}}, {"defence": {"name": "random_resize_pad"}}, {"defence": {"name": "defensive_dropout"}}):
        jobs = expand_space(small(attacks=attacks, evaluation=repeats, **random))
        assert sum(job.stage == "attack" for job in jobs) == 5 * 3
        assert sum(job.stage == "evaluate" for job in jobs) == 3


def test_the_order_of_examples_is_a_setting_of_every_measurement_but_where_all_are_evaluated():
    attack = {"attack": "pgd", "epsilon": "8/255", "knowledge": ["randomized", "omniscient"]}
    usual, other = (expand_space(small(attacks=[attack], evaluation={"examples": 9, **order})) for order in ({}, {"order": "file"}))
    assert {job.key for job in usual} & {job.key for job in other} == {job.key for job in usual if job.stage == "pretrain"}
    assert {job.spec.evaluation.order for job in other if job.stage != "pretrain"} == {"file"}
    assert expand_space(small(attacks=[attack], evaluation={"order": "file"})) == expand_space(small(attacks=[attack]))


def test_several_draws_evaluate_what_is_random_and_nothing_else():
    group = {"attack": "pgd", "epsilon": "8/255", "knowledge": ["randomized", "omniscient"]}
    jobs = expand_space(small(attacks=[group], evaluation={"draws": 3}, model={"theta": [1.0, 0.9]}))
    sketched = {job.key for job in jobs if job.stage == "fine_tune"}
    draws = {(job.stage, job.parents["model"] in sketched, job.spec.evaluation.draws) for job in jobs if "model" in job.parents}
    assert draws == {
        ("evaluate", False, 1),
        ("craft", False, 1),
        ("attack", False, 1),
        ("evaluate", True, 3),
        ("craft", True, 1),
        ("attack", True, 3),
    }


def test_other_draws_leave_training_crafting_and_what_is_not_random_as_it_is():
    group = {"attack": "pgd", "epsilon": "8/255", "knowledge": ["randomized", "omniscient"]}

    def keys(draws):
        jobs = expand_space(small(attacks=[group], evaluation={"draws": draws}, model={"theta": [1.0, 0.9]}))
        return {job.key: (job.stage, job.spec.evaluation.draws if "model" in job.parents else 1) for job in jobs}

    assert EvaluationSettings().draws == 4
    few, many = keys(2), keys(5)
    assert {few[key] for key in few.keys() - many.keys()} == {("evaluate", 2), ("attack", 2)}
    assert {many[key] for key in many.keys() - few.keys()} == {("evaluate", 5), ("attack", 5)}


def test_a_decomposed_net_starts_from_the_dense_one_and_a_sketched_one_from_the_decomposed():
    space = small(model={"theta": [1.0, 0.9], "init": "decompose", "rank_fraction": 0.5}, fine_tuning={"epochs": 2})
    dense, full, sketched = trained(space)
    assert (dense.stage, dense.spec.model.tensorized, dense.spec.model.init) == ("pretrain", False, "random")
    assert (full.stage, full.spec.model.theta, full.parents) == ("fine_tune", 1.0, {"weights": dense.key})
    assert (sketched.stage, sketched.spec.model.theta, sketched.parents) == ("fine_tune", 0.9, {"weights": full.key})
    assert full.spec.training.epochs == sketched.spec.training.epochs == 2
    assert dense.key == trained(small(model={"tensorized": False}))[0].key


def test_a_dense_net_has_no_initial_decomposition():
    both = small(model={"tensorized": False, "init": ["random", "decompose"]})
    assert len(trained(both)) == 1


def cells(name):
    """What a built-in space measures: each model by what the paper's tables vary, each attack by what they vary."""
    jobs = {job.key: job for job in expand_space(load_space(name).space)}
    found = set()
    for job in jobs.values():
        if job.stage == "attack":
            model, attack = jobs[job.parents["model"]].spec, job.spec.attack
            row = (model.model.name, model.model.tensorized, model.model.theta, model.model.binary, model.defence.name)
            found.add(
                (
                    *row,
                    model.training.adversarial_training,
                    attack.name,
                    attack.epsilon,
                    attack.steps,
                    attack.sign_gradient,
                    job.spec.knowledge,
                )
            )
    return found


def of_the_paper(name):
    """The cells of a small table without those that go beyond the paper's, which are those of `BEYOND`."""
    extra = BEYOND.get(name, {})
    return {cell for cell in cells(name) if (cell[6], cell[-1]) not in extra}


# The attackers of small tables whom the paper's own table does not have, each with its number of cells.
BEYOND = {"table1-small": {("pgd", "transfer"): 12, ("pgd", "eot"): 12, ("pgd", "omniscient"): 12}}


@pytest.mark.parametrize(
    ("name", "count"), [("table1", 36), ("table2", 42), ("table3", 9), ("table4", 36), ("table5", 24), ("figure1", 112)]
)
def test_a_table_in_small_has_every_cell_of_the_table(name, count):
    assert cells(name) == of_the_paper(f"{name}-small")
    assert len(cells(name)) == count


@pytest.mark.parametrize("name", BEYOND)
def test_what_a_small_table_has_beyond_the_papers_is_named_by_attack_and_knowledge(name):
    beyond = cells(name) - cells(name.removesuffix("-small"))
    assert Counter((cell[6], cell[-1]) for cell in beyond) == BEYOND[name]


def test_table_1_in_small_transfers_from_the_net_without_a_sketch_and_from_a_dense_one():
    jobs = {job.key: job for job in expand_space(load_space("table1-small").space)}
    found = Counter(
        (jobs[job.parents["model"]].spec.model.theta, jobs[job.parents["source"]].spec.model.tensorized, job.spec.attack.epsilon_literal)
        for job in jobs.values()
        if "source" in job.parents
    )
    epsilons = ("2/255", "8/255", "16/255")
    expected = {(theta, tensorized, e): 3 for theta in (0.95, 0.9, 0.8) for tensorized in (True, False) for e in epsilons}
    assert found == expected | {(1.0, False, e): 1 for e in epsilons}


def test_table_2_has_the_rows_of_the_paper():
    rows = {(*cell[1:3], *cell[4:6]) for cell in cells("table2")}
    assert rows == {
        (False, 1.0, "none", "none"),
        (False, 1.0, "feature_squeezing", "none"),
        (False, 1.0, "defensive_quantization", "none"),
        (False, 1.0, "none", "r_fgsm"),
        (False, 1.0, "none", "pgd"),
        (True, 0.8, "none", "none"),
        (True, 0.95, "none", "pgd"),
    }


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4", "figure1", "figure2", "figure3", "figure4"])
def test_one_override_trains_a_table_as_the_paper_does(name):
    jobs = trained(load_space(name, ["training.recipe=paper"]).space)
    assert {(job.spec.training.epochs, job.spec.training.weight_decay) for job in jobs} == {(350, 1e-6)}


def diagnoses(**sections):
    jobs = {job.key: job for job in expand_space(small(**sections))}
    return [(jobs[job.parents["model"]].spec, job.spec.diagnosis) for job in jobs.values() if job.stage == "diagnose"]


def test_models_are_diagnosed_once_each_where_the_space_asks_for_it():
    assert diagnoses(model={"theta": [1.0, 0.9]}) == diagnoses(model={"theta": [1.0, 0.9]}, diagnosis=None) == []
    found = diagnoses(model={"theta": [1.0, 0.9]}, diagnosis={}, evaluation={"repeats": 3})
    assert [trained.model.theta for trained, _ in found] == [1.0, 0.9]


def test_a_diagnosis_has_the_settings_of_its_section_with_what_changes_nothing_left_out():
    section = {"examples": 40, "draws": 5, "eot_samples": 3, "selection_draws": 2, "sign_gradient": "tanh075"}
    found = diagnoses(model={"theta": [1.0, 0.9], "binary": [False, True]}, diagnosis=section)
    seen = {
        (trained.model.theta, trained.model.binary): (it.draws, it.eot_samples, it.selection_draws, it.sign_gradient)
        for trained, it in found
    }
    assert seen == {
        (1.0, False): (1, 1, 1, "identity"),
        (1.0, True): (1, 1, 1, "tanh075"),
        (0.9, False): (5, 3, 2, "identity"),
        (0.9, True): (5, 3, 2, "tanh075"),
    }
    assert {it.examples for _, it in found} == {40}


def test_a_diagnosis_of_a_deterministic_model_has_one_key_whatever_is_idle():
    keys = [
        {job.key for job in expand_space(small(diagnosis=given))}
        for given in ({}, {"draws": 3, "eot_samples": 2, "sign_gradient": "identity"})
    ]
    assert keys[0] == keys[1]


def test_epsilon_follows_the_data_unless_the_space_says_it():
    for data, model, literal in (("digits", "resnet18", "8/255"), ("tones", "logmel", "0.032")):
        ((_, it),) = diagnoses(data={"name": data}, model={"name": model}, diagnosis={})
        assert it.epsilon_literal == literal
    ((_, it),) = diagnoses(diagnosis={"epsilon": "16/255"})
    assert (it.epsilon, it.epsilon_literal) == (16 / 255, "16/255")


@pytest.mark.parametrize("number", ["", *"12345"])
@pytest.mark.parametrize("size", ["", "-small"])
def test_every_model_of_a_built_in_table_is_diagnosed(number, size):
    jobs = expand_space(load_space(f"table{number}{size}" if number else f"figure1{size}").space)
    measured = {job.parents["model"] for job in jobs if job.stage == "evaluate"}
    assert {job.parents["model"] for job in jobs if job.stage == "diagnose"} == measured


def test_ranks_by_stage_that_are_all_one_are_the_rank_of_the_whole_net():
    uniform = trained(small(model={"rank_fraction": 0.25}))
    assert [job.key for job in trained(small(model={"stage_rank_fractions": [0.25] * 4}))] == [job.key for job in uniform]
    assert [job.key for job in trained(small(model={"rank_fraction": 0.9, "stage_rank_fractions": [0.25] * 4}))] == [
        job.key for job in uniform
    ]
    first = {"tensorize_first": True, "stage_rank_fractions": [0.25] * 4}
    assert trained(small(model=first | {"rank_fraction": 0.9}))[0].key != trained(small(model=first | {"rank_fraction": 0.25}))[0].key


def test_ranks_by_stage_change_nothing_about_a_dense_net_and_everything_about_another():
    fractions = [1.0, 0.5, 0.5, 0.25]
    dense = {"tensorized": False, "theta": 1.0}
    assert trained(small(model=dense | {"stage_rank_fractions": fractions}))[0].key == trained(small(model=dense))[0].key
    found = [job.key for job in trained(small(model={"theta": 1.0, "stage_rank_fractions": [None, fractions, fractions[::-1]]}))]
    assert len(set(found)) == len(found) == 3


def test_a_grid_with_held_out_examples_is_measured_on_both_splits_and_its_jobs_without_are_what_they_were():
    plain, held_out = (expand_space(parse_space(SPLIT_SPACE.format(validation), label="s", stem="s")) for validation in ("0", "0.1"))
    assert [job.spec.evaluation.split for job in held_out if job.stage == "attack"] == ["test", "validation"]
    assert [job.spec.evaluation.split for job in plain if job.stage == "attack"] == ["test"]
    unsaid = expand_space(parse_space(SPLIT_SPACE.replace("  validation_examples: {}\n", "").format(), label="s", stem="s"))
    assert [job.key for job in unsaid] == [job.key for job in plain]


SPLIT_SPACE = """
data:
  name: digits
  validation_examples: {}
model: {{width: 2}}
training: {{epochs: 1}}
attacks: [{{attack: fgsm, epsilon: 8/255}}]
"""
