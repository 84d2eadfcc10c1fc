"""The pre-flight on every kind of database, and on an object store."""

import os
from urllib.parse import quote

import pytest
from sqlalchemy import make_url, text

from orchestrator.launching.doctor.artifact_store import check_artifacts, check_shared, marker_file
from orchestrator.launching.doctor.database import check_database
from orchestrator.launching.doctor.results_of_checks import guarded
from orchestrator.store import Store, open_store
from tests.object_store import BUCKET
from workers.artifacts.storage import open_storage


def test_a_database_without_tables_is_in_order_and_stays_so(url: str) -> None:
    for _ in range(2):
        (line,) = check_database(url, "any")
        assert line.status == "ok"
        assert "`launch` makes it" in line.found


def test_a_database_of_the_newest_schema_is_in_order(store: Store, url: str) -> None:
    lines = check_database(url, "any")
    assert {line.status for line in lines} == {"ok"}
    clocks = ["clock"] if make_url(url).get_backend_name() == "postgresql" else []  # SQLite has none of its own
    assert [line.what for line in lines] == ["database", *clocks, "driver"]


def test_a_user_who_may_only_read_is_found(postgres_url: str) -> None:
    with open_store(postgres_url, upgrade=True) as store, store.writing() as connection:
        connection.execute(text("CREATE ROLE reader LOGIN PASSWORD 's3cret'"))
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
    as_reader = make_url(postgres_url).set(username="reader", password=quote("s3cret"))
    try:
        database, *_ = check_database(as_reader.render_as_string(hide_password=False), None)
    finally:
        with open_store(postgres_url, upgrade=True) as store, store.writing() as connection:
            connection.execute(text("DROP OWNED BY reader"))
            connection.execute(text("DROP ROLE reader"))
    assert database.status == "wrong"
    assert "permission denied for table sweeps" in database.found
    assert "s3cret" not in str(database)


def test_an_object_store_is_tried_out_and_left_as_it_was(s3: dict[str, str]) -> None:
    url = f"s3://{BUCKET}/doctored"
    assert [line.status for line in check_artifacts(url)] == ["ok"]
    with marker_file(url) as mark:
        assert [line.status for line in check_shared(url, mark)] == ["ok"]
        assert [line.status for line in check_shared(f"{url}/elsewhere", mark)] == ["wrong"]
    assert open_storage(url).folders() == frozenset()


def test_a_bucket_that_is_not_there_is_wrong(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = guarded("artifacts", lambda: check_artifacts("s3://no-such-bucket/sweeps"))
    assert (line.status, "bucket" in line.found) == ("wrong", True)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in line.found.split()
