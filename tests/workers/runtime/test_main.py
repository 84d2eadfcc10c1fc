import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import evaluate_job, pretrain_job
from tests.kept_files import job_folder, kept
from tests.workers.runtime.chain import FULL, MODEL, run_all, train_job
from workers.__main__ import main
from workers.artifacts.artifacts import Artifacts
from workers.spec.job import JOB
from workers.spec.training import TrainingSpec

ROOT = Path(__file__).parents[3]
DIVERGING = train_job(training=TrainingSpec(epochs=2, batch_size=20, learning_rate=1e30))
EVALUATE = evaluate_job(MODEL, examples=20)


def workers(*arguments):
    command = [sys.executable, "-m", "workers", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def run_job(job, folder):
    """`python -m workers` on a job file of its own."""
    path = folder / "job.json"
    path.write_bytes(JOB.dump_json(job))
    return workers(path, "--artifacts", folder / "artifacts")


def one_line(text):
    return text.endswith("\n") and text.count("\n") == 1 and "Traceback" not in text


def test_a_job_file_gives_the_result_that_the_same_job_has_in_process(tmp_path):
    done = run_all([FULL, MODEL, EVALUATE], tmp_path / "in process")
    run_all([FULL, MODEL], tmp_path / "artifacts")
    ended = run_job(EVALUATE, tmp_path)
    result = Artifacts(tmp_path / "artifacts").result(EVALUATE.key)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert result.outcome == done[EVALUATE].outcome
    assert [line for line in ended.stdout.splitlines() if not line.endswith(" of 20 examples")] == [
        f"{result.outcome.n_correct} of 20 examples right",
        f"job {EVALUATE.key} (evaluate): done in {result.seconds:.1f} s, see {job_folder(tmp_path / 'artifacts', EVALUATE.key)}",
    ]


@pytest.mark.slow
def test_several_draws_are_counted_by_evaluations(tmp_path):
    job = evaluate_job(MODEL, examples=20, draws=3)
    run_all([FULL, MODEL], tmp_path / "artifacts")
    ended = run_job(job, tmp_path)
    right = Artifacts(tmp_path / "artifacts").result(job.key).outcome.n_correct
    assert f"{right} of 60 evaluations (20 examples, 3 draws) right" in ended.stdout.splitlines()


@pytest.mark.parametrize("seconds", ["-1", "nan", "soon"])
def test_a_time_between_saves_that_is_none_exits_with_2(tmp_path, seconds):
    ended = workers(tmp_path / "job.json", "--artifacts", tmp_path, "--save-seconds", seconds)
    assert ended.returncode == 2
    assert "--save-seconds" in ended.stderr


@pytest.mark.slow
def test_training_prints_its_epochs(tmp_path):
    ended = run_job(FULL, tmp_path)
    assert ended.returncode == 0
    assert [line.split(":")[0] for line in ended.stdout.splitlines()[:2]] == ["epoch 1", "epoch 2"]
    assert kept(tmp_path / "artifacts", FULL.key, "model.safetensors").is_file()


@pytest.mark.slow  # quicker: tests/workers/train/test_watch.py
def test_a_diverging_training_exits_with_1_and_one_line(tmp_path):
    ended = run_job(DIVERGING, tmp_path)
    assert ended.returncode == 1
    assert one_line(ended.stderr)
    assert ended.stderr.startswith(f"workers: job {DIVERGING.key} failed: epoch ")


def test_a_missing_parent_exits_with_2_and_one_line_that_names_it(tmp_path):
    ended = run_job(EVALUATE, tmp_path)
    assert ended.returncode == 2
    assert one_line(ended.stderr)
    assert MODEL.key in ended.stderr


def test_a_data_set_that_is_not_there_exits_with_2_and_one_line(tmp_path):
    ended = run_job(pretrain_job(dataset="cifar10"), tmp_path)
    assert ended.returncode == 2
    assert one_line(ended.stderr)
    assert ended.stderr.startswith("workers: cifar10: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a job: Invalid JSON"),
        (b"\xff\xfe{", "not a job: Invalid JSON"),
        (b"[]", "not a job: Input should be an object"),
        (b'{"spec": {"stage": "train"}}', "not a job: spec: Input tag 'train'"),
        (
            JOB.dump_json(FULL).replace(b'"theta":1.0', b'"theta":1.3'),
            r"not a job: spec.pretrain.model.theta: Value error, must be in (0, 1]",
        ),
        (b'{"a":' * 5000, "not a job: Invalid JSON"),
        (b'{"code": 3}', "not a job: code: must be a list of digest and place"),
        (b'{"code": {"x": 1}}', "not a job: code: must be a list of digest and place"),
        (JOB.dump_json(FULL).replace(b'"theta"', b'"thetta"'), "not a job: spec.pretrain.model.thetta: Extra inputs"),
    ],
)
def test_what_is_no_job_exits_with_2_and_one_line_that_names_file_and_field(tmp_path, content, message):
    path = tmp_path / "job.json"
    path.write_bytes(content)
    ended = workers(path, "--artifacts", tmp_path)
    assert ended.returncode == 2
    assert one_line(ended.stderr)
    assert f"workers: {path}: {message}" in ended.stderr


@pytest.mark.parametrize(("name", "reason"), [("none.json", "No such file or directory"), (".", "Is a directory")])
def test_an_unreadable_job_file_exits_with_2_and_one_line(tmp_path, name, reason):
    ended = workers(tmp_path / name, "--artifacts", tmp_path)
    assert (ended.returncode, ended.stderr) == (2, f"workers: {tmp_path / name}: {reason}\n")


@pytest.mark.parametrize("parent", ["\0", "../job", "", "no key", "a" * 5000])
def test_a_parent_that_is_no_key_exits_with_2_and_one_line(tmp_path, parent, capsys, monkeypatch):
    path = tmp_path / "job.json"
    path.write_bytes(JOB.dump_json(EVALUATE.model_copy(update={"parents": {"model": parent}})))
    monkeypatch.setattr(sys, "argv", ["workers", str(path), "--artifacts", str(tmp_path / "artifacts")])
    assert main() == 2
    assert one_line(capsys.readouterr().err)


@pytest.mark.parametrize("threads", ["0", "-1", "many"])
def test_a_number_of_threads_that_is_none_exits_with_2(threads, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["workers", "job.json", "--artifacts", "artifacts", "--threads", threads])
    with pytest.raises(SystemExit, match=r"^2$"):
        main()
    assert "--threads" in capsys.readouterr().err
