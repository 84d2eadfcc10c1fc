"""`status --watch` and `retry`: a sweep that goes on, and one of which jobs have failed."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import update
from typer import Exit

from orchestrator.cli import status as status_command
from orchestrator.cli.retry import retry
from orchestrator.cli.status import status, watch_status
from orchestrator.launching.launch import LaunchOptions
from orchestrator.store import Store, end_driving, open_store
from orchestrator.store.schema.sweep_tables import SweepRecord
from tests.builders import attack_job, pretrain_job
from tests.stored import begin_driving, launch
from workers.errors import UserError

MODEL = pretrain_job()
JOBS = [MODEL, attack_job(MODEL)]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'results.db'}"


def commanded(store: Store, command: str | None) -> None:
    with store.writing() as connection:
        connection.execute(update(SweepRecord).values(command=command))


def test_a_watch_ends_with_the_driver(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    with open_store(url, upgrade=True) as store:
        launch(store, JOBS)
        lease = begin_driving(store, "small", "host", 7)
        monkeypatch.setattr(status_command.time, "sleep", lambda _: end_driving(store, lease))
        watch_status(url, "small", Console(file=shown, force_terminal=True, width=100))
    assert shown.getvalue().count("running on host, process 7") == 1
    assert "sweep small: finished" in shown.getvalue()


def test_a_watch_has_one_form(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--watch: only with the table of progress"):
        status("small", home=tmp_path, watch=True, failed=True)


def test_retry_repeats_the_command_with_the_home_it_was_asked_of(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[LaunchOptions] = []
    monkeypatch.setattr("orchestrator.launching.launch.launch", lambda options, _: asked.append(options) or 1)
    with open_store(url, upgrade=True) as store:
        launch(store, JOBS, failing=JOBS[1:])
        commanded(store, "robustsweep launch 'my space.yaml' --home sweeps --set model.theta=0.9 --executor inline")
    with pytest.raises(Exit) as ended:
        retry("small", home=tmp_path)
    (options,) = asked
    assert (ended.value.exit_code, options.space, options.overrides, options.executor) == (
        1,
        "my space.yaml",
        ("model.theta=0.9",),
        "inline",
    )
    assert options.paths.store_url == url
    again = f"again: robustsweep launch 'my space.yaml' --set model.theta=0.9 --executor inline --home {tmp_path}"
    assert f"sweep small: 1 failed jobs; {again}" in capsys.readouterr().out


def test_retry_says_where_there_is_nothing_to_retry_or_no_command(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(url, upgrade=True) as store:
        launch(store, JOBS, failing=JOBS[1:])
        with pytest.raises(UserError, match=r"^retry small: the command that launched it was not recorded"):
            retry("small", home=tmp_path)
        launch(store, JOBS)
    retry("small", home=tmp_path)
    assert "no job has failed; there is nothing to retry" in capsys.readouterr().out
