from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import TINY, robustsweep, write_space

SURFACES = "surfaces:\n  - {resolution: 3}\n"
BROKEN = """
variants:
  - {}
  - {model: {theta: 1.0}, training: {learning_rate: 1.0e+18}, attacks: [{attack: fgsm, epsilon: 8/255}], surfaces: []}
"""


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `sweeps` is the home of a real sweep, `tiny`: of its three models one could not be trained."""
    folder = tmp_path_factory.mktemp("dashboard")
    space = write_space(folder, TINY + SURFACES + BROKEN)
    done = robustsweep("launch", space, "--executor", "inline", "--max-failures", "0", cwd=folder)
    assert done.returncode == 1, done.stderr
    return folder


@pytest.fixture
def home(swept: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of that sweep, named in the environment as the command does."""
    import streamlit

    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(swept / "sweeps"))
    monkeypatch.delenv("ROBUSTSWEEP_STORE", raising=False)
    monkeypatch.delenv("ROBUSTSWEEP_DATA", raising=False)
    yield swept / "sweeps"
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()
