from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.judging import Account, account
from tests.faults.sweeps import Sweep, Watch
from tests.faults.table import note

Judge = Callable[..., Account]


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """The sweep that nothing disturbs."""
    sweep = Sweep.make(tmp_path_factory.mktemp("quiet"))
    sweep.run_quietly()
    return sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """The sweep that something will disturb."""
    return Sweep.make(tmp_path)


@pytest.fixture
def watch(sweep: Sweep) -> Iterator[Watch]:
    with Watch(sweep) as watching:
        yield watching


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """Hold a sweep that has run to its end against the quiet one, note what was found for the table, and insist that no harm was done."""

    def judged(faults: str | dict[str, int], sweep: Sweep, quiet: Sweep, watch: Watch, *, outcome: str, clock: bool = True) -> Account:
        found = account(sweep, quiet, watch, clock=clock)
        for fault, tries in ({faults: 1} if isinstance(faults, str) else faults).items():
            note(fault, request.node.nodeid, found, outcome=outcome, tries=tries)
        assert found == Account(lost=[], repeated=[], left=[]), (sweep.folder / "launch.log").read_text()
        return found

    return judged
