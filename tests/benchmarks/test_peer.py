"""A small table 1 against the script that a user would write for it (`peer_sweep.py`): wall time, both from a shell, in turn."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.conftest import Record
from tests.commands import PROGRAM, environment, rows, write_space

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
SETTINGS = {
    "width": 8,
    "rank": 0.5,
    "thetas": [1.0, 0.95, 0.9],
    "train_examples": 512,
    "batch_size": 64,
    "epochs": 2,
    "fine_tuning_epochs": 1,
    "examples": 40,
    "attack_batch": 20,
    "epsilons": [[8 / 255, 10]],  # with the paper's number of steps
    "repeats": 2,
    "workers": 2,
}
SPACE = """
data: {name: digits, train_examples: 512}
model: {width: 8, rank_fraction: 0.5, theta: [1.0, 0.95, 0.9]}
training: {epochs: 2, batch_size: 64, learning_rate: 0.1}
fine_tuning: {epochs: 1, learning_rate: 0.05}
evaluation: {examples: 40, batch_size: 20, repeats: 2, draws: 1}
attacks: [{attack: [fgsm, bim, pgd], epsilon: 8/255}]
"""


def test_a_small_table_1_against_the_script_of_a_user(tmp_path: Path, record: Record) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({**SETTINGS, "storage": str(tmp_path / "tune")}))
    write_space(tmp_path, SPACE)
    commands = {
        "peer": [sys.executable, "-m", "tests.benchmarks.peer_sweep", "settings.json", "peer.json"],
        "ours": [*PROGRAM, "launch", "tiny.yaml", "--workers", "2"],
    }
    seconds = {}
    env = environment({"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"})
    for name, command in commands.items():
        start = time.perf_counter()
        subprocess.run(command, cwd=tmp_path, env=env, check=True, stdout=subprocess.DEVNULL)
        seconds[name] = time.perf_counter() - start
    theirs = json.loads((tmp_path / "peer.json").read_text())
    assert len(theirs) == len(SETTINGS["thetas"]) * 3 * 2  # type: ignore[arg-type]
    assert len(rows(tmp_path)) == len(SETTINGS["thetas"]) * 3  # type: ignore[arg-type]
    reference = f"Ray Tune, TensorLy-Torch and Foolbox by hand, {seconds['peer']:.0f} s; ours {seconds['ours']:.0f} s, on two workers"
    record("a small table 1, wall time", seconds["ours"] / seconds["peer"], asked="<= 0.5", reference=reference)
