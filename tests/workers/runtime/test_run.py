import re
import shutil
from importlib.metadata import version

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors

from tests.builders import attack_job, attack_settings, craft_job, evaluate_job
from tests.kept_files import job_folder, kept
from tests.workers.attacks.attacked import NAMES, brief
from tests.workers.runtime.chain import (
    CRAFT,
    EVALUATES,
    FULL,
    MEASURED,
    MODEL,
    OMNISCIENT,
    PGD,
    PLAN,
    RANDOMIZED,
    TRAINING,
    Done,
    run_all,
    train_job,
)
from tests.workers.small import CPU, DIGITS, generator, network, split
from workers.artifacts.artifacts import Artifacts, JobFolder
from workers.artifacts.outcomes import CraftOutcome, FlagsOutcome, TrainOutcome
from workers.data.loading import balanced_subset
from workers.data.loading.device_split import DeviceSplit
from workers.errors import ArtifactError, DataError, JobError, StorageError, UserError
from workers.measure.evaluate import attacker, correct_flags, craft, replayer
from workers.runtime.job_context import clean_gradients
from workers.runtime.run import RunSettings, run
from workers.spec.component import DataSpec
from workers.spec.job import Job
from workers.spec.keys import derive_seed
from workers.spec.stage_specs import EvaluateSpec, EvaluationSpec
from workers.spec.training import TrainingSpec

KIND = {"pretrain": TrainOutcome, "fine_tune": TrainOutcome, "craft": CraftOutcome}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The whole plan, run once for all tests that only look."""
    return run_all(PLAN, tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def parents(done, tmp_path):
    """A fresh root in which only the models and the crafted examples are done."""
    for job in (FULL, MODEL, CRAFT):
        shutil.copytree(job_folder(done.root, job.key), job_folder(tmp_path, job.key))
    return tmp_path


def names(root, job):
    """The files of a job's folder, kept ones without the digits of their content."""
    return sorted(re.sub(r"\.[0-9a-f]{16}\.", ".", path.name) for path in job_folder(root, job.key).iterdir())


def outcomes(done: Done, jobs=PLAN):
    return {job.key: (done[job].outcome, done[job].files) for job in jobs}


def test_a_whole_plan_gives_every_job_the_outcome_of_its_stage(done):
    assert {job.key: type(done[job].outcome) for job in PLAN} == {job.key: KIND.get(job.stage, FlagsOutcome) for job in PLAN}
    assert all(done[job].outcome.n_examples == 20 for job in (CRAFT, *MEASURED))
    assert [done[job].outcome.metrics for job in MEASURED] == [{}] * len(MEASURED)  # images
    assert [record.epoch for record in done[MODEL].outcome.history] == [1, 2]


def test_two_roots_get_the_same_results_bit_for_bit(done, tmp_path):
    again = run_all(PLAN, tmp_path)
    assert outcomes(again) == outcomes(done)
    for job, name in ((FULL, "model.safetensors"), (MODEL, "model.safetensors"), (CRAFT, "examples.safetensors")):
        assert kept(tmp_path, job.key, name).read_bytes() == kept(done.root, job.key, name).read_bytes()


def test_results_do_not_depend_on_what_the_process_ran_before(done, parents):
    torch.manual_seed(99)
    assert outcomes(run_all(reversed(MEASURED), parents), MEASURED) == outcomes(done, MEASURED)


def attack_jobs(model, *, random):
    """One job of every attack, FGSM at several epsilons among them."""
    draws = {"selection_draws": 2} if random else {}
    settings = [attack_settings(name=name, epsilon=0.1, steps=2, **draws, **brief(name)) for name in NAMES]
    settings += [attack_settings(epsilon=epsilon, norm=norm) for norm, epsilon in (("linf", 0.05), ("linf", 0.2), ("l2", 1.5))]
    averaged = attack_settings(name="pgd", epsilon=0.1, steps=3, eot_samples=3 if random else 1)
    jobs = [attack_job(model, attack=chosen, examples=20) for chosen in settings]
    return [*jobs, attack_job(model, attack=averaged, knowledge="eot", examples=20)]


@pytest.mark.parametrize(("model", "random"), [(FULL, False), pytest.param(MODEL, True, marks=pytest.mark.slow)], ids=["full", "sketched"])
def test_every_attack_is_a_job_whose_result_does_not_depend_on_the_jobs_before_it(model, random, done, parents):
    jobs = attack_jobs(model, random=random)
    one = outcomes(run_all(jobs, parents), jobs)
    for job in jobs:
        shutil.rmtree(job_folder(parents, job.key))
    clean_gradients.cache_clear()
    assert outcomes(run_all(reversed(jobs), parents), jobs) == one
    assert len({outcome.packed() for outcome, _ in one.values()}) > 1


def test_l2_examples_are_crafted_and_replayed_in_their_own_ball(parents):
    far = attack_settings(name="pgd", norm="l2", epsilon=2.0, steps=2)
    crafted = craft_job(MODEL, attack=far, examples=20)
    found = run_all([crafted, attack_job(MODEL, attack=far, crafted=crafted, examples=20)], parents)
    assert 1.9 < found[crafted].outcome.max_perturbation < 2.0001


@pytest.mark.parametrize("job", PLAN, ids=lambda job: job.stage)
def test_an_artifact_holds_the_expected_files_and_nothing_else(done, job):
    kept = {"pretrain": ["model.safetensors"], "fine_tune": ["model.safetensors"], "craft": ["examples.safetensors"]}.get(job.stage, [])
    assert names(done.root, job) == sorted(["job.json", "result.json", *kept])
    assert list(done[job].files) == kept


def test_the_root_holds_the_jobs_artifacts_and_nothing_else(done):
    assert {path.name for path in done.root.glob("*/*")} == {job.key for job in PLAN} == Artifacts(done.root).finished()
    assert all(Artifacts(done.root).job(job.key) == job for job in PLAN)


@pytest.mark.parametrize("job", [FULL, CRAFT, EVALUATES[0]], ids=lambda job: job.stage)
def test_a_job_with_a_result_is_not_computed_again(done, job):
    def stamps():
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in job_folder(done.root, job.key).iterdir()}

    before = stamps()
    reported = []
    assert run(job, RunSettings(done.root), report=reported.append) == done[job]
    assert stamps() == before
    assert reported == []


def test_an_unreadable_result_is_computed_again(done, parents):
    (job_folder(parents, FULL.key) / "result.json").write_bytes(b'{"key": ')
    assert outcomes(run_all([FULL], parents), [FULL]) == outcomes(done, [FULL])
    assert Artifacts(parents).result(FULL.key).outcome == done[FULL].outcome


def test_another_jobs_result_in_its_place_is_computed_again(done, parents):
    shutil.copytree(job_folder(done.root, EVALUATES[1].key), job_folder(parents, EVALUATES[0].key))
    assert outcomes(run_all([EVALUATES[0]], parents), [EVALUATES[0]]) == outcomes(done, [EVALUATES[0]])


@pytest.mark.parametrize(
    "job", [MODEL, CRAFT, EVALUATES[0], RANDOMIZED[0], OMNISCIENT[0]], ids=["fine_tune", "craft", "evaluate", "randomized", "omniscient"]
)
def test_a_missing_parent_is_an_error_that_names_it_and_leaves_no_result(tmp_path, job):
    missing = job.parents.get("weights") or job.parents["model"]
    with pytest.raises(ArtifactError, match=missing):
        run(job, RunSettings(tmp_path))
    assert Artifacts(tmp_path).finished() == frozenset()


def test_missing_crafted_examples_are_an_error_that_names_their_job(parents):
    shutil.rmtree(job_folder(parents, CRAFT.key))
    with pytest.raises(ArtifactError, match=CRAFT.key):
        run(OMNISCIENT[0], RunSettings(parents))


@pytest.mark.parametrize(
    ("job", "parent", "name"), [(EVALUATES[0], MODEL, "model"), (OMNISCIENT[0], CRAFT, "examples"), (MODEL, FULL, "model")]
)
def test_a_parents_changed_file_is_refused(parents, job, parent, name):
    path = kept(parents, parent.key, f"{name}.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    shutil.rmtree(job_folder(parents, job.key), ignore_errors=True)
    with pytest.raises(ArtifactError, match=f"{path} is corrupt"):
        run(job, RunSettings(parents))


@pytest.mark.parametrize(("job", "role"), [(MODEL, "weights"), (EVALUATES[0], "model"), (CRAFT, "model"), (RANDOMIZED[0], "model")])
def test_a_job_without_the_parent_that_its_stage_needs_is_refused(tmp_path, job, role):
    with pytest.raises(UserError, match=f"stage {job.stage} needs a parent in role '{role}'"):
        run(Job(spec=job.spec), RunSettings(tmp_path))


def test_an_omniscient_attack_without_examples_does_not_fall_back_to_another(parents):
    job = Job(spec=OMNISCIENT[0].spec, parents={"model": MODEL.key})
    with pytest.raises(UserError, match="role 'examples'"):
        run(job, RunSettings(parents))


def test_a_parent_of_the_wrong_stage_is_refused(parents):
    with pytest.raises(ArtifactError, match="a craft job has no model"):
        run(evaluate_job(CRAFT, examples=20), RunSettings(parents))


@pytest.mark.parametrize("job", [train_job(), evaluate_job(MODEL, examples=401)], ids=lambda job: job.stage)
def test_more_examples_than_there_are_is_an_error_with_both_numbers(parents, job):
    if job.stage == "pretrain":
        job = Job(spec=job.spec.model_copy(update={"data": DataSpec(name="digits", train_examples=1398)}))
    with pytest.raises(UserError, match=r"digits: (1398 train|401 test) examples asked for: there are (1397|400)"):
        run(job, RunSettings(parents))


def test_a_missing_data_set_is_an_error_that_leaves_no_result(tmp_path):
    job = Job(spec=FULL.spec.model_copy(update={"data": DataSpec(name="cifar10")}))
    with pytest.raises(DataError, match="no data folder given"):
        run(job, RunSettings(tmp_path))
    assert Artifacts(tmp_path).finished() == frozenset()


def test_a_diverging_training_leaves_neither_a_model_nor_a_result(tmp_path):
    job = train_job(training=TrainingSpec(epochs=2, batch_size=20, learning_rate=1e30))
    with pytest.raises(JobError, match="the training loss is nan"):
        run(job, RunSettings(tmp_path))
    assert "model.safetensors" not in names(tmp_path, job)
    assert Artifacts(tmp_path).finished() == frozenset()


def test_a_job_whose_files_could_not_be_written_has_no_result(done, tmp_path):
    path = job_folder(tmp_path, FULL.key) / kept(done.root, FULL.key, "model.safetensors").name
    path.mkdir(parents=True)
    with pytest.raises(StorageError, match=f"{path}: is a directory"):
        run(FULL, RunSettings(tmp_path))
    assert Artifacts(tmp_path).finished() == frozenset()


def test_the_result_is_written_after_all_files_that_it_vouches_for(done, tmp_path, monkeypatch):
    def die(folder, result):
        raise KilledError

    monkeypatch.setattr(JobFolder, "commit", die)
    with pytest.raises(KilledError):
        run(FULL, RunSettings(tmp_path))
    assert not (job_folder(tmp_path, FULL.key) / "result.json").exists()
    model = kept(done.root, FULL.key, "model.safetensors")
    assert (job_folder(tmp_path, FULL.key) / model.name).read_bytes() == model.read_bytes()


class KilledError(Exception):
    """Stands for the SIGKILL that ends an attempt."""


def test_a_job_killed_in_training_goes_on_where_it_was_to_the_same_model(done, tmp_path):
    def kill(record):
        raise KilledError

    with pytest.raises(KilledError):
        run(FULL, RunSettings(tmp_path), attempt="a1", report=kill)
    reported = []
    result = run(FULL, RunSettings(tmp_path), attempt="a2", report=reported.append)
    assert [record.epoch for record in reported] == [2]
    assert (result.outcome, result.files) == (done[FULL].outcome, done[FULL].files)
    assert names(tmp_path, FULL) == names(done.root, FULL)


def test_a_fine_tuned_model_starts_from_its_parents_weights(parents):
    still = train_job(theta=0.8, parent=FULL, training=TrainingSpec(epochs=1, batch_size=20, learning_rate=1e-30, weight_decay=0.0))
    run(still, RunSettings(parents))
    before, after = (load_file(kept(parents, job.key, "model.safetensors")) for job in (FULL, still))
    trained = [name for name in before if "running" not in name and "num_batches" not in name]
    assert trained
    assert all(np.array_equal(before[name], after[name]) for name in trained)


def test_a_tensorized_model_that_starts_from_a_dense_parent_holds_its_kernels_decomposed(tmp_path):
    dense = train_job(tensorized=False)
    whole = train_job(parent=dense, training=TRAINING.model_copy(update={"learning_rate": 1e-9}), rank_fraction=1.0, init="decompose")
    done = run_all([dense, whole], tmp_path)
    before, after = (load_tensors(kept(tmp_path, job.key, "model.safetensors")) for job in (dense, whole))
    name = "body.blocks.3.conv2"
    core, *factors = (after.pop(f"{name}.kernel.{part}") for part in ("core", "factors.0", "factors.1", "factors.2", "factors.3"))
    torch.testing.assert_close(torch.einsum("abcd,fa,gb,hc,wd->fghw", core, *factors), before[f"{name}.weight"], rtol=1e-3, atol=1e-5)
    assert done[whole].outcome.ranks["blocks.3.conv2"] == [8, 8, 3, 3]


def by_hand(done: Done, job: Job, *, perturb=None):
    """The flags of a job, with the random numbers that its key stands for."""
    net = network(width=4, theta=0.8)
    net.load_state_dict(load_tensors(kept(done.root, MODEL.key, "model.safetensors")))
    net.seed(derive_seed(job.seed_key, "sketch"))
    evaluation = job.spec.evaluation
    perturb = perturb and perturb(net)
    return correct_flags(
        net, split(evaluation.examples), batch_size=evaluation.batch_size, draws=evaluation.draws, perturb=perturb
    ).tolist()


@pytest.mark.parametrize("job", EVALUATES, ids=lambda job: f"repeat {job.spec.repeat}")
def test_an_evaluation_draws_its_sketches_from_the_seed_of_its_key_alone(done, job):
    assert done[job].outcome.correct().tolist() == by_hand(done, job)


def test_a_randomized_attack_draws_sketches_and_start_from_the_seeds_of_its_key_alone(done, parents):
    wide = attack_settings(name="pgd", epsilon=0.2, steps=1).model_copy(update={"abs_stepsize": 0.01})
    job = attack_job(MODEL, attack=wide, examples=200, batch_size=50)
    start = generator(derive_seed(job.seed_key, "start"))
    flags = run(job, RunSettings(parents)).outcome.correct().tolist()
    assert flags == by_hand(done, job, perturb=lambda net: attacker(net, wide, generator=start))


@pytest.mark.parametrize("job", OMNISCIENT, ids=lambda job: f"repeat {job.spec.repeat}")
def test_an_omniscient_attack_replays_the_crafted_examples_under_sketches_of_its_key(done, job):
    examples = load_tensors(kept(done.root, CRAFT.key, "examples.safetensors"))["examples"]
    assert done[job].outcome.correct().tolist() == by_hand(done, job, perturb=lambda _: replayer(examples, epsilon=PGD.epsilon))


def test_crafted_examples_start_from_the_seed_of_their_key(done):
    net = network(width=4, theta=1.0)
    net.load_state_dict(load_tensors(kept(done.root, MODEL.key, "model.safetensors")))
    expected, _ = craft(net, split(20), PGD, batch_size=8, generator=generator(derive_seed(CRAFT.seed_key, "start")))
    assert np.array_equal(load_file(kept(done.root, CRAFT.key, "examples.safetensors"))["examples"], expected.numpy())


def test_repeats_have_fresh_sketches_and_random_starts(parents):
    jobs = [evaluate_job(MODEL, repeat=repeat, examples=200, batch_size=50) for repeat in range(3)]
    jobs += [attack_job(MODEL, attack=PGD, repeat=repeat, examples=200, batch_size=50) for repeat in range(3)]
    results = run_all(jobs, parents)
    assert len({results[job].outcome.flags for job in jobs}) == len(jobs)


def test_repeats_of_a_net_without_a_sketch_agree(parents):
    jobs = [evaluate_job(FULL, repeat=repeat, examples=200) for repeat in range(2)]
    results = run_all(jobs, parents)
    assert results[jobs[0]].outcome == results[jobs[1]].outcome


def test_crafted_examples_lie_in_the_ball_around_the_balanced_test_examples(done):
    examples = load_file(kept(done.root, CRAFT.key, "examples.safetensors"))["examples"]
    test = DIGITS.load(None).test
    distance = np.abs(examples - test.inputs[balanced_subset(test.labels, 20)]).max()
    assert done[CRAFT].outcome.max_perturbation == pytest.approx(float(distance))
    assert 0 < distance <= PGD.epsilon + 1e-6
    assert (examples.min() >= 0) & (examples.max() <= 1)


def test_flags_are_in_the_order_of_the_balanced_test_examples(parents):
    evaluations = [EvaluationSpec(examples=count, batch_size=20) for count in (20, 60)]
    jobs = [Job(spec=EvaluateSpec(evaluation=evaluation, repeat=0), parents={"model": FULL.key}) for evaluation in evaluations]
    few, more = (result.outcome.correct()[0].tolist() for result in run_all(jobs, parents).results.values())
    assert more[:20] == few
    assert 0 < sum(more) < 60


def test_examples_in_file_order_are_the_first_of_the_data_sets_files(parents):
    evaluation = EvaluationSpec(examples=20, order="file", batch_size=20)
    (found,) = run_all([Job(spec=EvaluateSpec(evaluation=evaluation, repeat=0), parents={"model": FULL.key})], parents).results.values()
    net = network(width=4)
    net.load_state_dict(load_tensors(kept(parents, FULL.key, "model.safetensors")))
    first = DeviceSplit.put(DIGITS.load(None).test, CPU, count=20, order="file")
    assert found.outcome.correct().tolist() == correct_flags(net, first, batch_size=20).tolist()
    assert not np.array_equal(first.labels, split(20).labels)


def test_a_result_records_its_key_time_and_environment(done):
    for job in PLAN:
        result = done[job]
        assert result.key == job.key
        assert result.seconds > 0
        assert result.environment.versions["torch"] == version("torch")
        assert result.environment.threads == 1
