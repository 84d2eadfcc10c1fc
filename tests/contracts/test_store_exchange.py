"""Export and import on both kinds of database, and between them."""

import hashlib
import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Integer, func, select, update
from sqlalchemy.exc import DataError

from orchestrator.store import (
    Store,
    failures,
    finished_keys,
    model_verdicts,
    open_store,
    record_result,
    result_rows,
    start_attempt,
    sweep_names,
    sweep_status,
)
from orchestrator.store.maintenance import bulk_insert
from orchestrator.store.maintenance.archive_format import FORMAT_VERSION, read_manifest
from orchestrator.store.maintenance.bulk_insert import insert_new, insert_or_return
from orchestrator.store.maintenance.export_archive import export_store
from orchestrator.store.maintenance.import_archive import import_folder
from orchestrator.store.migrations import REVISIONS
from orchestrator.store.schema.base import Base, table_of, utc_now
from orchestrator.store.schema.sweep_tables import AttemptRecord, JobRecord, SweepJobRecord, SweepRecord
from orchestrator.store.writing.verdict_table import refresh_worst_cases
from tests.builders import attack_job, attack_settings, fine_tune_job, flags_result, pretrain_job, result_of, small_plan
from tests.commands import environment
from tests.stored import begin_driving, content, launch, record_sweep
from workers.errors import UserError

JOBS = small_plan()


def exported(store: Store, folder: Path, *sweeps: str) -> Path:
    export_store(store, folder, sweeps=sweeps, force=False)
    return folder


def undriven(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return rows | {"sweeps": [row | dict.fromkeys(("heartbeat_at", "driver_token", "driver_process")) for row in rows["sweeps"]]}


def held(store: Store, sweep: str) -> dict[str, bool]:
    with store.reading() as connection:
        statement = select(SweepJobRecord.job_key, SweepJobRecord.in_space).join(SweepRecord).where(SweepRecord.name == sweep)
        return {row.job_key: row.in_space for row in connection.execute(statement)}


def set_launched(store: Store, name: str, *, hours_ago: float) -> None:
    with store.writing() as connection:
        then = utc_now() - timedelta(hours=hours_ago)
        connection.execute(update(SweepRecord).where(SweepRecord.name == name).values(launched_at=then))


def attempts(store: Store) -> list[tuple[int, str]]:
    with store.reading() as connection:
        rows = connection.execute(select(AttemptRecord.number, AttemptRecord.outcome).order_by(AttemptRecord.number))
        return [(row.number, row.outcome) for row in rows]


FACTS_OF_ATTACKS = ("takes_gradients", "selects", "one_step", "random_start")
FACTS_OF_DATA = ("modality", "n_classes", "low", "high")


def tamper(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(folder: Path, table: str, drop: list[str], **added: pa.Scalar) -> None:
    """Take columns out of a table's file, and put others in, as a store of an older schema would have written it."""
    path = folder / f"{table}.parquet"
    changed = pq.read_table(path).drop_columns(drop)
    for name, value in added.items():
        changed = changed.append_column(name, pa.repeat(value, changed.num_rows))
    pq.write_table(changed, path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tables"][table]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("other_url", ["sqlite", "postgresql"], indirect=True)
def test_a_store_goes_to_another_and_comes_back_unchanged(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS, failing=JOBS[-1:])
    launch(store, small_plan(theta=0.3), name="second")
    import_folder(other, exported(store, tmp_path / "there"))
    assert content(other) == content(store)
    for per_repeat in (True, False):
        assert result_rows(other, None, per_repeat=per_repeat) == result_rows(store, None, per_repeat=per_repeat)
    assert failures(other, "small") == failures(store, "small")
    before = content(store)
    import_folder(store, exported(other, tmp_path / "back"))
    assert content(store) == before


def test_importing_twice_changes_nothing(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS, failing=JOBS[-1:])
    launch(other, small_plan(theta=0.3))
    folder = exported(store, tmp_path / "export")
    assert any(table.new for table in import_folder(other, folder))
    before = content(other)
    assert not any(table.new for table in import_folder(other, folder))
    assert content(other) == before


def test_overlapping_stores_are_merged_without_duplicates(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS, name="here")
    launch(other, [*JOBS[:4], *small_plan(theta=0.3)], name="there")
    import_folder(other, exported(store, tmp_path / "export"))
    assert sweep_names(other) == ["here", "there"]
    assert finished_keys(other) == {job.key for job in [*JOBS, *small_plan(theta=0.3)]}
    assert result_rows(other, "here", per_repeat=True) == result_rows(store, "here", per_repeat=True)
    assert len(result_rows(other, "there", per_repeat=True)) == 1 + 4  # one of JOBS' measurements with the model, and the other plan's
    numbers = [row for row in attempts(other) if row[0] == 2]
    assert len(numbers) == len({job.key for job in JOBS} & {job.key for job in [*JOBS[:4], *small_plan(theta=0.3)]})


def test_a_job_is_as_far_as_it_came_in_either_store(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS, failing=JOBS[-1:])
    record_sweep(other, name="small", space_text="space: 1", jobs=JOBS)
    record_result(other, JOBS[-1], result_of(JOBS[-1]), attempt_id=None)
    import_folder(other, exported(store, tmp_path / "export"))
    assert finished_keys(other) == {job.key for job in JOBS}


@pytest.mark.parametrize("theirs_is_newer", [True, False])
def test_of_two_sweeps_of_a_name_the_space_launched_later_counts(store: Store, other: Store, tmp_path: Path, theirs_is_newer: bool) -> None:
    wide, narrow = small_plan(repeats=3), small_plan(repeats=1)
    launch(store, wide, space="wide")
    launch(other, narrow, space="narrow")
    set_launched(other, "small", hours_ago=2 if theirs_is_newer else 0)
    set_launched(store, "small", hours_ago=1)
    import_folder(other, exported(store, tmp_path / "export"))
    space = wide if theirs_is_newer else narrow
    assert held(other, "small") == {job.key: job in space for job in wide}
    with other.reading() as connection:
        assert connection.execute(select(SweepRecord.space)).scalar_one() == ("wide" if theirs_is_newer else "narrow")


def test_jobs_that_only_an_older_space_holds_leave_the_space(store: Store, other: Store, tmp_path: Path) -> None:
    narrow, wide = small_plan(repeats=1), small_plan(repeats=3)
    launch(other, wide, space="wide")
    launch(store, narrow, space="narrow")
    import_folder(other, exported(store, tmp_path / "export"))
    assert held(other, "small") == {job.key: job in narrow for job in wide}


def test_only_chosen_sweeps_go_along_with_all_that_they_need(store: Store, other: Store, tmp_path: Path) -> None:
    model = fine_tune_job(pretrain_job())
    launch(store, JOBS, name="first")
    launch(store, [*JOBS[:2], attack_job(model, repeat=7)], name="second")
    folder = exported(store, tmp_path / "export", "second")
    manifest = read_manifest(folder)
    assert manifest.sweeps == ["second"]
    assert manifest.tables["jobs"].rows == 3
    assert manifest.tables["attempts"].rows == 5  # two of them by the sweep that stays behind
    assert manifest.tables["environments"].rows == 1
    import_folder(other, folder)
    assert result_rows(other, None, per_repeat=True) == result_rows(store, "second", per_repeat=True)
    with other.reading() as connection:
        without = select(func.count()).select_from(AttemptRecord).where(AttemptRecord.sweep_id.is_(None))
        assert connection.execute(without).scalar_one() == 2


def test_an_attempt_that_is_known_as_running_takes_its_end_and_no_running_one_comes_in(store: Store, other: Store, tmp_path: Path) -> None:
    record_sweep(store, name="small", space_text="", jobs=JOBS[:1])
    attempt = start_attempt(store, "small", JOBS[0].key)
    import_folder(other, exported(store, tmp_path / "early"))
    assert attempts(other) == [(1, "interrupted")]
    record_result(store, JOBS[0], result_of(JOBS[0]), attempt_id=attempt)
    import_folder(other, exported(store, tmp_path / "late"))
    assert attempts(other) == [(1, "done")]
    import_folder(other, tmp_path / "early")
    assert attempts(other) == [(1, "done")]


def test_verdicts_are_by_the_results_of_both(store: Store, other: Store, tmp_path: Path) -> None:
    """Neither store's attack has anything to be measured against; together, the black-box one shows that the other was too weak."""
    model, given = JOBS[0], {"epsilon": 8 / 255, "epsilon_literal": "8/255"}
    pgd = attack_job(model, attack=attack_settings(name="bim", steps=10, **given), examples=40)
    square = attack_job(model, attack=attack_settings(name="square", steps=50, **given), examples=40)
    for opened, job, right in ((store, pgd, 36), (other, square, 4)):
        launch(opened, [model])
        record_sweep(opened, name="small", space_text="", jobs=[model, job])
        record_result(opened, job, flags_result(job, [n < right for n in range(40)]), attempt_id=None)
    assert [item.verdict for opened in (store, other) for item in model_verdicts(opened, None)] == ["suspicious", "suspicious"]
    folder = exported(store, tmp_path / "export")
    import_folder(other, folder)
    (verdict,) = model_verdicts(other, None)
    assert (verdict.verdict, next(check.outcome for check in verdict.checks if check.name == "black_box")) == ("unsound", "failed")
    import_folder(other, folder)
    assert model_verdicts(other, None) == [verdict]


def test_worst_cases_are_those_of_the_attacks_of_both(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS)
    launch(other, [*JOBS[:4], attack_job(JOBS[1], attack=attack_settings(name="pgd", steps=3))])
    import_folder(other, exported(store, tmp_path / "export"))
    after = content(other)["worst_cases"]
    with other.writing() as connection:
        refresh_worst_cases(connection, JOBS[1].key)
    assert after == content(other)["worst_cases"]


def test_a_sweep_that_is_running_is_not_merged_into(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS)
    record_sweep(other, name="small", space_text="", jobs=JOBS[:1])
    begin_driving(other, "small", "somewhere", 42)
    before = content(other)
    with pytest.raises(UserError, match="sweep small: process 42 on somewhere has been running it"):
        import_folder(other, exported(store, tmp_path / "export"))
    assert content(other) == before


def test_a_driver_that_was_running_when_the_store_was_exported_is_not_running_there(store: Store, other: Store, tmp_path: Path) -> None:
    record_sweep(store, name="small", space_text="", jobs=JOBS)
    begin_driving(store, "small", "somewhere", 42)
    import_folder(other, exported(store, tmp_path / "export"))
    assert not sweep_status(other, "small")[0].driver_alive
    assert content(other) == undriven(content(store))


KILLED_HALF_WAY = """
import os, signal, sys
from pathlib import Path
from orchestrator.store import open_store
from orchestrator.store.maintenance import import_archive as merge
count = merge._Merge._count
def killed(self, table):
    if table.name == "attack_results":
        os.kill(os.getpid(), signal.SIGKILL)
    return count(self, table)
merge._Merge._count = killed
with open_store(sys.argv[1], upgrade=True) as store:
    merge.import_folder(store, Path(sys.argv[2]))
"""


def test_an_import_killed_half_way_leaves_nothing_behind(store: Store, other_url: str, tmp_path: Path) -> None:
    launch(store, JOBS)
    folder = exported(store, tmp_path / "export")
    open_store(other_url, upgrade=True).close()
    done = subprocess.run([sys.executable, "-c", KILLED_HALF_WAY, other_url, folder], env=environment(), check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with open_store(other_url, upgrade=True) as other:
        assert not any(content(other).values())
        import_folder(other, folder)
        assert content(other) == content(store)


def test_columns_that_an_older_schema_had_not_get_their_defaults(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS)
    folder = exported(store, tmp_path / "export")
    rewrite(folder, "attack_results", ["draws", "source_key", "metrics", "settings", *FACTS_OF_ATTACKS, "restarts", "backend"])
    rewrite(folder, "trained_models", [*FACTS_OF_DATA, "model_settings", "randomised"], width=pa.scalar(4, pa.int64()))
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    tamper(folder, schema_revision="0003", tables={name: entry for name, entry in tables.items() if name not in ("verdicts", "diagnoses")})
    import_folder(other, folder)
    found, expected = content(other), content(store)
    for rows in (found["verdicts"], expected["verdicts"]):
        assert all(row.pop("judged_at") for row in rows)  # judged anew: the export had no verdicts
    for row in (*found["trained_models"], *expected["trained_models"]):
        del row["training"], row["model_options"]  # from the jobs' specs, which were flat then
    assert found == expected


def test_a_column_without_a_default_must_be_there(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS)
    folder = exported(store, tmp_path / "export")
    rewrite(folder, "attack_results", ["epsilon"])
    before = content(other)
    with pytest.raises(UserError, match=r"attack_results\.parquet: has no column epsilon"):
        import_folder(other, folder)
    assert content(other) == before


def damaged(folder: Path, how: str) -> None:
    jobs = folder / "jobs.parquet"
    if how == "byte":
        content = bytearray(jobs.read_bytes())
        content[len(content) // 2] ^= 1
        jobs.write_bytes(content)
    elif how == "gone":
        jobs.unlink()
    elif how == "cut":
        (folder / "manifest.json").write_text((folder / "manifest.json").read_text()[:40])
    elif how == "format":
        tamper(folder, format_version=FORMAT_VERSION + 1)
    elif how == "revision":
        tamper(folder, schema_revision="9999")
    elif how == "elsewhere":
        tamper(folder, tables={"jobs": {"file": "../jobs.parquet", "rows": 1, "sha256": ""}})
    elif how == "no parquet":
        jobs.write_text("not a table")
        entry = {"file": "jobs.parquet", "rows": 1, "sha256": hashlib.sha256(jobs.read_bytes()).hexdigest()}
        tamper(folder, tables={"jobs": entry})
    elif how == "parents missing":
        tables = json.loads((folder / "manifest.json").read_text())["tables"]
        tamper(folder, tables={name: entry for name, entry in tables.items() if name != "jobs"})
    else:
        (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("byte", r"jobs\.parquet: is damaged \(its SHA-256"),
        ("gone", r"jobs\.parquet: No such file"),
        ("cut", r"manifest\.json is damaged"),
        ("format", f"format {FORMAT_VERSION + 1}, this robustsweep knows up to {FORMAT_VERSION}; use a newer robustsweep"),
        ("revision", f"its schema is 9999, this robustsweep knows up to {REVISIONS[-1]}"),
        ("elsewhere", r"manifest\.json is damaged"),
        ("no parquet", r"jobs\.parquet: is damaged"),
        ("parents missing", "(?i)foreign key"),
        ("no manifest", "no export: manifest.json: No such file"),
    ],
)
def test_a_damaged_or_newer_folder_is_one_line_and_changes_nothing(url: str, tmp_path: Path, how: str, message: str) -> None:
    with open_store(f"sqlite:///{tmp_path / 'source.db'}", upgrade=True) as source:
        launch(source, JOBS)
        folder = exported(source, tmp_path / "export")
    damaged(folder, how)
    with open_store(url, upgrade=True) as opened:
        with pytest.raises(UserError, match=message) as caught:
            import_folder(opened, folder)
        assert "\n" not in str(caught.value)
        assert not any(content(opened).values())


def test_an_export_appears_whole_and_replaces_only_an_export(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch(store, JOBS)
    folder = exported(store, tmp_path / "new" / "export")
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match="exists; --force replaces it"):
        exported(store, folder)
    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.store.maintenance.export_archive._write_table", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export_store(store, folder, sweeps=(), force=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    for left in ("of_aaaaa/new", "killed_1/new", "killed_1/old"):  # one of which has the only copy of an export
        (folder.parent / f".robustsweep-export-{left}").mkdir(parents=True)
    export_store(store, folder, sweeps=(), force=True)
    assert sorted(path.name for path in folder.parent.iterdir()) == [".robustsweep-export-killed_1", "export"]
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").touch()
    with pytest.raises(UserError, match="exists and is no export"):
        export_store(store, precious, sweeps=(), force=True)
    assert (precious / "thesis.tex").exists()


def test_an_unknown_sweep_is_not_exported_and_leaves_no_folder(store: Store, tmp_path: Path) -> None:
    launch(store, JOBS)
    with pytest.raises(UserError, match="sweep 'smal': one of small"):
        exported(store, tmp_path / "export", "smal")
    assert not (tmp_path / "export").exists()


def test_many_rows_take_several_chunks(store: Store, other: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("export_archive", "archive_format"):
        monkeypatch.setattr(f"orchestrator.store.maintenance.{module}.CHUNK", 3)
    launch(store, JOBS)
    for _ in range(4):
        start_attempt(store, "small", JOBS[0].key)
    launch(other, JOBS)
    import_folder(other, exported(store, tmp_path / "export"))
    assert len(attempts(other)) == 2 * len(JOBS) + 4
    assert len(result_rows(other, "small", per_repeat=True)) == len(result_rows(store, "small", per_repeat=True))


def test_every_table_with_a_number_for_a_key_is_merged_by_something_better() -> None:
    numbered_tables = {table.name for table in Base.metadata.sorted_tables if isinstance(next(iter(table.primary_key)).type, Integer)}
    assert numbered_tables == {"sweeps", "attempts", "sweep_jobs", "sweep_epsilons"}, (
        "merge.py must say when two rows of a new table are the same"
    )


def test_a_job_of_the_store_is_never_changed_but_for_its_state(store: Store, other: Store, tmp_path: Path) -> None:
    launch(store, JOBS)
    record_sweep(other, name="other", space_text="", jobs=JOBS)
    with other.writing() as connection:
        connection.execute(update(JobRecord).values(spec=JobRecord.spec + " "))
        specs = set(connection.execute(select(JobRecord.spec)).scalars())
    import_folder(other, exported(store, tmp_path / "export"))
    with other.reading() as connection:
        assert set(connection.execute(select(JobRecord.spec)).scalars()) == specs


def test_a_user_who_may_not_make_temporary_tables_imports_too(
    store: Store, other: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(store, JOBS)
    folder = exported(store, tmp_path / "export")
    monkeypatch.setattr(bulk_insert, "_may_copy", lambda _: False)
    import_folder(other, folder)
    import_folder(other, folder)
    assert content(other) == undriven(content(store))


def test_many_rows_go_in_or_a_row_that_the_database_refuses_is_an_error_of_a_kind_that_an_import_explains(other: Store) -> None:
    table, key = table_of(JobRecord), "0" * 64
    row = {"key": key, "key_version": 1, "stage": "pretrain", "spec": "{}", "state": "planned"}
    with other.writing() as connection:
        assert insert_or_return(connection, table, [row, row | {"key": "1" * 64}]) == []
        assert insert_or_return(connection, table, [row, row | {"key": "2" * 64}]) == [row]
    with pytest.raises((DataError, OverflowError)), other.writing() as connection:
        insert_new(connection, table, [row | {"key_version": 2**70}])
