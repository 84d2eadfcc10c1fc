import os
from pathlib import Path

import pytest

from tests.commands import robustsweep, rows

DATA = os.environ.get("ROBUSTSWEEP_DATA")
SMALLER = ["data.train_examples=100", "model.width=4", "training.epochs=1", "fine_tuning.epochs=1", "evaluation.examples=20"]


@pytest.mark.skipif(DATA is None, reason="ROBUSTSWEEP_DATA names no data root with CIFAR-10")
def test_the_cifar10_space_runs_on_the_real_images(tmp_path: Path) -> None:
    overrides = [word for override in SMALLER for word in ("--set", override)]
    done = robustsweep("launch", "cifar10-smoke", "--executor", "inline", *overrides, cwd=tmp_path, env={"ROBUSTSWEEP_DATA": str(DATA)})
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(tmp_path, "cifar10-smoke")
    assert {(row["dataset"], row["theta"], row["n_examples"]) for row in found} == {("cifar10", 1.0, 20), ("cifar10", 0.9, 20)}
    assert len(found) == 2 * 6


def test_a_truncated_file_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
        (folder / name).write_bytes(b"cut short")
    done = robustsweep(
        "launch", "cifar10-smoke", "--executor", "inline", "--max-failures", "0", cwd=tmp_path, env={"ROBUSTSWEEP_DATA": str(tmp_path)}
    )
    assert done.returncode == 1
    shown = robustsweep("status", "--failed", cwd=tmp_path).stdout
    assert "data_batch_1 is corrupt" in shown
