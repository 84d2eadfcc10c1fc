"""Attacks on the survivors of others, and the job that joins a suite's outcomes."""

import numpy as np
import pytest

from tests.builders import attack_job, attack_settings
from tests.workers.runtime.chain import FULL, MODEL, run_all
from workers.spec.job import Job
from workers.spec.stage_specs import AttackSpec, EvaluationSpec

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


def test_examples_keep_the_numbers_of_the_attack_that_fooled_them(trained):
    second = following(FIRST)
    done = run_all([FIRST, second, (last := joined(survivors=second))], trained)
    (before, left), (after, right) = ((done[job].outcome.examples, done[job].outcome.correct()[0]) for job in (FIRST, second))
    for mine, theirs in zip(after.arrays, before.arrays, strict=True):
        assert np.array_equal(mine[~left], theirs[~left])
    _, margins, sizes = after.arrays
    assert np.array_equal(margins > 0, right)
    assert sizes[left].max() > before.arrays[2].max()
    assert done[last].outcome.examples == after


def test_the_suite_of_a_randomised_model_has_the_numbers_of_the_part_that_harms_an_example_most(trained):
    attacks = {name: attack_job(MODEL, attack=attack_settings(name=name, epsilon=0.06), examples=24, draws=4) for name in ("fgsm", "pgd")}
    done = run_all([*attacks.values(), (last := joined(model=MODEL, draws=4, **attacks))], trained)
    parts = [done[job].outcome for job in attacks.values()]
    shares = np.stack([part.correct().mean(axis=0) for part in parts])
    _, margins, _ = done[last].outcome.examples.arrays
    for place in range(24):
        worst = shares[:, place] == shares[:, place].min()
        assert margins[place] == min(part.examples.arrays[1][place] for part, is_worst in zip(parts, worst, strict=True) if is_worst)


def test_where_nobody_survives_nothing_is_run(trained):
    everything = attack_job(FULL, attack=attack_settings(name="pgd", epsilon=0.9, steps=10), examples=24)
    done = run_all([everything, (second := following(everything))], trained)
    assert done[everything].outcome.n_correct == 0
    assert done[second].outcome.n_correct == 0
    assert done[second].outcome.n_examples == 24
    assert done[second].outcome.examples == done[everything].outcome.examples


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
