from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sweep import expand
from search_spaces import Space, load_space, parse_space
from workers.recipes import resolve_training
from workers.specs import ModelSpec

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
GROUPS = st.fixed_dictionaries(
    {
        "attack": st.lists(st.sampled_from(["fgsm", "bim", "pgd", "mi_fgsm", "apgd_ce"]), min_size=1, max_size=2),
        "epsilon": EPSILONS,
        "knowledge": st.sampled_from(["randomized", "omniscient", "eot", ["randomized", "omniscient", "eot"]]),
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
        "training": st.fixed_dictionaries({"epochs": st.sampled_from([1, [1, 2]])}),
        "fine_tuning": st.fixed_dictionaries({}, optional={"learning_rate": st.sampled_from([0.1, [0.1, 0.01]])}),
        "evaluation": st.fixed_dictionaries({"repeats": st.integers(1, 2)}),
        "attacks": st.lists(GROUPS, max_size=2),
    }
)


def keys(data):
    return [job.key for job in expand(Space.model_validate(data))]


def small(*, attacks=(), evaluation=None, **sections):
    data = {"name": "x", "data": {"name": "digits"}, "training": {"epochs": 2}, "attacks": list(attacks), "evaluation": evaluation}
    return Space.model_validate({**data, **sections})


def trained(space):
    return [job for job in expand(space) if job.stage in {"pretrain", "fine_tune"}]


def reordered(data):
    if isinstance(data, dict):
        return {key: reordered(data[key]) for key in sorted(data, reverse=True)}
    return [reordered(item) for item in data] if isinstance(data, list) else data


@given(SPACES)
def test_no_key_comes_twice_and_parents_come_before_their_children(data):
    seen = set()
    for job in expand(Space.model_validate(data)):
        assert job.key not in seen
        assert seen >= set(job.parents.values())
        seen.add(job.key)


@given(SPACES)
def test_the_order_of_the_keys_in_a_file_changes_nothing(data):
    text = yaml.safe_dump(reordered(data), sort_keys=False)
    assert [job.key for job in expand(parse_space(text, label="x.yaml", stem="x"))] == keys(data)


@given(SPACES.filter(lambda data: data["attacks"]))
def test_another_epsilon_only_adds_jobs(data):
    group = data["attacks"][0]
    wider = {**data, "attacks": [{**group, "epsilon": [*group["epsilon"], "128/255"]}, *data["attacks"][1:]]}
    assert set(keys(wider)) > set(keys(data))


@given(SPACES)
def test_more_repeats_only_add_jobs(data):
    wider = {**data, "evaluation": {"repeats": data["evaluation"]["repeats"] + 1}}
    assert set(keys(wider)) > set(keys(data))


@given(SPACES)
def test_another_theta_only_adds_jobs(data):
    wider = {**data, "model": {**data["model"], "theta": [*data["model"]["theta"], 0.8]}}
    assert set(keys(wider)) > set(keys(data))


def test_the_quickstart_has_the_jobs_that_its_file_describes():
    jobs = expand(load_space("quickstart").space)
    assert Counter(job.stage for job in jobs) == {"pretrain": 1, "fine_tune": 2, "evaluate": 9, "craft": 9, "attack": 108}


def test_sketched_models_are_fine_tuned_from_one_pretrained_model_that_is_not_measured_itself():
    jobs = expand(small(model={"theta": [0.9, 0.8], "sketch_modes": ["all", "channels"]}))
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
    jobs = expand(small(model={"binary": [False, True]}, attacks=[group]))
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
        {job.key for job in expand(small(attacks=[{"attack": "fgsm", "epsilon": "8/255", **sign}]))}
        for sign in ({}, {"sign_gradient": "tanh"}, {"sign_gradient": ["tanh075", "identity"]})
    ]
    assert keys[0] == keys[1] == keys[2]


def attacks_by_theta(*, theta, **group):
    jobs = expand(small(model={"theta": theta}, attacks=[{"epsilon": "8/255", **group}]))
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
    plain = {job.key for job in expand(small(attacks=[{"attack": ["bim", "pgd"], "epsilon": "8/255"}]))}
    del group["momentum"]
    assert {job.key for job in expand(small(attacks=[group]))} == plain


def test_every_setting_of_an_attack_is_part_of_its_key():
    group = {"attack": "pgd", "epsilon": "8/255", "norm": ["linf", "l2"], "steps": [3, 4], "abs_stepsize": ["1/255", "2/255"]}
    axes = {"loss": ["ce", "dlr"], "target": ["none", "next"], "restarts": [1, 2], "early_stop": [False, True]}
    jobs = [job for job in expand(small(attacks=[{**group, **axes}])) if job.stage == "attack"]
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
    assert {(job.spec.training.horizontal_flip, job.spec.model.width) for job in trained(space)} == {(False, width)}


def test_another_pair_of_lists_is_another_model():
    one, other = trained(small(data={"name": "speech_commands", "split_lists": ["official", "resplit"]}, model={"name": "logmel"}))
    assert (one.spec.data.split_lists, other.spec.data.split_lists) == ("official", "resplit")
    assert one.key != other.key


def test_a_recipe_is_resolved_into_every_training_and_its_name_makes_no_job_of_its_own():
    (fast,) = trained(small(training={"recipe": "fast"}))
    assert fast.spec.training == resolve_training({"recipe": "fast"}, dataset="digits")
    spelt_out = fast.spec.training.model_dump(exclude={"recipe", "milestones", "gamma", "clip_norm"}, exclude_defaults=True)
    (same,) = trained(small(training=spelt_out))
    assert (same.key, same.spec.training.recipe) == (fast.key, "custom")


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
    jobs = expand(small(attacks=[group], evaluation={"repeats": 3, "examples": 10}))
    model, craft = (next(job for job in jobs if job.stage == stage) for stage in ("pretrain", "craft"))
    attacks = [job for job in jobs if job.stage == "attack"]
    assert craft.parents == {"model": model.key}
    assert Counter(job.stage for job in jobs) == {"pretrain": 1, "evaluate": 3, "craft": 1, "attack": 6}
    for job in attacks:
        omniscient = job.spec.knowledge == "omniscient"
        assert job.parents == ({"model": model.key, "examples": craft.key} if omniscient else {"model": model.key})
        assert job.spec.evaluation.examples == 10
    assert [job.spec.repeat for job in attacks] == [0, 1, 2, 0, 1, 2]


def test_one_epsilon_written_two_ways_is_one_job_with_the_first_spelling():
    jobs = expand(small(attacks=[{"attack": "fgsm", "epsilon": ["51/255", 0.2]}]))
    assert [job.spec.attack.epsilon_literal for job in jobs if job.stage == "attack"] == ["51/255"]


def test_without_attacks_only_clean_accuracy_is_measured():
    assert [job.stage for job in expand(small(evaluation={"repeats": 2}))] == ["pretrain", "evaluate", "evaluate"]
