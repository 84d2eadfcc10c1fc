from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.sweeps import Sweep, Watch


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
