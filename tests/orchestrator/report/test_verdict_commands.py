import csv
import io
import json
from pathlib import Path

import pytest

from orchestrator.store import open_store, record_result
from tests.builders import THOROUGH, attack_job, diagnose_job, diagnosis_result, evaluate_job, pretrain_job, result_of
from tests.commands import robustsweep, rows
from tests.stored import record_sweep

SOUND, UNSOUND, UNDIAGNOSED = (pretrain_job(seed=seed) for seed in range(3))
CLEAN = evaluate_job(pretrain_job(seed=3))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three attacked models, two of them diagnosed, and one of which only the clean accuracy is known."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "sweeps").mkdir()
    with open_store(f"sqlite:///{folder / 'sweeps' / 'results.db'}", upgrade=True) as store:
        diagnoses = [diagnose_job(model, **THOROUGH) for model in (SOUND, UNSOUND)]
        jobs = [SOUND, UNSOUND, UNDIAGNOSED, pretrain_job(seed=3), CLEAN, *diagnoses]
        jobs += [attack_job(model) for model in (SOUND, UNSOUND, UNDIAGNOSED)]
        record_sweep(store, name="tiny", space_text="", jobs=jobs)
        for job in jobs:
            result = result_of(job) if job != diagnoses[1] else diagnosis_result(job, zero_gradients=0.9)
            record_result(store, job, result, attempt_id=None)
    return folder


def seeds(home: Path, *options: str) -> list[int]:
    return [row["seed"] for row in rows(home, "tiny", *options)]


def test_verdicts_stand_next_to_the_figures_in_every_format(home: Path) -> None:
    assert [(row["seed"], row["verdict"]) for row in rows(home)] == [(0, "sound"), (1, "unsound"), (2, "suspicious"), (3, None)]
    assert rows(home)[1]["reasons"][0].startswith("gradients failed: 90.0 % of the examples have a gradient of zero")
    table = robustsweep("results", "tiny", cwd=home).stdout
    assert all(word in table for word in ("verdict", "sound", "unsound", "suspicious"))
    (_, unsound, *_) = csv.DictReader(io.StringIO(robustsweep("results", "tiny", "-f", "csv", cwd=home).stdout))
    assert unsound["verdict"] == "unsound"
    assert unsound["reasons"].startswith("gradients failed: ")


def test_results_can_be_narrowed_to_some_verdicts(home: Path) -> None:
    assert seeds(home, "--only", "sound") == [0]
    assert seeds(home, "--only", "unsound, sound") == [0, 1]
    refused = robustsweep("results", "tiny", "--only", "sound,fine", cwd=home)
    assert (refused.returncode, refused.stderr.strip()) == (2, "robustsweep: --only 'fine': one of sound, suspicious, unsound")


def test_models_pooled_over_seeds_are_no_sounder_than_the_worst_of_them(home: Path) -> None:
    (row,) = [row for row in rows(home, "tiny", "--over-seeds") if row["attack"] != "none"]
    assert (row["seeds"], row["verdict"]) == (3, "unsound")
    assert row["reasons"][0].startswith("gradients failed")


def test_each_verdict_is_shown_with_its_checks_the_gravest_first(home: Path) -> None:
    text = robustsweep("verdicts", "tiny", cwd=home).stdout
    expected = ((UNSOUND, "unsound"), (UNDIAGNOSED, "suspicious"), (SOUND, "sound"))
    places = [text.index(f"model {model.key[:8]}: {verdict}") for model, verdict in expected]
    assert places == sorted(places)
    for word in ("gradients", "single_step", "black_box", "more_steps", "other_loss", "unbounded", "not made", "`diagnosis: {}`"):
        assert word in text


def test_verdicts_are_machine_readable_with_all_numbers(home: Path) -> None:
    found = json.loads(robustsweep("verdicts", "-f", "json", cwd=home).stdout)
    assert [item["verdict"] for item in found] == ["unsound", "suspicious", "sound"]
    gradients = found[0]["checks"][0]
    assert gradients["name"] == "gradients"
    assert gradients["numbers"] == {"zero": 0.9, "nonfinite": 0.0, "examples": 100.0}


def test_an_unknown_sweep_is_one_line(home: Path) -> None:
    refused = robustsweep("verdicts", "tin", cwd=home)
    assert (refused.returncode, refused.stderr.strip()) == (2, "robustsweep: sweep 'tin': one of tiny")
