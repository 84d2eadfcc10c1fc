"""Mirrors of a sweep, read by those who show them; and that nothing of a sweep waits for one."""

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orchestrator.driver.mirrors import Mirror, parse_target, sweep_mirrors
from orchestrator.driver.mirrors import mlflow as mirror_of_mlflow
from orchestrator.driver.mirrors.entry import Entry, MirroredModel
from tests.commands import robustsweep
from tests.faults.processes import wait_for
from tests.orchestrator.dashboard.served import answers
from tests.orchestrator.launching.test_launch_options import JOBS, launched
from workers.errors import UserError

MODEL = MirroredModel("c0ffee", "tiny", "pretrain theta 1", {"model.theta": "1"})
NUMBERS = [Entry(MODEL, {"loss": 1 / (1 + epoch)}, epoch, "epoch") for epoch in range(3)]
NO_SERVER = "mlflow:http://127.0.0.1:9"


class Kept:
    """A target that keeps what it is given, once it is told to answer."""

    def __init__(self, *, refuses: int | None = None) -> None:
        self.answers, self.refused, self.refuses = threading.Event(), threading.Event(), refuses
        self.given: list[Entry] = []
        self.closed = False

    def write(self, entry: Entry) -> None:
        if not self.answers.is_set():
            self.refused.set()
            raise ConnectionRefusedError(111, "Connection refused")
        if entry.step == self.refuses:
            raise ValueError("no such metric")
        self.given.append(entry)

    def close(self) -> None:
        self.closed = True


def test_a_mirror_that_is_away_for_a_while_gets_everything_in_order() -> None:
    target = Kept()
    mirror = Mirror("kept", lambda: target, retry_seconds=0.01)
    for entry in NUMBERS:
        mirror.put(entry)
    assert target.refused.wait(20)
    target.answers.set()
    assert mirror.close(seconds=20) is None
    assert target.given == NUMBERS
    assert target.closed


def test_what_a_mirror_never_got_is_said_in_one_line_and_nobody_waits_for_it() -> None:
    mirror = Mirror("kept", Kept, most=2)
    since = time.monotonic()
    for entry in NUMBERS * 2:
        mirror.put(entry)
    assert time.monotonic() - since < 1
    assert mirror.close(seconds=20) == "kept: 6 of 6 entries were not mirrored: [Errno 111] Connection refused"


def test_an_entry_that_is_refused_holds_up_no_other() -> None:
    target = Kept(refuses=1)
    target.answers.set()
    mirror = Mirror("kept", lambda: target)
    for entry in NUMBERS:
        mirror.put(entry)
    assert mirror.close(seconds=20) == "kept: 1 of 3 entries were not mirrored: ValueError: no such metric"
    assert [entry.step for entry in target.given] == [0, 2]


def test_a_target_that_hangs_is_left_behind() -> None:
    class Hanging(Kept):
        def write(self, entry: Entry) -> None:
            self.answers.wait(60)
            super().write(entry)

    target = Hanging()
    mirror = Mirror("kept", lambda: target)
    mirror.put(NUMBERS[0])
    assert mirror.close(seconds=0.05) == "kept: 1 of 1 entries were not mirrored: it is too slow"
    target.answers.set()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tensorbord:x", "must be tensorboard:DIR, mlflow:URI or wandb:PROJECT"),
        ("tensorboard:", "must be tensorboard:DIR, mlflow:URI or wandb:PROJECT"),
        ("mlflow:sqlite:///x.db", "must be the address of a server, such as mlflow:http://127.0.0.1:5000"),
        (f"tensorboard:{__file__}", "is no folder"),
    ],
)
def test_a_target_that_is_none_is_refused_before_anything_is_made(name: str, said: str, tmp_path: Path) -> None:
    if name.startswith("tensorboard:/"):
        _tensorboard()
    with pytest.raises(UserError, match=said):
        launched(tmp_path, mirror=[name])
    assert not (tmp_path / "home").exists()


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="must hold no password") as refused:
        parse_target("mlflow:http://me:secret@127.0.0.1:5000")
    assert "secret" not in str(refused.value)


def test_a_launch_goes_on_without_a_server_and_says_how_to_mirror_later(tmp_path: Path) -> None:
    code, ran, printed = launched(tmp_path, mirror=[NO_SERVER])
    assert (code, len(ran)) == (0, JOBS)
    assert re.search(rf"--mirror {NO_SERVER}: (\d+) of \1 entries were not mirrored: no answer: ", printed)
    assert f"later: robustsweep mirror tiny {NO_SERVER} --home {tmp_path}" in printed
    sent = robustsweep("mirror", "tiny", NO_SERVER, "--home", tmp_path / "home", cwd=tmp_path)
    assert sent.returncode == 2
    assert sent.stderr.startswith(f"robustsweep: mirror tiny: {NO_SERVER}: no answer: ")


def _scalars(folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """The curves of each run, as TensorBoard reads them."""
    events = _tensorboard().EventAccumulator
    found = {}
    for run in folder.iterdir():
        read = events(str(run)).Reload()
        assert read.Tags()["tensors"] == ["settings"]
        found[run.name] = {tag: sorted((point.step, point.value) for point in read.Scalars(tag)) for tag in read.Tags()["scalars"]}
    return found


def _tensorboard() -> ModuleType:
    return pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard, which reads what is written, is not installed"
    )


def test_tensorboard_shows_each_training_and_result_once(tmp_path: Path) -> None:
    _tensorboard()
    code, _, printed = launched(tmp_path, mirror=[f"tensorboard:{tmp_path / 'curves'}"])
    assert (code, "not mirrored" in printed) == (0, False)
    live = _scalars(tmp_path / "curves" / "tiny")
    assert sorted(name.rsplit("-", 1)[0] for name in live) == ["fine_tune-theta-0.8", "pretrain-theta-1"]
    (sketched,) = (curves for name, curves in live.items() if name.startswith("fine_tune"))
    assert sketched["training/loss"] == [(0, 2.5)]
    assert [step for step, _ in sketched["robust_accuracy/pgd 8/255 randomized"]] == [0, 1]
    again = robustsweep("mirror", "tiny", f"tensorboard:{tmp_path / 'curves'}", "--home", tmp_path / "home", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith(f"sweep tiny: {JOBS} results of 2 models, ")
    assert _scalars(tmp_path / "curves" / "tiny") == live


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[str]:
    """The address of an MLflow server, by the program in ROBUSTSWEEP_TEST_MLFLOW or on the path."""
    program = os.environ.get("ROBUSTSWEEP_TEST_MLFLOW") or shutil.which("mlflow")
    if program is None:
        pytest.skip("no mlflow server: install mlflow, into an environment of its own, and name its program in ROBUSTSWEEP_TEST_MLFLOW")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [program, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db", "--artifacts-destination", str(tmp_path / "files")]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(words, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: server.poll() is not None or answers(f"{address}/health"), every=0.5, what="answer of the server")
        assert server.poll() is None, (tmp_path / "server.log").read_text()
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


@pytest.mark.slow
def test_mlflow_has_a_run_for_each_model_with_its_settings_and_curves(
    tmp_path: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_of_mlflow, "_SECONDS", 300.0)  # the server's first answer takes long where the machine is busy
    monkeypatch.setattr(sweep_mirrors, "_LAST_SECONDS", 600.0)
    code, _, printed = launched(tmp_path, mirror=[f"mlflow:{mlflow_server}"])
    assert (code, "not mirrored" in printed) == (0, False), printed
    live = _runs(mlflow_server)
    assert [(run["name"].rpartition(" ")[0], run["status"]) for run in live] == [
        ("fine_tune theta 0.8", "FINISHED"),
        ("pretrain theta 1", "FINISHED"),
    ]
    assert live[0]["params"]["model.theta"] == "0.8"
    assert live[0]["metrics"]["training/loss"] == 2.5
    assert "robust_accuracy/pgd 8/255 omniscient" in live[0]["metrics"]
    sent = robustsweep("mirror", "tiny", f"mlflow:{mlflow_server}", "--home", tmp_path / "home", cwd=tmp_path)
    assert sent.returncode == 0, sent.stderr
    again = _runs(mlflow_server)
    assert [(run["name"], run["metrics"]) for run in again] == [(run["name"], run["metrics"]) for run in live]


def _runs(server: str) -> list[dict[str, Any]]:
    """The runs of the experiment `tiny`, sorted by name."""
    asked = mirror_of_mlflow.MLflow(server, anew=False)
    found = asked._post("runs/search", experiment_ids=[asked._experiment("tiny")], max_results=100)["runs"]
    runs = [
        {
            "name": run["info"]["run_name"],
            "status": run["info"]["status"],
            "params": {one["key"]: one["value"] for one in run["data"].get("params", ())},
            "metrics": {one["key"]: one["value"] for one in run["data"]["metrics"]},
        }
        for run in found
    ]
    return sorted(runs, key=lambda run: run["name"])


@pytest.mark.slow
def test_wandb_offline_leaves_a_folder_for_each_model(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed: pip install 'robustsweep[wandb]'")
    launched(tmp_path)
    env = {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path)}
    sent = robustsweep("mirror", "tiny", "wandb:robust", "--home", tmp_path / "home", cwd=tmp_path, env=env)
    assert sent.returncode == 0, sent.stderr
    logs = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert len(logs) == 2
    kept = [record for log in logs for record in _histories(log)]
    assert [(record["epoch"], record["training/loss"]) for record in kept if "training/loss" in record] == [(0, 2.5), (0, 2.5)]
    assert sum("robust_accuracy/pgd 8/255 omniscient" in record for record in kept) == 1 + 2  # once, where nothing is random


def _histories(log: Path) -> Iterator[dict[str, float]]:
    """The histories in one of W&B's own files: LevelDB's log format, in blocks of 32 KiB after seven bytes, of protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, data = log.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := -place % 32768) and left < 7:
            place += left
            continue
        size, kind = struct.unpack("<4xHB", content[place : place + 7])
        data, place = data + content[place + 7 : place + 7 + size], place + 7 + size
        if kind in (1, 4):
            if (record := Record.FromString(data)).HasField("history"):
                yield {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
            data = b""
