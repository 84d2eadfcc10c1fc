"""What an import admits can be read: wrong values of an export are refused in one line, whatever column they are in."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.store import open_store
from orchestrator.store.maintenance.export_archive import export_store
from orchestrator.store.maintenance.import_archive import import_folder
from tests.builders import diagnose_job, fine_tune_job, pretrain_job, shard_job, small_plan, surface_job
from tests.stored import launch
from workers.errors import UserError

MODEL = pretrain_job()
JOBS = [*small_plan(), diagnose_job(MODEL), surface_job(fine_tune_job(MODEL)), shard_job(MODEL)]
READERS = (
    ["results", "small", "-f", "json"],
    ["results", "small", "--worst-case"],
    ["status", "--failed"],
    ["verdicts", "small"],
    ["compare", "small", "small"],
    ["robustbench", "small", "--epsilon", "8/255", "--out", "out"],
    ["db", "check"],
    *(["show", job.key] for job in JOBS[:6]),
)


@dataclass(frozen=True)
class Export:
    """An export, and an empty store to import it into."""

    folder: Path
    empty: Path

    def changed(self, table: str, column: str, value: Any, place: Path) -> Path:
        """A copy with one other value, in every row."""
        shutil.copytree(self.folder, place)
        path = place / f"{table}.parquet"
        found = pq.read_table(path)
        field = found.schema.field(column)
        values = pa.array([value] * found.num_rows, field.type)
        pq.write_table(found.set_column(found.schema.get_field_index(column), pa.field(column, field.type), values), path)
        manifest = json.loads((place / "manifest.json").read_text())
        manifest["tables"][table]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (place / "manifest.json").write_text(json.dumps(manifest))
        return place

    def imported(self, folder: Path, home: Path) -> str | None:
        """Import into a new home; return why that is refused."""
        home.mkdir()
        shutil.copy(self.empty, home / "results.db")
        with open_store(f"sqlite:///{home}/results.db", upgrade=True) as store:
            try:
                import_folder(store, folder)
            except UserError as error:
                return str(error)
        return None


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Export:
    place = tmp_path_factory.mktemp("export")
    with open_store(f"sqlite:///{place}/full.db", upgrade=True) as store:
        launch(store, JOBS, failing=JOBS[-4:-3])
        export_store(store, place / "out", sweeps=(), force=False)
    open_store(f"sqlite:///{place}/empty.db", upgrade=True).close()
    return Export(place / "out", place / "empty.db")


WRONG: tuple[tuple[str, str, Any], ...] = (
    ("attack_results", "knowledge", "psychic"),
    ("attack_results", "norm", "l3"),
    ("attack_results", "flags", b"\x00"),
    ("attack_results", "n_examples", 0),
    ("attack_results", "n_examples", 10**6),
    ("attack_results", "n_correct", -1),
    ("attack_results", "draws", 0),
    ("attack_results", "epsilon", float("nan")),
    ("attack_results", "epsilon_literal", "1/0"),
    ("attack_results", "settings", "[1]"),
    ("attack_results", "settings", "{"),
    ("attack_results", "metrics", '{"a": "b"}'),
    ("attack_results", "sizes", b"\x01"),
    ("attack_results", "classes", b""),
    ("clean_results", "margins", bytes(100)),
    ("attack_results", "model_key", "../../x"),
    ("attack_results", "attack", "x" * 201),
    ("attack_results", "target", "x\0"),
    ("clean_results", "flags", b"\xff" * 100),
    ("diagnoses", "probes", "{}"),
    ("diagnoses", "probes", '[{"name": "pgd"}]'),
    ("diagnoses", "zero_gradients", 7.0),
    ("environments", "versions", "[]"),
    ("jobs", "spec", "[]"),
    ("jobs", "spec", "{}"),
    ("jobs", "spec", "not JSON"),
    ("jobs", "stage", "resurrect"),
    ("jobs", "state", "maybe"),
    ("jobs", "key", "A" * 64),
    ("jobs", "digests", "[[]]"),
    ("attempts", "outcome", "?"),
    ("sweep_jobs", "sweep_id", 77),
    ("shard_results", "attack", "{}"),
    ("shard_results", "attack", '{"attack": "fgsm", "settings": 3}'),
    ("shard_results", "first", 17),
    ("surfaces", "direction", "up"),
    ("trained_models", "history", '{"epoch": 1}'),
    ("trained_models", "history", '[{"epoch": "one"}]'),
    ("trained_models", "rank", '{"a": "b"}'),
    ("trained_models", "rank_fractions", "[0.5]"),
    ("trained_models", "model_settings", "7"),
    ("trained_models", "training", "null"),
    ("trained_models", "theta", float("inf")),
    ("trained_models", "rank_kind", ""),
    ("verdicts", "checks", '[{"name": "x"}]'),
    ("verdicts", "verdict", "fine"),
    ("worst_cases", "accuracy", 1.5),
    ("worst_cases", "knowledge", "x"),
)


def test_an_import_refuses_each_wrong_value_in_one_line(export: Export, tmp_path: Path) -> None:
    for number, (table, column, value) in enumerate(WRONG):
        said = export.imported(export.changed(table, column, value, tmp_path / f"in{number}"), tmp_path / f"home{number}")
        assert said is not None, (table, column, value)
        assert said.startswith("import "), said
        assert "\n" not in said, said


def test_what_is_admitted_is_read_by_every_command(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert export.imported(export.changed("environments", "device", "\x1b[31m", tmp_path / "in"), tmp_path / "sweeps") is None
    for words in READERS:
        done = CliRunner().invoke(app, words)
        assert done.exception is None or isinstance(done.exception, SystemExit | UserError), (words, done.exception)
