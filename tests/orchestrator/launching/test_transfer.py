"""Which models transferred examples are made on, and what jobs come of it."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning.expand import expand_space
from orchestrator.planning.plan import make_plan
from orchestrator.planning.prelaunch_checks import check_data, check_sizes
from search_spaces.space import space_type
from workers.errors import UserError

SOURCES = ["parent", "undefended", "dense"]
PGD = {"attack": "pgd", "epsilon": "8/255", "knowledge": "transfer"}


def jobs_of(*, group=None, **sections):
    """A space's jobs by key; its one attack group transfers PGD."""
    data = {"name": "x", "data": {"name": "digits"}, "training": {"epochs": 2}, "attacks": [{**PGD, **(group or {})}]}
    return {job.key: job for job in expand_space(space_type().model_validate({**data, **sections}))}


def transfers(jobs):
    return [job for job in jobs.values() if "source" in job.parents]


def only_source(**sections):
    """The one model from which a space's one model gets transferred examples, and all jobs; None where it gets none."""
    jobs = jobs_of(**sections)
    found = {job.parents["source"] for job in transfers(jobs)}
    assert len(found) <= 1
    return jobs[found.pop()] if found else None, jobs


def model_of(jobs):
    """The one model that the jobs measure."""
    (key,) = {job.parents["model"] for job in jobs.values() if job.stage == "evaluate"}
    return jobs[key]


def words(job):
    spec = job.spec
    return (spec.model.tensorized, spec.model.theta, spec.model.binary, spec.defence.name, spec.training.adversarial_training)


ADVERSARIAL = {"epochs": 2, "adversarial_training": "pgd"}
TARGETS = {
    "sketched": {"model": {"theta": 0.9}},
    "full": {"model": {"theta": 1.0}},
    "dense": {"model": {"tensorized": False}},
    "binary": {"model": {"theta": 0.9, "binary": True}},
    "adversarial": {"model": {"theta": 0.9}, "training": ADVERSARIAL},
    "adversarial in fine-tuning": {"model": {"theta": 0.9}, "fine_tuning": {"adversarial_training": "pgd"}},
    "put around": {"defence": {"name": "feature_squeezing"}},
    "put around a sketch": {"model": {"theta": 0.9}, "defence": {"name": "random_resize_pad"}, "training": ADVERSARIAL},
    "trained in": {"model": {"theta": 0.9}, "defence": {"name": "defensive_dropout"}},
    "decomposed": {"model": {"init": "decompose", "rank_fraction": 0.25}},
    "decomposed and sketched": {"model": {"init": "decompose", "theta": 0.9}, "fine_tuning": {"epochs": 1}},
}
FULL, DENSE = (True, 1.0, False, "none", "none"), (False, 1.0, False, "none", "none")
FULL_ADVERSARIAL = (True, 1.0, False, "none", "pgd")
EXPECTED = {
    "sketched": (FULL, FULL, DENSE),
    "full": (None, None, DENSE),
    "dense": (None, None, None),
    "binary": ((True, 1.0, True, "none", "none"), (True, 1.0, True, "none", "none"), (False, 1.0, True, "none", "none")),
    "adversarial": (FULL_ADVERSARIAL, FULL, DENSE),
    "adversarial in fine-tuning": (FULL, FULL, DENSE),
    "put around": (FULL, FULL, DENSE),
    "put around a sketch": (FULL_ADVERSARIAL, FULL, DENSE),
    "trained in": ((True, 1.0, False, "defensive_dropout", "none"), FULL, DENSE),
    "decomposed": (None, None, DENSE),
    "decomposed and sketched": (FULL, FULL, DENSE),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("target", TARGETS)
def test_the_source_is_the_attacked_models_point_of_the_grid_without_its_sketch_and_defences(target, name):
    source, _ = only_source(group={"source": name}, **TARGETS[target])
    assert (source and words(source)) == EXPECTED[target][SOURCES.index(name)]


@pytest.mark.parametrize("target", [name for name, (parent, *_) in EXPECTED.items() if parent])
def test_the_parent_is_an_ancestor_of_the_attacked_model_and_costs_no_training(target):
    source, jobs = only_source(**TARGETS[target])
    ancestors, key = [], model_of(jobs).key
    while (key := jobs[key].parents.get("weights")) is not None:
        ancestors.append(key)
    assert source.key in ancestors
    plain = jobs_of(group={"knowledge": "omniscient"}, **TARGETS[target])
    assert {job.key for job in jobs.values() if hasattr(job.spec, "training")} == {
        job.key for job in plain.values() if hasattr(job.spec, "training")
    }


@pytest.mark.parametrize("target", ["adversarial", "put around a sketch", "trained in", "decomposed and sketched"])
@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_the_model_that_a_grid_would_have_at_that_point(target, name):
    source, _ = only_source(group={"source": name}, **TARGETS[target])
    laid_over = TARGETS[target] | {"training": {"epochs": 2}, "defence": {"name": "none"}} if name != "parent" else TARGETS[target]
    model = {"tensorized": False} if name == "dense" else {**TARGETS[target].get("model", {}), "theta": 1.0}
    defence = {} if target == "trained in" else {"defence": {"name": "none"}}
    same = jobs_of(group={"knowledge": "omniscient"}, **(laid_over | {"model": model} | (defence if name == "parent" else {})))
    assert source.key == model_of(same).key


def test_a_source_that_no_grid_has_is_trained_before_its_examples_are_made_and_is_not_measured():
    jobs = jobs_of(group={"source": "dense"}, model={"theta": 0.9, "init": "random"}, evaluation={"repeats": 2})
    assert [job.stage for job in jobs.values()] == [
        "pretrain", "fine_tune", "evaluate", "evaluate", "pretrain", "craft", "attack", "attack",
    ]  # fmt: skip
    (dense,) = [job for job in jobs.values() if job.stage == "pretrain" and not job.spec.model.tensorized]
    (craft,) = [job for job in jobs.values() if job.stage == "craft"]
    assert craft.parents == {"model": dense.key}
    model = model_of(jobs)
    assert [job.parents for job in transfers(jobs)] == [{"model": model.key, "examples": craft.key, "source": dense.key}] * 2
    assert {job.spec.attack for job in transfers(jobs)} == {craft.spec.attack}
    assert [job.spec.repeat for job in transfers(jobs)] == [0, 1]


def test_every_target_shares_the_examples_of_a_source_with_its_own_omniscient_attack():
    jobs = jobs_of(group={"knowledge": ["transfer", "omniscient"]}, model={"theta": [1.0, 0.9, 0.8]})
    crafts = {job.parents["model"]: job.key for job in jobs.values() if job.stage == "craft"}
    assert len(crafts) == 3
    (full,) = [job for job in jobs.values() if job.stage == "pretrain"]
    assert {(job.parents["source"], job.parents["examples"]) for job in transfers(jobs)} == {(full.key, crafts[full.key])}
    assert len(transfers(jobs)) == 2


@pytest.mark.parametrize("names", [*combinations(SOURCES, 2)])
def test_two_names_of_one_source_are_one_attack(names):
    target = {"model": {"tensorized": False}, "defence": {"name": "feature_squeezing"}}
    alone = [set(jobs_of(group={"source": name}, **target)) for name in names]
    assert alone[0] == alone[1] == set(jobs_of(group={"source": list(names)}, **target))


def test_settings_apply_to_the_model_that_the_examples_are_made_on():
    group = {"attack": "apgd_ce", "early_stop": [False, True], "sign_gradient": ["tanh", "tanh075"], "selection_draws": [3, 5]}
    for binary in (False, True):
        jobs = jobs_of(group=group, model={"theta": 0.9, "binary": binary}, defence={"name": "random_resize_pad"})
        found = Counter(
            (job.spec.attack.early_stop, job.spec.attack.sign_gradient, job.spec.attack.eot_samples, job.spec.attack.selection_draws)
            for job in transfers(jobs)
        )
        signs = ("tanh", "tanh075") if binary else ("identity",)
        assert found == {(stop, sign, 1, 1): 1 for stop in (False, True) for sign in signs}


def test_no_example_leaves_early_on_a_source_with_a_randomised_defence_trained_in():
    jobs = jobs_of(group={"early_stop": True}, model={"theta": 0.9}, defence={"name": "defensive_dropout"})
    assert {job.spec.attack.early_stop for job in transfers(jobs)} == {False}


def test_transferred_examples_are_tried_once_on_a_model_that_is_not_random_and_in_every_repeat_on_one_that_is():
    repeats = {"repeats": 3}
    for theta, times in ((1.0, 1), (0.9, 3)):
        jobs = jobs_of(group={"source": "dense", "target": ["none", "random"]}, model={"theta": theta}, evaluation=repeats)
        assert len(transfers(jobs)) == 2 * times


@given(
    st.lists(st.sampled_from(sorted(TARGETS)), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(SOURCES), min_size=1, unique=True),
    st.lists(st.sampled_from(["transfer", "omniscient", "randomized"]), unique=True),
)
def test_every_transfer_is_from_another_model_of_the_same_data_by_examples_that_were_made_there(targets, sources, knowledge):
    group = {"knowledge": [*knowledge, "transfer"], "source": sources}
    jobs, seen = jobs_of(group=group, variants=[TARGETS[name] for name in targets]), set()
    for job in jobs.values():
        assert seen >= set(job.parents.values())
        seen.add(job.key)
    for job in transfers(jobs):
        model, source, craft = (jobs[job.parents[role]] for role in ("model", "source", "examples"))
        assert (job.spec.knowledge, craft.parents) == ("transfer", {"model": source.key})
        assert source.key != model.key
        assert (source.spec.data, source.spec.seed) == (model.spec.data, model.spec.seed)
        assert (craft.spec.attack, craft.spec.evaluation.examples) == (job.spec.attack, job.spec.evaluation.examples)
    assert {"transfer"} >= {job.spec.knowledge for job in jobs.values() if "source" in job.parents}


def test_a_source_of_its_own_is_checked_before_anything_runs(tmp_path):
    jobs = jobs_of(group={"source": "dense"}, data={"name": "cifar10"}, model={"theta": 0.9}).values()
    with pytest.raises(UserError, match="cifar10"):
        check_data([job for job in jobs if job.stage == "pretrain" and not job.spec.model.tensorized], tmp_path)
    with pytest.raises(UserError, match=r"evaluation\.examples=401"):
        check_sizes(jobs_of(evaluation={"examples": 401}, model={"theta": 0.9}).values())


def test_a_source_whose_files_are_gone_is_made_again_for_examples_that_are_still_to_be_made():
    jobs = jobs_of(group={"source": "dense"}, model={"theta": 0.9})
    (dense,) = [key for key, job in jobs.items() if job.stage == "pretrain" and not job.spec.model.tensorized]
    trained = {key for key, job in jobs.items() if job.stage in {"pretrain", "fine_tune"}}
    plan = make_plan(jobs.values(), recorded=trained, finished=trained - {dense})
    assert plan.recreated == {dense}
