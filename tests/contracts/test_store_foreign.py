"""Results of components of a user's own: stored, read by a program that has them, and by one that has not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.api.results import Results
from orchestrator.naming.own_settings import value_of
from orchestrator.store import ResultRow, Store, model_verdicts, open_store, parse_conditions, record_result, result_rows
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.maintenance.check import check_store
from orchestrator.store.maintenance.export_archive import export_store
from orchestrator.store.maintenance.import_archive import import_folder
from orchestrator.store.reading.job_details import job_details
from orchestrator.store.reading.timings import recent_timings
from orchestrator.store.schema.result_tables import TrainedModelRecord
from orchestrator.tables.results_table import render_results
from orchestrator.tables.selection import grouped, ordered
from tests.builders import ENVIRONMENT, attack_job, evaluate_job, flags_result, pretrain_job, train_result
from tests.stored import content, record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.components.component_registry import loading
from workers.components.facts import CodeSource, DatasetInfo
from workers.errors import UserError
from workers.registry import REGISTRIES, attack, dataset, defence, metric, model
from workers.spec.attack import AttackSettings
from workers.spec.component import DataSpec, DefenceSpec
from workers.spec.job import Job
from workers.spec.model import ModelSpec
from workers.spec.stage_specs import TrainSpec

KINDS = ("model", "dataset", "attack", "defence", "metric")


@contextmanager
def foreign() -> Iterator[None]:
    """Inside, a plugin's components are installed."""

    def spiky(info: DatasetInfo, *, blocks: int = 2, gate: str = "soft") -> Any: ...

    def blobs(root: Path | None, *, noise: float = 0.1) -> Any: ...

    def prod(
        logits: Any, inputs: Any, labels: Any, *, epsilon: float, tiers: int = 3, mode: str = "wide", fractions: bool = False
    ) -> Any: ...

    class Haze:
        def __init__(self, *, density: float = 0.5) -> None: ...

    def flipped(clean: Any, attacked: Any, labels: Any) -> Any: ...

    with loading(CodeSource(Path("/plugins/mine.py"), "d" * 64)):
        model(modality="image")(spiky)
        dataset(info=DatasetInfo(n_classes=3, shape=(1, 8, 8), mean=(0.5,), std=(0.3,), low=-2.0, high=2.0))(blobs)
        attack(norms=("linf",), takes_gradients=False, random_start=True)(prod)
        defence(randomised=True, around=False)(Haze)
        metric(heading="flipped %", modalities=("image",))(flipped)
    try:
        yield
    finally:
        for kind in KINDS:
            registry = REGISTRIES[kind]
            for name in [component.name for component in registry if component.source.digest == "d" * 64]:
                del registry._components[name]
                registry.version += 1


def jobs_of_its_own() -> list[tuple[Job, Any]]:
    """Two models of two tierss of attack each, with their results."""
    found: list[tuple[Job, Any]] = []
    plain = pretrain_job().spec
    assert isinstance(plain, TrainSpec)
    data = DataSpec.model_validate({"name": "blobs", "noise": 0.2})
    defended = DefenceSpec.model_validate({"name": "haze", "density": 0.25})
    for blocks in (2, 5):
        net = ModelSpec.model_validate({"name": "spiky", "blocks": blocks, "tensorized": False})
        trained = Job.of(TrainSpec(**{**dict(plain), "data": data, "model": net, "defence": defended}))
        found.append((trained, train_result(trained, ranks={})))
        clean = evaluate_job(trained)
        found.append((clean, flags_result(clean)))
        for tiers in (1, 7):
            given = {"name": "prod", "epsilon": 0.1, "epsilon_literal": "0.1", "tiers": tiers}
            job = attack_job(trained, attack=AttackSettings.model_validate(given))
            right = [index >= tiers for index in range(16)]
            found.append((job, flags_result(job, right, metrics={"flipped": tiers / 10})))
    return found


@pytest.fixture
def filled(url: str) -> Iterator[Store]:
    """A store that was filled with the plugin, and is read without it."""
    with foreign(), open_store(url, upgrade=True) as store:
        jobs = jobs_of_its_own()
        record_sweep(store, name="own", space_text="", jobs=[job for job, _ in jobs])
        for job, result in jobs:
            record_result(store, job, result, attempt_id=None)
    with open_store(url, upgrade=False) as store:
        yield store


def attacked(store: Store, *where: str) -> list[ResultRow]:
    rows = result_rows(store, "own", per_repeat=False, where=parse_conditions(where))
    return [row for row in rows if row.attack != "none"]


def test_rows_have_the_settings_metrics_and_facts_that_were_registered(filled: Store) -> None:
    rows = attacked(filled)
    assert [(value_of(row, "blocks"), value_of(row, "tiers"), value_of(row, "flipped")) for row in rows] == [
        (2, 1, 0.1),
        (2, 7, 0.7),
        (5, 1, 0.1),
        (5, 7, 0.7),
    ]
    row = rows[0]
    assert (row.model, row.dataset, row.defence, row.attack) == ("spiky", "blobs", "haze", "prod")
    assert (row.data_settings, row.model_settings, row.defence_settings) == (
        {"noise": 0.2},
        {"blocks": 2, "gate": "soft"},
        {"density": 0.25},
    )
    assert row.attack_settings == {"tiers": 1, "mode": "wide", "fractions": False}
    assert (row.modality, row.n_classes, row.low, row.high, row.randomised) == ("image", 3, -2.0, 2.0, True)
    assert (row.takes_gradients, row.random_start, row.selects, row.one_step) == (False, True, False, False)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        (("tiers=7",), 2),
        (("attacks.tiers=7",), 2),
        (("tiers>1", "blocks=2"), 1),
        (("model.blocks>=5",), 2),
        (("mode=wide",), 4),
        (("mode!=wide",), 0),
        (("fractions=false",), 4),
        (("noise=0.2", "density<1"), 4),
        (("flipped>0.5",), 2),
        (("attack=prod", "dataset=blobs", "model=spiky", "defence=haze"), 4),
        (("training.epochs=1", "learning_rate=0.1"), 4),
        (("model.execution=auto",), 4),
    ],
)
def test_conditions_take_settings_of_components_that_are_not_installed(filled: Store, where: tuple[str, ...], count: int) -> None:
    assert len(attacked(filled, *where)) == count


def test_a_worst_case_is_over_the_attacks_whose_settings_meet_the_conditions(filled: Store) -> None:
    conditions = parse_conditions(["tiers=1", "blocks=2"])
    every, shallow = (result_rows(filled, "own", per_repeat=False, worst=True, where=found) for found in ((), conditions))
    assert {row.attacks for row in every} == {2}
    assert [(row.attacks, value_of(row, "blocks")) for row in shallow] == [(1, 2)]


@pytest.mark.parametrize("name", ["tier", "attacks.width", "model.tiers"])
def test_a_setting_that_nothing_has_is_a_mistake(filled: Store, name: str) -> None:
    with pytest.raises(UserError, match=f"'{name}': no field of the results; one of .*bit_depth"):
        attacked(filled, f"{name}=1")


def test_rows_are_sorted_and_grouped_by_settings(filled: Store) -> None:
    rows = attacked(filled)
    assert [value_of(row, "tiers") for row in ordered(rows, "-tiers")] == [7, 7, 1, 1]
    assert [tuple(row)[:2] for row in grouped(rows, "blocks,tiers").rows] == [(2, 1), (2, 7), (5, 1), (5, 7)]


def test_records_and_frames_have_a_column_for_each(filled: Store) -> None:
    rows = attacked(filled)
    records = json.loads(str(render_results(rows, "json")))
    assert [(found["tiers"], found["blocks"], found["flipped"]) for found in records] == [
        (1, 2, 0.1),
        (7, 2, 0.7),
        (1, 5, 0.1),
        (7, 5, 0.7),
    ]
    header, *lines = str(render_results(rows, "csv")).splitlines()
    assert {"tiers", "blocks", "flipped", "noise", "density", "steps", "snr_db"} <= set(header.split(","))
    assert len(lines) == 4
    frame = Results(filled).frame("own")
    assert list(frame["tiers"].dropna()) == [1, 7, 1, 7]
    assert sorted(Results(filled).models()["blocks"]) == [2, 5]


def test_views_have_columns_for_what_is_registered_when_the_store_is_next_written(filled: Store, url: str) -> None:
    statement = "SELECT tiers, flipped, blocks, fractions FROM v_results ORDER BY blocks, tiers"
    assert ask(filled, statement).rows == ((1, 0.1, 2, False), (7, 0.7, 2, False), (1, 0.1, 5, False), (7, 0.7, 5, False))
    with foreign():
        metric(name="late")(lambda clean, attacked, labels: None)  # noqa: ARG005
        open_store(url, upgrade=True).close()
        try:
            assert {row[0] for row in ask(filled, "SELECT late FROM v_results").rows} == {None}
        finally:
            del REGISTRIES["metric"]._components["late"]


def test_an_unknown_model_counts_as_random_and_its_verdict_rests_on_facts(filled: Store) -> None:
    verdicts = model_verdicts(filled, "own")
    assert {verdict.verdict for verdict in verdicts} == {"suspicious"}
    assert "eot" in {check.name for check in verdicts[0].checks}  # a check of random models alone
    assert {row.ci_low for row in result_rows(filled, "own", per_repeat=False, worst=True)} == {None}


def test_a_model_of_which_it_is_not_known_counts_as_random(filled: Store, url: str) -> None:
    with open_store(url, upgrade=True) as store:
        with store.writing() as connection:
            connection.execute(update(TrainedModelRecord).values(randomised=None, defence="none"))
        assert {row.randomised for row in attacked(store)} == {True}


def test_a_store_without_the_plugin_is_sound_and_says_what_it_could_not_check(filled: Store, tmp_path: Path) -> None:
    findings = check_store(filled, Artifacts(tmp_path), hashes=False)
    assert {finding.subject for finding in findings if finding.problem} == {"artifacts"}
    assert {finding.note for finding in findings if finding.note} == {
        "4 jobs cannot be checked here: needs attack 'prod'",
        "2 jobs cannot be checked here: needs dataset 'blobs'",
        "2 jobs cannot be checked here: needs defence 'haze'",
        "2 jobs cannot be checked here: needs model 'spiky'",
    }
    with foreign():
        found = check_store(filled, Artifacts(tmp_path), hashes=False)
        assert not [finding for finding in found if finding.note or (finding.problem and finding.subject != "artifacts")]


def test_its_results_travel(filled: Store, other: Store, tmp_path: Path) -> None:
    export_store(filled, tmp_path / "export", sweeps=[], force=False)
    import_folder(other, tmp_path / "export")
    assert content(other) == content(filled)


def test_everything_else_reads_it_too(filled: Store) -> None:
    row = attacked(filled)[0]
    details = job_details(filled, row.model_key)
    assert sorted(details.digests) == ["dataset blobs", "defence haze", "model spiky"]
    assert "spiky blocks 2" in details.description
    assert recent_timings(filled) == []  # none of a job that could be run here
    assert ENVIRONMENT.device == job_details(filled, row.job_keys[0]).result.device  # type: ignore[union-attr]
