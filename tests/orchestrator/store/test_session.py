import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from optuna import create_study
from sqlalchemy import make_url

from orchestrator.api.results import open_results
from orchestrator.launching.doctor.database import check_database, database_file
from orchestrator.paths import Paths
from orchestrator.report.study.read_study import read_study
from orchestrator.search.optuna_storage import study_storage
from orchestrator.store import StoreMissing, open_store, sweep_names
from orchestrator.store.connection.urls import scrubbed
from tests.stored import record_sweep
from workers.errors import UserError


def refusal(url: str, *, upgrade: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        open_store(url, upgrade=upgrade)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "url",
    [
        "",
        "results.db",
        "sqlite:",
        "postgresql://host:port/database",
        "mysql://host/database",
        "postgresql+psycopg2://h/d",
        "sqlite:///a\udcffb",
    ],
)
def test_a_url_that_names_no_store_of_ours_is_told_what_one_looks_like(url: str) -> None:
    assert refusal(url).startswith("store '")
    assert "must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE" in refusal(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"])
def test_an_sqlite_url_must_name_a_file(url: str) -> None:
    assert "must name a file, as sqlite:///PATH" in refusal(url, upgrade=True)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@localhost:port/x",
        "postgresql://user:s3cret@localhost:1/x",
        "postgresql://localhost:1/x?password=s3cret",
        "postgres://user:s3cret@localhost:1/x?sslpassword=s3cret",
        "mysql://user:s3cret@localhost/x",
        "user:s3cret@localhost/x",
        "postgresql//user:s3@s3cret@localhost/x",
    ],
)
def test_no_message_tells_a_password(url: str) -> None:
    assert "s3cret" not in refusal(url)


def test_a_password_that_the_driver_repeats_is_blotted_out() -> None:
    url = make_url("postgresql://user:s3cret@host/x?sslpassword=0ther")
    assert scrubbed('invalid "s3cret" or "0ther"\nand more', url) == 'invalid "***" or "***"'


def test_an_unreachable_server_is_one_line_with_the_reason() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = refusal(f"postgresql://user:s3cret@127.0.0.1:{port}/x")
    assert message.startswith(f"store 'postgresql://user:***@127.0.0.1:{port}/x': ")
    assert "refused" in message


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "needs the package psycopg: pip install 'robustsweep[postgres]'" in refusal("postgresql://localhost/x")


def test_reading_makes_neither_file_nor_folder(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "store.db"
    with pytest.raises(StoreMissing, match=r"store\.db': no such file"):
        open_store(f"sqlite:///{path}", upgrade=False)
    assert list(tmp_path.iterdir()) == []


ODD_NAMES = ["eps%3D8%2F255", "a?b", "a?c", "a#b", "100%", "a b", "a:b", "a@b:c", "x&mode=ro", "é\u202e", "a\nb", "file:x", "sqlite:"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_home_of_any_name_holds_its_own_database_for_everybody(tmp_path: Path, name: str) -> None:
    """Its writer, its readers, Optuna, the dashboard's child, `doctor`: each gets the address as a text, and opens the same file."""
    paths = Paths.resolve(home=tmp_path / name, store=None)
    with open_store(paths.store_url, upgrade=True) as store, study_storage(store) as studies:
        record_sweep(store, name="small", space_text="", jobs=[])
        create_study(storage=studies, study_name="small")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert database_file(paths.store_url) == tmp_path / name / "results.db"
    with open_store(Paths.resolve(home=tmp_path / "elsewhere", store=paths.store_url).store_url, upgrade=False) as store:
        assert sweep_names(store) == ["small"]
        assert read_study(store, "small") is not None
    with open_results(tmp_path / name) as results:
        assert results.sweeps() == ["small"]
    assert [check.status for check in check_database(paths.store_url, "small")] == ["ok", "ok"]


@pytest.mark.parametrize("url", ["sqlite:///a?b/results.db", "sqlite:///results.db?mode=ro"])
def test_an_sqlite_url_with_a_question_mark_would_name_another_file(url: str) -> None:
    assert "takes no options: write %3F for a question mark in a path" in refusal(url, upgrade=True)


@pytest.mark.parametrize("name", ["~nobody-of-that-name/x", "a\0b", "a\udcffb"])
def test_a_path_that_cannot_be_is_one_line(name: str) -> None:
    for places in ({"home": Path(name)}, {"home": Path(), "artifacts": name}, {"home": Path(), "data": name}):
        with pytest.raises(UserError, match=re.escape(name)):
            Paths.resolve(store=None, **places)


def test_a_relative_path_is_under_the_folder_of_opening_even_after_leaving_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite:///store.db", upgrade=True) as store:
        store.engine.dispose()
        monkeypatch.chdir("/")
        assert sweep_names(store) == []
    assert (tmp_path / "store.db").exists()


@pytest.mark.parametrize("upgrade", [True, False])
def test_a_file_that_is_no_database_is_one_line(tmp_path: Path, upgrade: bool) -> None:
    (tmp_path / "store.db").write_text("not a database, but long enough to be looked at" * 100)
    assert refusal(f"sqlite:///{tmp_path}/store.db", upgrade=upgrade).endswith("file is not a database")


def test_a_path_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot make the folder" in refusal(f"sqlite:///{tmp_path}/file/folder/store.db", upgrade=True)
    assert "is no file; give the database's own path" in refusal(f"sqlite:///{tmp_path}", upgrade=True)


def test_an_empty_file_is_a_missing_store(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    with pytest.raises(StoreMissing, match="holds no sweeps yet"):
        open_store(f"sqlite:///{tmp_path}/store.db", upgrade=False)


def test_in_a_folder_where_nothing_may_be_written_reading_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with open_store(url, upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=[])
    monkeypatch.setattr("os.access", lambda *_: False)  # tests may run as root, which may write anywhere
    with open_store(url, upgrade=False) as store:
        assert sweep_names(store) == ["small"]
        assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def test_in_such_a_folder_a_reader_still_sees_what_a_driver_writes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with open_store(url, upgrade=True) as writer:
        monkeypatch.setattr("os.access", lambda *_: False)
        with open_store(url, upgrade=False) as reader:
            record_sweep(writer, name="small", space_text="", jobs=[])
            assert sweep_names(reader) == ["small"]


def test_sqlite_is_set_up_for_several_processes_and_keeps_references(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/store.db", upgrade=True) as store, store.reading() as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys", "busy_timeout")}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000}


@pytest.mark.parametrize("upgrade", [True, False])
def test_opening_a_current_store_imports_neither_alembic_nor_torch_nor_ray(tmp_path: Path, upgrade: bool) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    open_store(url, upgrade=True).close()
    code = f"""if True:
        import sys
        from orchestrator.store import open_store
        open_store({url!r}, upgrade={upgrade}).close()
        print(sorted({{'alembic', 'torch', 'ray', 'optuna'}} & set(sys.modules)))"""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout == "[]\n"
