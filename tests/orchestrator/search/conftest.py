from pathlib import Path

import pytest

from tests.orchestrator.search.synthetic import Laboratory


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path, f"sqlite:///{tmp_path / 'results.db'}")
