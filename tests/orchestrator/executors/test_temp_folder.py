import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from orchestrator.executors.ray_tune.temp_folder import temp_folder

_HOLD = """
import sys
from orchestrator.executors.ray_tune.temp_folder import temp_folder
with temp_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def _aged(folder: Path) -> Path:
    os.utime(folder, (0, 0))
    return folder


def test_the_folder_of_a_killed_process_goes_with_the_next_and_a_living_ones_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    theirs = _aged(Path(holder.stdout.readline().strip()))
    with temp_folder():
        assert theirs.is_dir()
    holder.kill()
    holder.wait()
    _aged(theirs)
    with temp_folder() as ours:
        assert not theirs.exists()
        assert ours.is_dir()
    assert list(tmp_path.iterdir()) == []
    holder.stdin.close()
    holder.stdout.close()
