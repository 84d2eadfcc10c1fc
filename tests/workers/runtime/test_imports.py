import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.data.speech_root import make_root

ROOT = Path(__file__).parents[3]


def imported_by(statement):
    """The top-level packages that a fresh interpreter has loaded after a statement."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize(
    "module",
    ["workers", "workers.data", "workers.spec.job", "workers.artifacts.outcomes", "workers.artifacts.artifacts", "workers.__main__"],
)
def test_what_the_launcher_and_the_reports_need_imports_no_torch(module):
    assert imported_by(f"import {module}").isdisjoint(
        {"torch", "torchvision", "torchaudio", "foolbox", "ray", "sqlalchemy", "sklearn", "tensorly"}
    )


def test_looking_for_data_sets_and_counting_their_examples_imports_no_torch(tmp_path):
    batches = make_root(tmp_path) / "cifar-10-batches-py"
    batches.mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"):
        (batches / name).touch()
    sources = "from workers.registry import DATASETS; from workers.data.loading import DataSource; "
    sources += "sources = [DataSource(found, found.settings()) for found in DATASETS]"
    asked = f"root = Path({str(tmp_path)!r}); [(found.check(root), found.sizes(root), lacks(found, root)) for found in sources]"
    loaded = imported_by(f"from pathlib import Path; from workers.data.loading.download import lacks; {sources}; {asked}")
    assert "workers" in loaded
    assert loaded.isdisjoint({"torch", "torchvision", "torchaudio"})


def test_running_a_job_needs_neither_ray_nor_a_database():
    loaded = imported_by(
        "import workers.runtime.run, workers.runtime.stages, workers.attacks.engine, workers.models.network, workers.train, "
        "workers.measure.evaluate"
    )
    assert "torch" in loaded
    assert loaded.isdisjoint({"ray", "sqlalchemy", "alembic", "optuna", "orchestrator", "search_spaces"})
