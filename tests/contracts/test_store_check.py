"""What `db check` notices, on both kinds of database."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update

from orchestrator.planning.plan import make_plan
from orchestrator.store import Store, end_driving, finished_keys, start_attempt
from orchestrator.store.maintenance.check import check_store, flags_problem
from orchestrator.store.maintenance.repair import repair_store
from orchestrator.store.schema.base import Base
from tests.builders import small_plan
from tests.kept_files import kept
from tests.stored import begin_driving, content, launch, leave_artifacts, silence
from workers.artifacts.artifacts import Artifacts
from workers.spec.keys import KEY_VERSION

JOBS = small_plan()
FULL, MODEL, CRAFTED, EVALUATION, ATTACK = JOBS[:5]
TABLES = Base.metadata.tables


@pytest.fixture
def artifacts(store: Store, tmp_path: Path) -> Artifacts:
    launch(store, JOBS)
    return leave_artifacts(JOBS, tmp_path / "artifacts")


def wrong(store: Store, artifacts: Artifacts, *, hashes: bool = False) -> dict[str, str]:
    """The problems by subject; each with what to do."""
    found = check_store(store, artifacts, hashes=hashes)
    assert all(finding.advice for finding in found if finding.problem)
    return {finding.subject: finding.problem for finding in found if finding.problem}


def change(store: Store, statement: object) -> None:
    with store.writing() as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def test_a_sound_store_has_nothing_wrong_and_is_not_changed(store: Store, artifacts: Artifacts) -> None:
    before = content(store)
    assert wrong(store, artifacts, hashes=True) == {}
    assert content(store) == before


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"flags": b"\xaa"}, "1 bytes of flags for 16 examples in 1 draws: must be 2"),
        ({"n_correct": 9}, "n_correct is 9, its flags count 8"),
        ({"n_examples": 15, "flags": b"\xaa\xab"}, "flags are set beyond the last of 15 examples"),
        ({"draws": 2}, "2 bytes of flags for 16 examples in 2 draws: must be 4"),
    ],
)
def test_flags_that_are_not_what_they_should_be(store: Store, artifacts: Artifacts, values: dict[str, object], said: str) -> None:
    before, table = figures(store), TABLES["attack_results"]
    change(store, update(table).where(table.c.job_key == ATTACK.key).values(values))
    found = wrong(store, artifacts)
    assert found["flags"] == f"attack_results, job {ATTACK.key}: {said}"
    assert f"attack_results, job {ATTACK.key}: " in found["rows"]
    assert repair(store, artifacts)[0] == "1 jobs and results restored from their artifacts"
    assert (wrong(store, artifacts), figures(store)) == ({}, before)


def figures(store: Store) -> dict[str, list[dict[str, object]]]:
    """What the store holds, except when it was written."""
    found = content(store)
    return {name: [{key: row[key] for key in row if not key.endswith("_at")} for row in rows] for name, rows in found.items()}


def repair(store: Store, artifacts: Artifacts) -> list[str]:
    return repair_store(store, artifacts, check_store(store, artifacts, hashes=False))


@pytest.mark.parametrize(
    ("name", "values", "subject"),
    [
        ("attack_results", {"n_correct": 0, "flags": b"\0\0"}, "rows"),
        ("clean_results", {"seconds": 99.0}, "rows"),
        ("trained_models", {"history": []}, "rows"),
        ("worst_cases", {"accuracy": 0.0625}, "verdicts"),
        ("verdicts", {"verdict": "unsound"}, "verdicts"),
        ("jobs", {"spec": "{"}, "job keys"),
        ("jobs", {"state": "failed"}, "results"),
        ("job_parents", None, "parents"),
        ("attack_results", None, "done jobs"),
        ("trained_models", None, "done jobs"),
        ("crafted_examples", None, "done jobs"),
        ("verdicts", None, "verdicts"),
        ("worst_cases", None, "verdicts"),
    ],
)
def test_what_differs_from_the_artifacts_is_noticed_and_mended_by_them(
    store: Store, artifacts: Artifacts, name: str, values: dict[str, object] | None, subject: str
) -> None:
    before, table = figures(store), TABLES[name]
    change(store, delete(table) if values is None else update(table).values(values))
    assert subject in wrong(store, artifacts)
    assert repair(store, artifacts)
    assert (wrong(store, artifacts), figures(store)) == ({}, before)
    assert repair(store, artifacts) == []


@pytest.mark.parametrize(("share", "noticed"), [(1 - 1e-14, False), (1 - 1e-6, True)])
def test_of_worst_cases_only_more_than_their_last_bits_is_noticed(store: Store, artifacts: Artifacts, share: float, noticed: bool) -> None:
    table = TABLES["worst_cases"]
    change(store, update(table).values(ci_high=table.c.ci_high * share))
    assert ("verdicts" in wrong(store, artifacts)) == noticed


def test_a_done_job_without_result_is_recorded_or_run_by_the_next_launch(store: Store, artifacts: Artifacts) -> None:
    for table in (TABLES["attack_results"], TABLES["clean_results"]):
        change(store, delete(table).where(table.c.job_key.in_([ATTACK.key, EVALUATION.key])))
    artifacts.discard(EVALUATION.key)
    plan = make_plan(JOBS, recorded=finished_keys(store), finished=artifacts.finished())
    assert (plan.unrecorded, plan.to_run) == ({ATTACK.key}, (EVALUATION,))
    end_driving(store, begin_driving(store, "small", "host", 1))
    states = {row["key"]: row["state"] for row in content(store)["jobs"]}
    assert {key for key, state in states.items() if state == "planned"} == {ATTACK.key, EVALUATION.key}
    change(store, update(TABLES["jobs"]).values(state="done"))
    said = ["1 jobs and results restored from their artifacts", "1 done jobs without result or artifact, planned again"]
    assert repair(store, artifacts)[:2] == said
    assert wrong(store, artifacts) == {}


@pytest.mark.parametrize(
    ("statement", "subject", "said"),
    [
        (lambda: delete(TABLES["attack_results"]).where(TABLES["attack_results"].c.job_key == ATTACK.key), "done jobs", "has no result"),
        (lambda: update(TABLES["jobs"]).where(TABLES["jobs"].c.key == ATTACK.key).values(state="failed"), "results", "and is failed"),
        (lambda: update(TABLES["jobs"]).where(TABLES["jobs"].c.key == FULL.key).values(spec="{}"), "job keys", FULL.key),
        (lambda: update(TABLES["jobs"]).where(TABLES["jobs"].c.key == FULL.key).values(spec="{"), "job keys", FULL.key),
        (lambda: delete(TABLES["job_parents"]).where(TABLES["job_parents"].c.child_key == EVALUATION.key), "parents", EVALUATION.key),
    ],
)
def test_rows_that_do_not_fit_together(
    store: Store, artifacts: Artifacts, statement: Callable[[], object], subject: str, said: str
) -> None:
    change(store, statement())
    assert said in wrong(store, artifacts)[subject]


def test_rows_that_refer_to_nothing(store: Store, artifacts: Artifacts) -> None:
    with store.engine.connect() as connection:
        if store.engine.dialect.name == "sqlite":
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql(f"DELETE FROM jobs WHERE key = '{MODEL.key}'")
        if store.engine.dialect.name == "postgresql":
            connection.commit()
        connection.invalidate()
    found = wrong(store, artifacts)
    assert "4 rows of attack_results whose model_key is not in jobs; 1 rows of attempts whose job_key is not in jobs" in found["references"]
    assert repair(store, artifacts)
    assert wrong(store, artifacts) == {}


def test_attempts_left_by_a_dead_driver_are_told_from_those_of_a_living_one(store: Store, artifacts: Artifacts) -> None:
    lease = begin_driving(store, "small", "host", 1)
    start_attempt(store, "small", ATTACK.key)
    assert wrong(store, artifacts) == {}
    with store.writing() as connection:
        connection.execute(update(TABLES["sweeps"]).values(heartbeat_at=None))
    assert f"attempt 2 at job {ATTACK.key} of sweep small" in wrong(store, artifacts)["attempts"]
    end_driving(store, lease)
    assert wrong(store, artifacts) == {}


def test_a_driver_that_died_is_named_and_one_that_lives_or_has_left_is_not(store: Store, artifacts: Artifacts) -> None:
    lease = begin_driving(store, "small", "somewhere", 42)
    assert "drivers" not in wrong(store, artifacts)
    silence(store, "small", seconds=90)
    assert "sweep small: process 42 on somewhere never left it and is dead (last heartbeat " in wrong(store, artifacts)["drivers"]
    end_driving(store, lease)
    assert "drivers" not in wrong(store, artifacts)


def test_missing_and_changed_files_are_found_and_only_hashing_sees_the_latter(store: Store, artifacts: Artifacts) -> None:
    weights = kept(Path(artifacts.url), FULL.key, "weights.bin")
    weights.write_bytes(weights.read_bytes()[::-1])
    assert wrong(store, artifacts) == {}
    assert "is corrupt" in wrong(store, artifacts, hashes=True)["artifacts"]
    weights.unlink()
    shutil.rmtree(artifacts.where(MODEL.key))
    found = wrong(store, artifacts)["artifacts"]
    assert f"job {FULL.key}: {weights.name} is missing" in found
    assert f"job {MODEL.key}: no result in" in found


def test_many_problems_are_counted(store: Store, artifacts: Artifacts) -> None:
    shutil.rmtree(Path(artifacts.url))
    assert wrong(store, artifacts)["artifacts"].endswith(f"; and {len(JOBS) - 3} more")


def test_sqlites_own_complaint_is_passed_on(tmp_path: Path) -> None:
    from orchestrator.store import open_store

    path = tmp_path / "store.db"
    with open_store(f"sqlite:///{path}", upgrade=True) as store:
        launch(store, JOBS)
        with store.engine.connect() as connection:
            page = connection.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'ix_jobs_state_key'").scalar_one()
            size = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size + 8 : page * size] = bytes(size - 8)
    path.write_bytes(content)
    with open_store(f"sqlite:///{path}", upgrade=False) as store:
        found = {finding.subject: finding.problem for finding in check_store(store, Artifacts(tmp_path), hashes=False)}
    assert "ix_jobs_state_key" in (found["file"] or "")


@pytest.mark.parametrize(
    ("flags", "n_examples", "draws", "n_correct", "sound"),
    [
        (b"\xf8\x80", 5, 2, 6, True),  # each draw in whole bytes of its own
        (b"\xf8\x81", 5, 2, 7, False),
        (b"\xff", 8, 1, 8, True),
        (b"", 8, 1, 0, False),
        (b"\xf8\x80", 5, 2, 5, False),
    ],
)
def test_flags_are_counted_draw_by_draw(flags: bytes, n_examples: int, draws: int, n_correct: int, sound: bool) -> None:
    assert (flags_problem(flags, n_examples=n_examples, draws=draws, n_correct=n_correct) is None) is sound


def test_every_row_inserted_by_hand_is_seen(store: Store, artifacts: Artifacts) -> None:
    row = {"key": "f" * 64, "key_version": KEY_VERSION, "stage": "attack", "spec": "{}", "state": "done"}
    change(store, insert(TABLES["jobs"]).values(row))
    assert set(wrong(store, artifacts)) == {"job keys", "parents", "done jobs", "artifacts"}
