"""Drivers in processes of their own on every store: two at once, killed, frozen, with a clock that is set. No job is recorded twice."""

import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.store import finished_keys, open_store, sweep_status
from orchestrator.store.leases.leases import holder_of
from tests.driving import JOBS, Place, assert_sound, attempts_of, undisturbed, wait_for
from tests.faults.judging import Judge, Kept

_ALIVE_SECONDS = 3
QUICK = ("--alive", str(_ALIVE_SECONDS))


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return undisturbed(tmp_path_factory.mktemp("quiet"))


@pytest.fixture
def place(url: str, tmp_path: Path) -> Iterator[Place]:
    with Place(tmp_path, url) as found:
        yield found


@pytest.mark.parametrize("url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
@pytest.mark.fault("two drivers", outcome="one computes, the other says who, and exits")
def test_of_drivers_that_are_started_together_one_computes_and_the_others_say_who(place: Place, quiet: Kept, judge: Judge) -> None:
    drivers = [place.drive() for _ in range(3)]
    printed = [driver.communicate(timeout=200)[0] for driver in drivers]
    codes = Counter(driver.returncode for driver in drivers)
    assert codes[0] >= 1, printed
    for driver, text in zip(drivers, printed, strict=True):
        if driver.returncode != 0:
            assert driver.returncode == 2, text
            assert text.startswith("robustsweep: sweep tiny: process ")
            assert len(text.splitlines()) == 1
    assert sum("jobs done in" in text for text in printed) == 1
    assert set(place.computed().values()) == {1}
    with open_store(place.url, upgrade=False) as store:
        assert_sound(store)
    judge(place, quiet, place.watch)


@pytest.mark.parametrize("url", [pytest.param("sqlite", marks=pytest.mark.slow), "postgresql"], indirect=True)
def test_a_killed_driver_is_followed_at_once(place: Place) -> None:
    place.allow(4)
    first = place.drive()
    wait_for(lambda: place.recorded() == 4)
    first.kill()
    first.communicate(timeout=30)
    place.allow(2 * JOBS)
    finished = {path.parent.name for path in place.folder.glob("artifacts/*/*/result.json")}
    printed = place.said(place.drive(), code=0)
    assert "for a heartbeat" not in printed
    again = [key for key, times in place.computed().items() if times > 1]
    assert set(again).isdisjoint(finished)
    with open_store(place.url, upgrade=False) as store:
        assert_sound(store)


def silence(place: Place) -> timedelta:
    """Time since the driver's last heartbeat."""
    with open_store(place.url, upgrade=False) as store:
        holder, now = holder_of(store, "tiny")
    assert holder is not None
    assert holder.heartbeat_at is not None
    return now - holder.heartbeat_at


@pytest.mark.fault("driver frozen, then thawed", outcome="another has taken over; it says so and writes nothing")
@pytest.mark.slow
def test_a_frozen_driver_that_thaws_says_who_took_over_and_writes_nothing(place: Place, quiet: Kept, judge: Judge) -> None:
    place.allow(4)
    frozen = place.drive(*QUICK)
    wait_for(lambda: place.recorded() == 4)
    frozen.send_signal(signal.SIGSTOP)
    wait_for(lambda: silence(place) > timedelta(seconds=_ALIVE_SECONDS))  # a fresh heartbeat would have the heir refused
    heir = place.drive(*QUICK)
    wait_for(lambda: place.drives(heir))
    with open_store(place.url, upgrade=False) as store:
        place.allow(7)
        wait_for(lambda: place.recorded() == 7)
        frozen.send_signal(signal.SIGCONT)
        printed = place.said(frozen, code=1)
        assert printed.splitlines()[-1].startswith(f"sweep tiny: process {heir.pid} on ")
        assert "took it over at" in printed.splitlines()[-1]
        place.allow(2 * JOBS)
        said = place.said(heir, code=0)
        assert f"process {frozen.pid} on" in said.splitlines()[0]
        assert_sound(store)
        assert {tuple(outcomes) for outcomes in attempts_of(store).values()} <= {("done",), ("interrupted", "done")}
    judge(place, quiet, place.watch)


@pytest.mark.fault("clock of a driver set back", outcome="it keeps its sweep; no attempt ends before it began")
@pytest.mark.slow
def test_a_driver_whose_clock_is_set_back_keeps_its_sweep_and_no_attempt_ends_before_it_began(
    place: Place, quiet: Kept, judge: Judge
) -> None:
    place.allow(3)
    driver = place.drive(*QUICK, "--clock", "-5")
    wait_for(lambda: place.recorded() == 3)
    (place.folder / "step").touch()
    refused = place.said(place.drive(*QUICK), code=2)
    assert f"process {driver.pid} on" in refused
    assert "has been running it since" in refused
    place.allow(JOBS)
    place.said(driver, code=0)
    with open_store(place.url, upgrade=False) as store:
        assert_sound(store)
    judge(place, quiet, place.watch, clock=False)


@pytest.mark.slow
def test_two_sweeps_of_the_same_jobs_run_side_by_side_and_every_result_is_recorded_once(place: Place) -> None:
    place.allow(3)
    drivers = [place.drive(sweep=name) for name in ("tiny", "other")]
    wait_for(lambda: place.recorded() >= 2)
    place.allow(10 * JOBS)
    for driver in drivers:
        assert "jobs" in place.said(driver, code=0)
    with open_store(place.url, upgrade=False) as store:
        outcomes = attempts_of(store).values()
        assert len(finished_keys(store)) == JOBS
        assert {outcome for job in outcomes for outcome in job} <= {"done", "interrupted"}
        assert not any(status.driver_alive for status in sweep_status(store, None))
