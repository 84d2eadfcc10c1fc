"""A whole sweep whose artifacts are in an object store, by an S3-like server, as a user runs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import robustsweep, rows, stored_flags, write_space
from tests.object_store import BUCKET, s3_server

pytestmark = pytest.mark.slow
PLACE = f"s3://{BUCKET}/lab/first"
SMALL = """
data: {name: digits, train_examples: 48}
model: {width: 2, theta: [1.0, 0.8]}
training: {epochs: 1, batch_size: 24}
evaluation: {examples: 10, batch_size: 5}
attacks: [{attack: fgsm, epsilon: 8/255, knowledge: [randomized, omniscient]}]
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


def test_a_sweep_on_ray_leaves_its_artifacts_there_and_its_rows_are_those_of_artifacts_on_disk(tmp_path: Path, s3: dict[str, str]) -> None:
    disk, away = tmp_path / "disk", tmp_path / "away"
    for folder in (disk, away):
        folder.mkdir()
        write_space(folder, SMALL)
    assert robustsweep("launch", "tiny.yaml", "--executor", "inline", cwd=disk).returncode == 0
    place = {**s3, "ROBUSTSWEEP_ARTIFACTS": PLACE}
    done = robustsweep("launch", "tiny.yaml", "--workers", "2", cwd=away, env=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (rows(away), stored_flags(away)) == (rows(disk), stored_flags(disk))
    assert {path.name for path in (away / "sweeps").iterdir()} <= {"results.db", "results.db-wal", "results.db-shm"}
    assert "nothing to do" in robustsweep("launch", "tiny.yaml", "--artifacts", PLACE, cwd=away, env=s3).stdout
    checked = robustsweep("db", "check", "--files", cwd=away, env=place)
    assert "artifacts: ok" in checked.stdout, checked.stdout
    key = next(iter(stored_flags(away)))
    shown = robustsweep("show", key, cwd=away, env=place).stdout
    assert f"{PLACE}/{key}\n" in shown
    assert f"python -m workers {key}.json --artifacts {PLACE}" in shown
    assert "artifacts:" in robustsweep("db", "prune", "--sweep", "tiny", "--yes", cwd=away, env=place).stdout
    assert "nothing to remove" in robustsweep("db", "prune", "--orphans", "--yes", cwd=away, env=place).stdout


def test_a_bucket_that_is_not_there_is_one_line_and_nothing_is_started(tmp_path: Path, s3: dict[str, str]) -> None:
    done = robustsweep(
        "launch", write_space(tmp_path, SMALL), "--artifacts", "s3://nosuchbucket/x", "--executor", "inline", cwd=tmp_path, env=s3
    )
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stdout + done.stderr
