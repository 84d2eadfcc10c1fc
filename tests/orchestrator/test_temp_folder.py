import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.temp_folder import temp_folder
from workers.errors import UserError

_HOLD = """
import sys
from orchestrator.temp_folder import temp_folder
with temp_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files, with a path that is short enough."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="") as path:
        short = Path("/tmp", Path(path).name[:7])
        short.symlink_to(path)
        monkeypatch.setattr(tempfile, "tempdir", str(short))
        yield short
        short.unlink()


def test_a_folder_is_this_users_alone_and_short_enough_for_sockets_whatever_tmpdir_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 18)))
    with temp_folder() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(str(folder / "r/session_2026-11-28_21-44-50_418075_4194304/sockets/plasma_store")) <= 103


def test_no_folder_for_sockets_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/a/very/long/path")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="TMPDIR /a/very/long/path: its path must have at most 12 bytes"), temp_folder():
        pass


def test_the_folder_of_a_killed_process_goes_with_the_next_and_a_living_ones_stays(parent: Path) -> None:
    (other := parent / "robustsweep-tmp-results").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(parent)}
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    theirs = Path(holder.stdout.readline().strip())
    with temp_folder():
        assert theirs.is_dir()
    holder.kill()
    holder.wait()
    with temp_folder() as ours:
        assert not theirs.exists()
        assert ours.is_dir()
    assert list(parent.iterdir()) == [other]
    holder.stdin.close()
    holder.stdout.close()
