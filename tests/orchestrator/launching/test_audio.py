import os
from pathlib import Path

import pytest

from tests.commands import robustsweep, rows

DATA = Path(os.environ.get("ROBUSTSWEEP_DATA", "/nonexistent"))
HAS_SPEECH = (DATA / "SpeechCommands" / "speech_commands_v0.02" / "resplit_testing_list.txt").is_file()
SMALLER = ["model.width=2", "training.epochs=1", "fine_tuning.epochs=1", "evaluation.examples=24", "evaluation.repeats=1"]


def launched(space: str, cwd: Path, *more: str, env: dict[str, str] | None = None) -> None:
    overrides = [word for override in (*SMALLER, *more) for word in ("--set", override)]
    done = robustsweep("launch", space, "--executor", "inline", *overrides, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not HAS_SPEECH, reason="ROBUSTSWEEP_DATA names no data root with Speech Commands and its resplit lists")
def test_the_speech_space_runs_on_the_real_clips(tmp_path: Path) -> None:
    launched("speech-smoke", tmp_path, "data.train_examples=120", env={"ROBUSTSWEEP_DATA": str(DATA)})
    found = rows(tmp_path, "speech-smoke")
    assert {(row["dataset"], row["model"], row["epsilon_literal"]) for row in found} >= {("speech_commands", "soundnet5", "0.008")}
    assert len(found) == 2 * 3


@pytest.mark.parametrize("model", [pytest.param("soundnet5", marks=pytest.mark.slow), "logmel"])
def test_the_tones_space_runs_without_data(tmp_path: Path, model: str) -> None:
    launched("tones-smoke", tmp_path, "data.train_examples=64", f"model.name={model}")
    assert len(rows(tmp_path, "tones-smoke")) == 2 * 5


@pytest.mark.skipif(not HAS_SPEECH, reason="ROBUSTSWEEP_DATA names no data root with Speech Commands and its resplit lists")
def test_more_examples_than_the_files_hold_are_refused_before_anything_runs(tmp_path: Path) -> None:
    command = ["launch", "speech-smoke", "--set", "evaluation.examples=5000", "--data", str(DATA)]
    done = robustsweep(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert "evaluation.examples=5000: must be at most 318, the size of speech_commands's test split" in done.stderr
    assert "Traceback" not in done.stderr


def test_speech_without_data_is_one_line(tmp_path: Path) -> None:
    done = robustsweep("launch", "speech-smoke", cwd=tmp_path)
    assert done.returncode == 2
    assert "speech_commands: no data folder given" in done.stderr
    assert robustsweep("plan", "speech-smoke", cwd=tmp_path).returncode == 0
