"""Stores of key version 1, from before components were registered: still read, exported and reported, and left behind by new launches.

`key_version_1.sql` is a database of schema 0006 as that program filled it, `key_version_1.json` what its `results` said of it.
"""

import json
import shutil
from collections.abc import Iterator
from math import isclose
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from orchestrator.naming.own_settings import value_of
from orchestrator.paths import Paths
from orchestrator.planning.expand import expand_space
from orchestrator.report.sweep_page.write_page import ReportOptions, report_sweep
from orchestrator.store import Store, finished_keys, job_keys, model_verdicts, open_store, result_rows, surface_rows
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.maintenance.check import check_store
from orchestrator.store.maintenance.export_archive import export_store
from orchestrator.store.maintenance.import_archive import import_folder
from orchestrator.store.reading.paired_results import compare_sweeps
from orchestrator.store.reading.timings import recent_timings
from orchestrator.store.reading.trained_models import trained_models
from orchestrator.store.schema.result_tables import DiagnosisRecord, TrainedModelRecord
from orchestrator.store.writing.verdict_table import refresh_verdict
from search_spaces import parse_space
from tests.orchestrator.store.test_old_databases import DATABASES, restored
from tests.stored import content
from workers.artifacts.artifacts import Artifacts

SAID: list[dict[str, Any]] = json.loads((DATABASES / "key_version_1.json").read_text())
RENAMED = {"stage_rank_fractions"}
NOW = {"batch_size": "evaluation_batch_size"}
"""Columns by their names of today, where they have others."""
MADE_UP = {"apgd_dlr": {"abs_stepsize"}, "square": {"abs_stepsize"}, "fgsm": {"steps", "abs_stepsize"}, "noise": {"steps", "abs_stepsize"}}
"""Settings that all attacks had a column for, and that these attacks do not have."""


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    url = restored(DATABASES / "key_version_1.sql", tmp_path_factory.mktemp("old"))
    open_store(url, upgrade=True).close()
    with open_store(url, upgrade=False) as store:
        yield store


def test_results_are_what_they_were(upgraded: Store) -> None:
    rows = result_rows(upgraded, None, per_repeat=False)
    assert len(rows) == len(SAID)
    for row, said in zip(rows, SAID, strict=True):
        absent = RENAMED | MADE_UP.get(said["attack"], set()) | ({"momentum"} if said["attack"] != "mi_fgsm" else set())
        assert row.robust_accuracy is None or row.ci_low <= row.robust_accuracy <= row.ci_high  # by today's statistics
        for name, value in said.items():
            if name in ("ci_low", "ci_high"):
                continue
            found = None if name in absent else value_of(row, NOW.get(name, name))
            assert found == (None if name in absent else value), (said["attack"], name)


def test_components_keep_their_own_settings_and_get_the_facts_that_their_names_stood_for(upgraded: Store) -> None:
    rows = result_rows(upgraded, "images", per_repeat=False)
    own = {row.attack: list(row.attack_settings) for row in rows}
    assert own == {
        "noise": [],
        "fgsm": ["loss"],
        "mi_fgsm": ["abs_stepsize", "loss", "momentum", "steps"],
        "pgd": ["abs_stepsize", "loss", "steps"],
        "apgd_dlr": ["steps"],
        "square": ["steps"],
    }
    facts = {row.attack: (row.takes_gradients, row.random_start, row.selects, row.one_step) for row in rows}
    assert facts["pgd"] == (True, True, False, False)
    assert facts["noise"] == (False, True, False, True)
    assert facts["square"] == (False, True, True, False)
    assert {(row.theta, row.defence): row.randomised for row in rows} == {
        (1.0, "none"): False,
        (1.0, "random_resize_pad"): True,
        (0.8, "none"): True,
        (0.8, "random_resize_pad"): True,
    }
    assert {(row.modality, row.n_classes, row.low, row.high) for row in rows} == {("image", 10, 0.0, 1.0)}
    assert {(row.training["epochs"], row.training["label_smoothing"]) for row in rows} == {(2, 0.1)}
    assert {row.theta: row.fine_tuning and row.fine_tuning["epochs"] for row in rows} == {1.0: None, 0.8: 1}
    (audio,) = result_rows(upgraded, "audio", per_repeat=False)
    assert (audio.modality, audio.n_classes, audio.low, audio.high) == ("audio", 12, -1.0, 1.0)
    assert list((audio.rank_fractions or {}).values()) == [1.0, 0.5, 0.5, 0.25]
    assert isclose(audio.metrics["snr_db"] or 0, 27.986083943911122)


def found_by_checks(store: Store) -> dict[str, tuple[str, list[tuple[str, str, dict[str, float]]]]]:
    """The verdict on each model, and what each check found, in numbers."""
    return {
        verdict.model_key: (verdict.verdict, [(check.name, check.outcome, check.numbers) for check in verdict.checks])
        for verdict in model_verdicts(store, None)
    }


def test_diagnoses_and_verdicts_are_what_they_were_and_the_same_checks_find_the_same_again(upgraded: Store, tmp_path: Path) -> None:
    before = found_by_checks(upgraded)
    assert len(before) == 7
    path = tmp_path / "copy.db"
    shutil.copy(str(upgraded.engine.url.database).removeprefix("file:"), path)
    with open_store(f"sqlite:///{path}", upgrade=True) as store:
        with store.writing() as connection:
            for key in before:
                refresh_verdict(connection, key)
        again = found_by_checks(store)
    for key, (_, checks) in before.items():
        now = {name: (outcome, numbers) for name, outcome, numbers in again[key][1]}
        assert {name: now[name][0] for name, _, _ in checks} == {name: outcome for name, outcome, _ in checks}
        assert again[key][0] != "sound"  # today's rules ask for a full diagnosis
    with upgraded.reading() as connection:
        probes = [probe for found in connection.execute(select(DiagnosisRecord.probes)).scalars() for probe in found]
    assert {(probe["attack"]["attack"], tuple(probe["attack"]["settings"])) for probe in probes} >= {("noise", ()), ("square", ("steps",))}


def test_the_views_have_the_settings_under_the_names_that_they_had(upgraded: Store) -> None:
    statement = "SELECT width, steps, momentum, snr_db, loss FROM v_results WHERE attack = '{}' GROUP BY 1, 2, 3, 4, 5"
    assert ask(upgraded, statement.format("mi_fgsm")).rows == ((2, 2, 1.0, None, "ce"),)
    assert ask(upgraded, statement.format("apgd_dlr")).rows == ((2, 2, None, None, "dlr"),)
    assert ask(upgraded, statement.format("bim")).rows == ((2, 2, None, 27.986083943911122, "ce"),)


def test_everything_else_reads_them_too(upgraded: Store, tmp_path: Path) -> None:
    assert len(surface_rows(upgraded, "images")) == 4
    assert len(trained_models(upgraded).rows) == 9
    assert len(recent_timings(upgraded)) == len(finished_keys(upgraded)) == 93
    compared = compare_sweeps(upgraded, "images", "searched")
    assert {"data.name", "model.theta", "attack"} <= compared.identity
    findings = check_store(upgraded, Artifacts(tmp_path), hashes=False)
    assert {finding.subject for finding in findings if finding.problem} == {"artifacts"}
    paths = Paths.resolve(home=tmp_path, store=f"sqlite:///{str(upgraded.engine.url.database).removeprefix('file:')}")
    (page,) = report_sweep(ReportOptions(paths=paths, sweep="images", output=tmp_path / "page.html"))
    assert "apgd_dlr" in page.read_text()


def test_new_launches_leave_them_behind(upgraded: Store) -> None:
    with upgraded.reading() as connection:
        space = ask(upgraded, "SELECT space FROM sweeps WHERE name = 'images'").rows[0][0]
        trained = set(connection.execute(select(TrainedModelRecord.job_key)).scalars())
    planned = {job.key for job in expand_space(parse_space(space, label="images", stem="images"))}
    assert trained
    assert not planned & job_keys(upgraded)


def test_they_are_exported_and_imported(upgraded: Store, tmp_path: Path) -> None:
    export_store(upgraded, tmp_path / "export", sweeps=[], force=False)
    with open_store(f"sqlite:///{tmp_path / 'other.db'}", upgrade=True) as other:
        import_folder(other, tmp_path / "export")
        found, expected = content(other), content(upgraded)
    assert [row.pop("driver_process") for rows in (found["sweeps"], expected["sweeps"]) for row in rows]  # it drives nothing here
    assert found == expected
