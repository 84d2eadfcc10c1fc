"""Each check on something that is really wrong, and on the same thing in order."""

import os
import shutil
import sqlite3
import threading
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from orchestrator.driver.lease_wait import this_driver
from orchestrator.executors.ray_tune.local_ray import UNPROTECTED
from orchestrator.launching.doctor import node, results_of_checks
from orchestrator.launching.doctor.artifact_store import check_artifacts, check_shared, marker_file
from orchestrator.launching.doctor.authentication import check_cluster, check_own_ray, check_token_file
from orchestrator.launching.doctor.database import check_database, compare_clocks
from orchestrator.launching.doctor.disk import GIB, check_disk
from orchestrator.launching.doctor.node import check_data_sets, check_gpus, look_for_data
from orchestrator.launching.doctor.nodes import merge_results
from orchestrator.launching.doctor.results_of_checks import CheckResult, guarded, with_timeout
from orchestrator.launching.doctor.versions import SOURCE, check_versions, compare_versions, versions_here
from orchestrator.store import launch_sweep, open_store
from orchestrator.store.leases.leases import Driver
from tests.builders import small_plan
from workers.errors import UserError
from workers.spec.component import DataSpec

DATABASES = Path(__file__).parent.parent.parent / "store" / "databases"
Usage = namedtuple("Usage", "total used free")


def only(lines: list[CheckResult]) -> CheckResult:
    (line,) = lines
    return line


def launched(folder: Path, driver: Driver) -> str:
    """The URL of a store whose sweep `swept` is driven."""
    url = f"sqlite:///{folder / 'results.db'}"
    with open_store(url, upgrade=True) as store:
        launch_sweep(store, name="swept", space_text="", jobs=small_plan(theta=0.5), driver=driver, seen=None)
    return url


def test_packages_other_than_those_asked_for_are_named() -> None:
    here = versions_here()
    assert only(check_versions(here)).status == "ok"
    line = only(check_versions(here, ["torch>=99", "nowhere-to-be-found", "torch>=2; extra == 'dev'", "torch>=99; python_version < '3'"]))
    assert (line.status, line.found) == ("wrong", f"torch is {here['torch']}, needs >=99; nowhere-to-be-found is not installed")


@pytest.mark.parametrize(
    ("there", "status", "found"),
    [
        ({}, "ok", "as here"),
        ({"torch": "2.12.0"}, "wrong", "torch 2.12.0 (here 2.11.0)"),
        ({"torch": None}, "wrong", "torch missing (here 2.11.0)"),
        ({SOURCE: "b" * 40}, "wrong", f"source revision {'b' * 40} (here {'a' * 40})"),
        ({SOURCE: None}, "ok", "as here"),
        ({"torch": "2.11.0+cu130"}, "warning", "another build: torch 2.11.0+cu130 (here 2.11.0)"),
    ],
)
def test_a_node_with_other_versions_is_found(there: dict[str, str | None], status: str, found: str) -> None:
    here = {"python": "3.11.7", "torch": "2.11.0", SOURCE: "a" * 40}
    node = {name: version for name, version in (here | there).items() if version is not None}
    line = only(compare_versions(here, node))
    assert (line.status, line.found) == (status, found)


def test_an_unreachable_server_is_a_line_without_its_password() -> None:
    line = only(guarded("database", lambda: check_database("postgresql://somebody:s3cret@127.0.0.1:1/results", None)))
    assert (line.status, line.what) == ("wrong", "database")
    assert "Connection refused" in line.found
    assert "s3cret" not in str(line)


def test_a_store_that_is_not_there_yet_is_in_order_and_is_not_made(tmp_path: Path) -> None:
    line = only(check_database(f"sqlite:///{tmp_path}/new/results.db", "any"))
    assert (line.status, list(tmp_path.iterdir())) == ("ok", [])
    (tmp_path / "in_the_way").touch()
    assert only(check_database(f"sqlite:///{tmp_path}/in_the_way/results.db", "any")).status == "wrong"


def test_an_old_schema_is_looked_at_and_not_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DATABASES / "0003.sql").read_text())
    before = path.read_bytes()
    line = only(check_database(f"sqlite:///{path}", None))
    assert line.status == "warning"
    assert "its schema is 0003, older than" in line.found
    assert "db upgrade" in line.advice
    assert path.read_bytes() == before


def test_a_schema_from_the_future_and_a_file_that_is_no_database_are_wrong(tmp_path: Path) -> None:
    url = launched(tmp_path, this_driver())
    with closing(sqlite3.connect(tmp_path / "results.db")) as connection, connection:
        connection.execute("UPDATE robustsweep_schema_version SET version_num = '9999'")
    assert only(check_database(url, None)).status == "wrong"
    (tmp_path / "other.db").write_bytes(b"no database at all" * 100)
    line = only(guarded("database", lambda: check_database(f"sqlite:///{tmp_path}/other.db", None)))
    assert (line.status, "file is not a database" in line.found) == ("wrong", True)


def test_who_drives_the_sweep_is_said(tmp_path: Path) -> None:
    url = launched(tmp_path, this_driver())
    database, driver = check_database(url, "swept")
    assert (database.status, driver.status) == ("ok", "warning")
    assert f"process {os.getpid()} on" in driver.found
    assert check_database(url, "another")[1] == CheckResult("ok", "driver", "no driver runs sweep another")
    assert check_database(url, None)[1] == CheckResult("ok", "driver", "running: swept")


def test_a_dead_driver_will_be_followed(tmp_path: Path) -> None:
    gone = this_driver()
    assert gone.process is not None
    machine = gone.process.rsplit(":", 2)[0]
    url = launched(tmp_path, Driver(host="here", pid=2**22, process=f"{machine}:{2**22}:1"))
    _, driver = check_database(url, "swept")
    assert (driver.status, "`launch` takes over" in driver.found) == ("ok", True)


def test_a_store_of_artifacts_is_tried_out_and_left_as_it_was(tmp_path: Path) -> None:
    assert only(check_artifacts(str(tmp_path / "home" / "artifacts"))).status == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "artifacts").mkdir()
    assert only(check_artifacts(f"file://{tmp_path}/artifacts")).status == "ok"
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_a_store_that_cannot_be_written_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "artifacts").touch()
    line = only(guarded("artifacts", lambda: check_artifacts(str(tmp_path / "artifacts"))))
    assert (line.status, line.found) == ("wrong", f"{tmp_path / 'artifacts'}: not a directory")
    assert only(guarded("artifacts", lambda: check_artifacts("nosuch://bucket"))).status == "wrong"
    assert only(check_artifacts("memory://sweeps")).status == "warning"


def test_a_folder_of_the_same_name_that_is_another_one_on_a_node_is_found(tmp_path: Path) -> None:
    url = str(tmp_path / "artifacts")
    with marker_file(url) as mark:
        assert only(check_shared(url, mark)).status == "ok"
        elsewhere = only(check_shared(str(tmp_path / "other"), mark))
    assert elsewhere.status == "wrong"
    assert "is a different place there" in elsewhere.found
    assert list(tmp_path.iterdir()) == []


def test_missing_data_are_named_with_how_to_get_them(tmp_path: Path) -> None:
    digits, cifar10 = check_data_sets((DataSpec(name="digits"), DataSpec(name="cifar10")), tmp_path)
    assert (digits.status, cifar10.status) == ("ok", "wrong")
    assert "data_batch_1" in cifar10.found
    assert only(look_for_data(tmp_path / "nowhere")).status == "wrong"
    assert only(look_for_data(None)).status == "ok"


@pytest.mark.parametrize(("free", "status"), [(100.0, "ok"), (4.9, "warning"), (0.4, "wrong")])
def test_little_space_is_found_once_for_each_file_system(free: float, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, int(free * GIB)))
    line = only(check_disk({"results": tmp_path / "not" / "there", "artifacts": tmp_path}))
    assert line.status == status
    assert line.found.startswith(f"{free} GiB free for results, artifacts (")


def test_a_token_that_others_can_read_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    token = tmp_path / "token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    assert check_token_file() == []
    token.write_text("secret")
    token.chmod(0o644)
    assert only(check_token_file()) == CheckResult("warning", "token", f"{token} has mode 0644: others can read it", f"chmod 600 {token}")
    token.chmod(0o600)
    assert only(check_token_file()).status == "ok"


def test_a_ray_that_lets_in_everybody_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert check_own_ray()[0].status == "warning"
    monkeypatch.delenv("RAY_AUTH_MODE")
    assert check_own_ray()[0].status == "ok"
    assert check_cluster([f"warning: --address auto: {UNPROTECTED}"])[0].status == "warning"


def test_clocks_that_differ_are_found() -> None:
    assert only(compare_clocks(104.0, 100.0, whose="its clock")).status == "ok"
    assert only(compare_clocks(20.0, 100.0, whose="its clock")).found == "its clock is 80 s behind this machine's"


@pytest.mark.parametrize(
    ("seen", "expected", "status"),
    [(0, None, "ok"), (0, 1.0, "wrong"), (1, None, "ok"), (1, 1.0, "ok"), (2, 1.0, "warning"), (1, 2.0, "wrong")],
)
def test_gpus_that_torch_and_ray_do_not_both_see_are_found(
    seen: int, expected: float | None, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    properties = SimpleNamespace(name="NVIDIA H200", total_memory=139 * GIB)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: seen)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(node, "_DEVICE", tmp_path / "nvidia0")
    assert only(check_gpus(expected=expected)).status == status


def test_a_gpu_that_torch_cannot_use_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(node, "_DEVICE", tmp_path)
    assert only(check_gpus()).status == "warning"


def test_what_never_answers_is_given_up() -> None:
    answered = threading.Event()
    with pytest.raises(UserError, match=r"^artifacts: no answer within 0\.05 s"):
        with_timeout(0.05, answered.wait, what="artifacts")
    answered.set()
    assert results_of_checks.TIMEOUT < 60
    assert only(guarded("data", lambda: with_timeout(5.0, lambda: [1].index(2), what="data"))).found.startswith("ValueError: ")


def test_what_nodes_say_alike_is_said_once_and_who_differs_is_named() -> None:
    full = CheckResult("wrong", "disk", "0.1 GiB free", "make room")
    free = [CheckResult("ok", "disk", f"{number} GiB free") for number in range(10, 15)]
    data = CheckResult("ok", "data", "digits needs no files")
    found = merge_results({f"node{number}": [data, disk] for number, disk in enumerate([*free, full])})
    assert [(line.status, line.found) for line in found] == [
        ("ok", "all 6 nodes: digits needs no files"),
        ("ok", "5 of 6 nodes (node0, node1, node2 and 2 more): no problem found"),
        ("wrong", "1 of 6 nodes (node5): 0.1 GiB free"),
    ]
