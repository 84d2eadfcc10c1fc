"""The whole program on every kind of store."""

from pathlib import Path

import pytest

from tests.commands import TINY, TINY_JOBS, robustsweep, rows, write_space


@pytest.mark.slow
def test_a_sweep_is_stored_continued_and_read_back(url: str, tmp_path: Path) -> None:
    space = write_space(tmp_path)
    first = robustsweep("launch", space, "--executor", "inline", "--store", url, cwd=tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert f"all {sum(TINY_JOBS.values())} jobs done" in first.stdout
    again = robustsweep("launch", space, cwd=tmp_path, env={"ROBUSTSWEEP_STORE": url})
    assert "nothing to do" in again.stdout
    assert len(rows(tmp_path, "tiny", "--store", url)) == 2 * (4 + 1) + 1
    wider = write_space(tmp_path, TINY.replace("repeats: 2", "repeats: 3"), name="wider")
    assert "to run (evaluate 1, attack 8)" in robustsweep("launch", wider, "--executor", "inline", "--store", url, cwd=tmp_path).stdout
