"""The first rows of a sweep that is too large to be read whole, asked of real databases."""

import pytest

from orchestrator.store import Store, parse_conditions, record_result, result_rows
from orchestrator.store.reading import first_rows as module
from orchestrator.store.reading.first_rows import first_rows
from tests.builders import attack_job, attack_settings, craft_job, evaluate_job, fine_tune_job, pretrain_job, result_of
from tests.stored import record_sweep
from workers.errors import UserError

MODELS = 6


@pytest.fixture
def large(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A sweep that counts as large; one of its attacks is crafted on another model."""
    full = [pretrain_job(seed=seed) for seed in range(3)]
    models = [*full, *map(fine_tune_job, full)]
    strong = attack_settings(name="pgd", epsilon=16 / 255, epsilon_literal="16/255", steps=4)
    crafted = craft_job(models[3])
    attacks = [attack_job(net, attack=attack) for net in models for attack in (attack_settings(), strong)]
    jobs = [*models, *map(evaluate_job, models), crafted, attack_job(models[3], crafted=crafted), *attacks]
    record_sweep(store, name="large", space_text="", jobs=jobs)
    for job in jobs:
        record_result(store, job, result_of(job), attempt_id=None)
    monkeypatch.setattr(module, "MOST_MEASUREMENTS", 3)
    return store


@pytest.mark.parametrize("texts", [(), ("attack=pgd",), ("theta<1",), ("theta=0.5",)])
@pytest.mark.parametrize("count", [1, 4, 100])
def test_the_first_rows_are_those_of_all(large: Store, texts: tuple[str, ...], count: int) -> None:
    where = parse_conditions(texts)
    whole = result_rows(large, "large", per_repeat=False, where=where)
    found = first_rows(large, "large", count=count, where=where, per_repeat=False)
    assert found is not None
    assert found.rows == whole[: len(found.rows)]
    assert len(found.rows) >= min(count, len(whole))
    assert (found.models, found.measurements) == (MODELS, 19)


def test_only_the_models_that_it_takes_are_read(large: Store) -> None:
    found = first_rows(large, "large", count=1, per_repeat=False)
    assert found is not None
    assert len({row.model_key for row in found.rows}) < MODELS


def test_a_sweep_that_can_be_read_whole_is(large: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert first_rows(large, "large", count=1, over_seeds=True) is None
    monkeypatch.setattr(module, "MOST_MEASUREMENTS", 19)
    assert first_rows(large, "large", count=1) is None
    with pytest.raises(UserError, match="one of large"):
        first_rows(large, "larger", count=1)
