"""Options of a launch that choose jobs, and that notify when it has ended."""

import io
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from rich.console import Console

from orchestrator.driver.sweep_run import SweepRun
from orchestrator.launching import launch as launch_module
from orchestrator.launching.launch import LaunchOptions, launch
from orchestrator.launching.preview import preview_plan
from orchestrator.paths import Paths
from tests.builders import result_of
from tests.commands import TINY_JOBS, write_space
from workers.errors import StorageError, UserError
from workers.spec.job import Job

JOBS = sum(TINY_JOBS.values())


def launched(folder: Path, **options: Any) -> tuple[int, list[Job], str]:
    """Launch in this process, without computing anything; the exit code, the jobs that were run, and what was printed."""
    paths, ran = Paths.resolve(home=folder / "home", store=None), []

    class Executor:
        def execute(self, sweep: SweepRun) -> None:
            while (job := sweep.take()) is not None:
                sweep.begin(job)
                attempt = paths.artifacts.folder(job.key, attempt="test")
                attempt.begin(job)
                attempt.commit(result_of(job))
                sweep.succeed(job)
                ran.append(job)

    printed = io.StringIO()
    asked = LaunchOptions(str(write_space(folder)), paths, executor=lambda *_: Executor(), **options)
    return launch(asked, Console(file=printed, width=200)), ran, printed.getvalue()


def test_only_runs_the_job_that_is_named_and_what_it_needs(tmp_path: Path) -> None:
    _, plan = preview_plan(str(write_space(tmp_path)), (), Paths.resolve(home=tmp_path / "home", store=None))
    chosen = next(job for job in plan.jobs if job.stage == "attack" and set(job.parents) == {"model"})
    code, ran, printed = launched(tmp_path, only=[chosen.key[:8]])
    assert (code, ran[-1].key) == (0, chosen.key)
    assert {job.stage for job in ran[:-1]} <= {"pretrain", "fine_tune"}
    assert f"{len(ran)} of {JOBS} jobs to run, by --only: pretrain" in printed
    code, ran, printed = launched(tmp_path, only=[chosen.key[:8]])
    assert (code, ran) == (0, [])
    assert "nothing to do, what --only names is done" in printed


def test_artifacts_that_cannot_be_written_stop_a_launch_before_its_jobs_but_not_one_without_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "home" / "artifacts"
    place.parent.mkdir()
    place.write_text("a file")
    with pytest.raises(StorageError, match=rf"^{place}/\.databases/\w+: not a directory$"):
        launched(tmp_path)
    place.unlink()
    assert launched(tmp_path)[0] == 0
    monkeypatch.setattr(launch_module, "mark_owner", Mock(side_effect=StorageError("read-only file system")))
    code, ran, printed = launched(tmp_path)
    assert (code, ran) == (0, [])
    assert "nothing to do" in printed


def test_only_refuses_a_key_of_no_job_and_of_several(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--only zzzz: no job of this space has such a key; `robustsweep plan SPACE --jobs` lists them$"):
        launched(tmp_path, only=["zzzz"])
    with pytest.raises(UserError, match=r"^--only '': no job of this space"):
        launched(tmp_path, only=[""])
    _, plan = preview_plan(str(write_space(tmp_path)), (), Paths.resolve(home=tmp_path / "home", store=None))
    firsts = [job.key[0] for job in plan.jobs]
    several = next(digit for digit in firsts if firsts.count(digit) > 1)
    with pytest.raises(UserError, match=f"^--only {several}: begins [0-9]+ keys of this space's jobs; give more digits"):
        launched(tmp_path, only=[several])


def test_at_the_end_a_command_notifies_and_the_next_commands_are_named(tmp_path: Path) -> None:
    told, home = tmp_path / "told", f"--home {tmp_path / 'home'}"
    asked = f'echo "$ROBUSTSWEEP_SWEEP|$ROBUSTSWEEP_EXIT_CODE|$ROBUSTSWEEP_SUMMARY" > {told}; exit 3'
    code, _, printed = launched(tmp_path, notify=asked)
    assert told.read_text().startswith(f"tiny|0|all {JOBS} jobs done in ")
    assert (code, printed.splitlines()[-1]) == (0, f"sweep tiny: --notify {asked}: ended with exit code 3")
    assert f"see: robustsweep results tiny {home}" in printed
    for command in (f"verdicts tiny {home}", f"report tiny {home}", f"dashboard {home}"):
        assert f"  robustsweep {command} " in printed
    assert "study" not in printed


def test_a_command_repeats_plugins_and_to_continue_only_and_notify(tmp_path: Path) -> None:
    paths, plugins = Paths.resolve(home=tmp_path, store=None), ("/a b/nets.py",)
    options = LaunchOptions("mine.yaml", paths, only=("3f9a",), notify="say 'done'", plugins=plugins)
    assert options.command("results", "=mine") == f"robustsweep results '=mine' --home {tmp_path} --plugin '/a b/nets.py'"
    assert "--only 3f9a" in options.command("launch", "mine.yaml")
    assert """--notify 'say '"'"'done'"'"''""" in options.command("launch", "mine.yaml")
