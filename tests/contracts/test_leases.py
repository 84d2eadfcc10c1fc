"""One driver per sweep: who has the lease, who loses it, and that who lost it writes nothing more."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from rich.console import Console
from sqlalchemy import select, update

from orchestrator.driver import lease_wait as leasing
from orchestrator.driver.lease_wait import this_driver, wait_for_lease
from orchestrator.store import Store, end_driving, heartbeat, launch_sweep, record_failure, record_result, start_attempt, sweep_status
from orchestrator.store.leases.leases import Driver, Lease, LeaseLost, LeaseTaken, holder_of
from orchestrator.store.schema.base import utc_now
from orchestrator.store.schema.sweep_tables import AttemptRecord, SweepRecord
from orchestrator.store.writing.driver_lease import plan_again
from orchestrator.store.writing.record import add_jobs, record_search
from orchestrator.tables.status_table import render_status
from tests.builders import evaluate_job, result_of, small_plan
from tests.commands import environment
from tests.stored import begin_driving, content, record_sweep, silence
from workers.errors import UserError

JOBS = small_plan()
ELSEWHERE = Driver(host="elsewhere", pid=42)

CONTENDER = """
import json, sys
from orchestrator.driver.lease_wait import this_driver
from orchestrator.store import launch_sweep, open_store
from orchestrator.store.leases.leases import LeaseTaken, holder_of
from tests.builders import small_plan

with open_store(sys.argv[1], upgrade=True) as store:
    seen, _ = holder_of(store, "small")
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        launch_sweep(store, name="small", space_text="", jobs=small_plan(), driver=this_driver(), seen=seen)
        print("won", flush=True)
    except LeaseTaken:
        print("lost", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def short_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "WATCH_SECONDS", 0.2)
    monkeypatch.setattr(leasing, "_LOOK_SECONDS", 0.01)


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=200)


@pytest.fixture
def lease(store: Store) -> Lease:
    return take(store)


def take(store: Store, driver: Driver = ELSEWHERE) -> Lease:
    seen, _ = holder_of(store, "small")
    return launch_sweep(store, name="small", space_text="", jobs=JOBS, driver=driver, seen=seen)


def test_of_processes_that_launch_at_the_same_moment_exactly_one_has_the_sweep(url: str, store: Store) -> None:
    command = [sys.executable, "-c", CONTENDER, url]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment()}
    processes = [subprocess.Popen(command, **options) for _ in range(4)]  # type: ignore[call-overload]
    try:
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.stdout.readline().strip() for process in processes]
        assert sorted(said) == ["lost", "lost", "lost", "won"]
        assert sweep_status(store, "small")[0].driver_pid == processes[said.index("won")].pid
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=30)


def test_a_sweep_that_was_driven_since_it_was_looked_at_is_not_taken(store: Store) -> None:
    seen, _ = holder_of(store, "small")
    end_driving(store, take(store))
    with pytest.raises(LeaseTaken):
        launch_sweep(store, name="small", space_text="other", jobs=[], driver=ELSEWHERE, seen=seen)
    assert content(store)["sweeps"][0]["space"] == ""


def test_a_second_driver_is_told_who_holds_the_sweep_since_when_and_its_last_sign_of_life(store: Store, console: Console) -> None:
    take(store)
    told = (
        r"^sweep small: process 42 on elsewhere has been running it since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC "
        r"\(last heartbeat \d+ s ago\); wait"
    )
    with pytest.raises(UserError, match=told):
        wait_for_lease(store, "small", console)


def test_a_silent_driver_is_waited_for_and_its_sweep_is_free_if_it_stays_silent(store: Store, console: Console) -> None:
    take(store)
    start = time.monotonic()
    silence(store, "small", seconds=60)
    seen = wait_for_lease(store, "small", console)
    passed = time.monotonic() - start
    assert seen is not None
    said = re.search(r"process 42 on elsewhere never released it and is silent for (\d+) s", console.export_text())
    assert said is not None
    assert 60 <= int(said[1]) <= 60 + passed + 0.5  # a whole second, rounded
    taken = launch_sweep(store, name="small", space_text="", jobs=JOBS, driver=this_driver(), seen=seen)
    assert sweep_status(store, "small")[0].driver_pid == os.getpid()
    end_driving(store, taken)


@pytest.mark.parametrize("seconds", [60, -3600], ids=["behind", "ahead"])
def test_a_driver_whose_clock_is_wrong_shows_a_sign_of_life_and_keeps_its_sweep(
    store: Store, console: Console, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(store)
    silence(store, "small", seconds=seconds)
    monkeypatch.setattr(leasing, "sleep", lambda _: silence(store, "small", seconds=-5))
    with pytest.raises(UserError, match="process 42 on elsewhere has been running it"):
        wait_for_lease(store, "small", console)


def test_a_driver_that_was_killed_on_this_machine_is_followed_at_once(store: Store, console: Console) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        name = this_driver().process or ""
        machine = name.rsplit(":", 2)[0]
        from orchestrator.store.leases import processes

        take(store, Driver(host="here", pid=process.pid, process=f"{machine}:{process.pid}:{processes._start(process.pid)}"))
        with pytest.raises(UserError, match="has been running it"):
            wait_for_lease(store, "small", console)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and its parent has not asked yet
        assert not sweep_status(store, "small")[0].driver_alive
        seen = wait_for_lease(store, "small", console)
    launch_sweep(store, name="small", space_text="", jobs=JOBS, driver=this_driver(), seen=seen)
    assert console.export_text() == ""


def test_status_says_who_drives_and_who_died(store: Store) -> None:
    def shown() -> str:
        text = Console(record=True, width=200)
        text.print(render_status(sweep_status(store, "small")))
        return text.export_text()

    take(store)
    assert re.search(r"sweep small: running on elsewhere, process 42, since .* UTC \(last heartbeat \d+ s ago\)", shown())
    silence(store, "small", seconds=60)
    assert re.search(r"not running, 9 jobs left; its driver died \(process 42 on elsewhere, last heartbeat .* UTC\)", shown())


def test_another_process_with_the_dead_drivers_number_does_not_keep_the_sweep(store: Store, console: Console) -> None:
    machine, pid, start = (this_driver().process or "").rsplit(":", 2)
    take(store, Driver(host="here", pid=os.getpid(), process=f"{machine}:{pid}:{int(start) - 1}"))
    assert wait_for_lease(store, "small", console) is not None


def write_all(store: Store, lease: Lease) -> Iterator[tuple[str, Callable[[], object]]]:
    job = JOBS[0]
    yield "heartbeat", lambda: heartbeat(store, lease)
    yield "start_attempt", lambda: start_attempt(store, "small", job.key, lease=lease)
    yield "record_result", lambda: record_result(store, job, result_of(job), attempt_id=None, lease=lease)
    yield "record_failure", lambda: record_failure(store, job.key, attempt_id=None, error="", traceback="", final=True, lease=lease)
    yield "record_search", lambda: record_search(store, name="small", space_text="late", keys=[], lease=lease)
    yield "add_jobs", lambda: add_jobs(store, "small", [evaluate_job(job, repeat=77)], lease=lease)
    yield "plan_again", lambda: plan_again(store, lease)
    yield "end_driving", lambda: end_driving(store, lease)


def test_a_driver_that_lost_its_lease_writes_nothing_and_is_told_who_has_it(store: Store, lease: Lease) -> None:
    silence(store, "small", seconds=60)
    take(store, this_driver())
    before = content(store)
    for name, call in write_all(store, lease):
        with pytest.raises(LeaseLost, match=rf"process {os.getpid()} on .* took it over at .* UTC, while this driver was silent$"):
            call()
        assert content(store) == before, name


def test_a_lease_is_lost_too_once_the_one_who_took_over_has_left(store: Store, lease: Lease) -> None:
    end_driving(store, take(store, this_driver()))
    with pytest.raises(LeaseLost, match=f"process {os.getpid()} on"):
        heartbeat(store, lease)


def test_a_lease_holds_for_every_write_and_for_one_sweep_only(store: Store, lease: Lease) -> None:
    record_sweep(store, name="other", space_text="", jobs=JOBS[:1])
    begin_driving(store, "other", "host", 1)
    for _, call in write_all(store, lease):
        call()
    assert [status.driver_alive for status in sweep_status(store, None)] == [True, False]


def test_attempts_end_no_earlier_than_they_began_whatever_the_clock_says(store: Store, lease: Lease) -> None:
    start_attempt(store, "small", JOBS[0].key, started_at=utc_now() + timedelta(hours=1), lease=lease)
    end_driving(store, lease)
    with store.reading() as connection:
        began, ended = connection.execute(select(AttemptRecord.started_at, AttemptRecord.finished_at)).one()
    assert began == ended


def test_an_attempt_that_is_begun_twice_is_one(store: Store, lease: Lease) -> None:
    at = utc_now()
    first = start_attempt(store, "small", JOBS[0].key, started_at=at, lease=lease)
    assert start_attempt(store, "small", JOBS[0].key, started_at=at, lease=lease) == first
    assert start_attempt(store, "small", JOBS[0].key, started_at=at + timedelta(seconds=1), lease=lease) != first


def test_a_sweep_that_was_pruned_under_a_frozen_driver_says_so(store: Store, lease: Lease) -> None:
    with store.writing() as connection:
        connection.execute(update(SweepRecord).values(name="renamed"))
    with pytest.raises(LeaseLost, match=r"^sweep small: it is no longer in the database$"):
        heartbeat(store, lease)


def test_heartbeats_and_ages_are_by_the_clock_of_postgresql(postgres_url: str) -> None:
    code = """
import json, sys
from datetime import timedelta
import orchestrator.store.schema.base as columns
now = columns.utc_now
columns.utc_now = lambda: now() + timedelta(hours=float(sys.argv[2]))
from orchestrator.store import heartbeat, open_store, sweep_status
from tests.stored import begin_driving, record_sweep
with open_store(sys.argv[1], upgrade=True) as store:
    record_sweep(store, name="small", space_text="", jobs=[])
    heartbeat(store, begin_driving(store, "small", "host", 1))
    print(json.dumps(sweep_status(store, "small")[0].silent_seconds))
"""
    from orchestrator.store import open_store

    for hours in (-5, 5):
        command = [sys.executable, "-c", code, postgres_url, str(hours)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, timeout=60)
        assert json.loads(done.stdout) < 30
        with open_store(postgres_url, upgrade=False) as store:
            assert sweep_status(store, "small")[0].driver_alive
