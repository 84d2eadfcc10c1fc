"""Attacks on the survivors of others, and the job that joins a suite's outcomes."""

import numpy as np
import pytest

from tests.builders import attack_job, attack_settings
from tests.workers.runtime.chain import FULL, MODEL, run_all
from workers.spec.job import AttackSpec, EvaluationSpec, Job

EVALUATION = EvaluationSpec(examples=24, batch_size=8)
FGSM = attack_settings(name="fgsm", epsilon=0.02)
PGD = attack_settings(name="pgd", epsilon=0.06, steps=4)
SUITE = attack_settings(name="autoattack", epsilon=0.06)
FIRST = attack_job(FULL, attack=FGSM, examples=24)


def following(before: Job, *, model: Job = FULL, attack=PGD) -> Job:
    spec = AttackSpec(attack=attack, knowledge="randomized", evaluation=EVALUATION, repeat=0, after="fgsm")
    return Job.of(spec, model=model, survivors=before)


def joined(*, model: Job = FULL, draws: int = 1, **parents: Job) -> Job:
    evaluation = EVALUATION.model_copy(update={"draws": draws})
    return Job.of(AttackSpec(attack=SUITE, knowledge="randomized", evaluation=evaluation, repeat=0), model=model, **parents)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("artifacts")
    run_all([FULL, MODEL], root)
    return root


def test_an_attack_on_survivors_leaves_no_more_than_those_before_it_and_the_suite_has_its_flags(trained):
    second = following(FIRST)
    last = joined(survivors=second)
    alone = attack_job(FULL, attack=PGD, examples=24)
    done = run_all([FIRST, second, last, alone], trained)
    first, left, suite = (done[job].outcome.correct() for job in (FIRST, second, last))
    assert first.shape == left.shape == (1, 24)
    assert not bool((left & ~first).any())
    assert 0 <= left.sum() < first.sum()
    assert np.array_equal(left, suite)
    assert abs(int(left.sum()) - int((done[alone].outcome.correct() & first).sum())) <= 2


def test_where_nobody_survives_nothing_is_run(trained):
    everything = attack_job(FULL, attack=attack_settings(name="pgd", epsilon=0.9, steps=10), examples=24)
    done = run_all([everything, (second := following(everything))], trained)
    assert done[everything].outcome.n_correct == 0
    assert done[second].outcome.n_correct == 0
    assert done[second].outcome.n_examples == 24


def test_on_a_randomised_model_the_worst_is_scored_on_draws_that_did_not_choose_it(trained):
    attacks = {
        name: attack_job(MODEL, attack=attack_settings(name=name, epsilon=0.06, steps=2), examples=24, draws=4) for name in ("fgsm", "pgd")
    }
    last = joined(model=MODEL, draws=4, **attacks)
    done = run_all([*attacks.values(), last], trained)
    flags = np.stack([done[job].outcome.correct() for job in attacks.values()])
    found = done[last].outcome.correct()
    assert found.shape == (4, 24)
    assert bool(((found == flags[0]) | (found == flags[1])).all())
    assert flags.all(axis=0).mean() <= found.mean() <= flags.any(axis=0).mean()
