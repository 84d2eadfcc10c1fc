"""`robustsweep show` as a user runs it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.store import open_store
from tests.builders import attack_job, pretrain_job, small_plan
from tests.commands import environment, robustsweep, stored_flags, write_space
from tests.kept_files import job_folder, kept
from tests.stored import launch, leave_artifacts
from workers.spec.job import JOB

JOBS = small_plan()
MODEL, ATTACK = JOBS[1], JOBS[4]
ONE_NET = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: 1.0}
training: {epochs: 1, batch_size: 32}
evaluation: {examples: 12, batch_size: 6}
attacks: [{attack: fgsm, epsilon: 8/255}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store of one sweep, and its artifacts."""
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True) as store:
        launch(store, JOBS)
    leave_artifacts(JOBS, tmp_path / "sweeps" / "artifacts")
    return tmp_path


def shown(folder: Path, key: str, *options: str) -> str:
    done = robustsweep("show", key, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown_json(folder: Path, key: str, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown(folder, key, "-f", "json", *options))
    return found


def test_a_job_is_shown_whole_by_the_first_digits_of_its_key(folder: Path) -> None:
    text = shown(folder, ATTACK.key[:6])
    assert text.startswith(
        f"attack job {ATTACK.key}\n  fgsm 8/255 randomized, repeat 0: done\n"
        "  in sweep small: fgsm 8/255 randomized, repeat 0, on theta 0.8\n"
    )
    for expected in (
        "    epsilon_literal: 8/255\n",
        f"  {MODEL.key[:12]}  fine_tune: resnet18 width 4 rank 0.5 theta 0.8 on digits, seed 0 (done, role model)\n",
        "  1. done: 20",
        "  accuracy: 50.00% (95 % interval 25.89% to 74.11%)\n",
        "  localhost, cpu, 1 thread\n",
        "  result.json: ",
    ):
        assert expected in text


def test_json_has_what_the_text_has_and_names_missing_files(folder: Path) -> None:
    artifact = job_folder(folder / "sweeps" / "artifacts", MODEL.key)
    weights = kept(artifact.parent, MODEL.key, "weights.bin")
    weights.unlink()
    found = shown_json(folder, MODEL.key[:6])
    assert found["spec"] == MODEL.spec.model_dump(mode="json")
    assert found["artifact"]["folder"] == str(artifact)
    assert found["artifact"]["files"][weights.name] is None
    assert found["artifact"]["files"]["result.json"] == (artifact / "result.json").stat().st_size
    assert len(found["children"]) == 7
    assert f"{weights.name}: MISSING" in shown(folder, MODEL.key[:6])


def test_names_and_messages_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    job = pretrain_job()
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True) as store:
        launch(store, [job], name="\x1b[2Jsweep", failing=[job])
    text = shown(tmp_path, job.key[:6])
    assert "\x1b" not in text
    assert r"\x1b[2Jsweep" in text
    assert "JobError: boom" in text


def test_only_the_first_of_many_children_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    model = pretrain_job()
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True) as store:
        launch(store, [model, *(attack_job(model, repeat=repeat) for repeat in range(25))])
    assert "and 5 more: -f json has all" in shown(tmp_path, model.key)
    assert len(shown_json(tmp_path, model.key)["children"]) == 25


def test_the_job_file_is_the_one_that_workers_run(folder: Path) -> None:
    text = shown(folder, ATTACK.key[:6], "-f", "job")
    assert JOB.validate_json(text) == ATTACK
    assert text.strip() == (job_folder(folder / "sweeps" / "artifacts", ATTACK.key) / "job.json").read_text().strip()


def test_a_data_set_of_files_is_named_in_the_command(tmp_path: Path) -> None:
    job = pretrain_job(dataset="cifar10")
    with open_store(f"sqlite:///{tmp_path}/sweeps/results.db", upgrade=True) as store:
        launch(store, [job])
    assert "# add --data DIR: where cifar10 is" in shown(tmp_path, job.key)
    again = shown_json(tmp_path, job.key, "--data", "my data")["run_alone"]
    assert f"--data '{tmp_path}/my data'" in again["command"]
    assert not any("--data" in line for line in again["before"])


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.slow
def test_the_printed_lines_compute_the_job_again(tmp_path: Path, *, gone: bool) -> None:
    done = robustsweep("launch", write_space(tmp_path, ONE_NET), "--executor", "inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (key,) = [key for key in stored_flags(tmp_path) if "fgsm" in shown(tmp_path, key)]
    artifact = job_folder(tmp_path / "sweeps" / "artifacts", key)
    before = (artifact / "result.json").read_text()
    if gone:
        shutil.rmtree(artifact)
    block = shown(tmp_path, key).split("run it alone\n")[1]
    program = f'robustsweep() {{ {sys.executable} -m orchestrator.cli.main "$@"; }}\nset -e\n{block}'
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", program], cwd=tmp_path, env=environment(path), capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "right\n" in ran.stdout
    after = (artifact / "result.json").read_text()
    assert after != before  # it took another time
    assert json.loads(after)["outcome"] == json.loads(before)["outcome"]
