import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from workers.data.loading.array_cache import cache_folder, cached_rows, stat_key
from workers.errors import DataError

ROWS = np.arange(12, dtype=np.int16).reshape(3, 1, 4)


def rows(calls):
    for row in ROWS:
        calls.append(len(calls))
        yield row


def cached(folder, calls=None):
    return cached_rows(folder, "x", ROWS.shape, rows([] if calls is None else calls))


def test_rows_are_made_once_and_then_mapped(tmp_path):
    calls = []
    for _ in range(2):
        found = cached(tmp_path / "new", calls)
        assert isinstance(found, np.memmap)
        assert np.array_equal(found, ROWS)
    assert len(calls) == len(ROWS)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["x.lock", "x.npy"]


@pytest.mark.parametrize("length", [0, 10, 100, -1])
def test_a_truncated_array_is_made_again(tmp_path, length):
    cached(tmp_path)
    path = tmp_path / "x.npy"
    path.write_bytes(path.read_bytes()[:length])
    assert np.array_equal(cached(tmp_path), ROWS)


def test_an_array_of_another_shape_or_kind_is_made_again(tmp_path):
    for other in (ROWS[:2], ROWS.astype(np.float32)):
        np.save(tmp_path / "x.npy", other)
        assert np.array_equal(cached(tmp_path), ROWS)


def test_writing_into_the_array_changes_no_file(tmp_path):
    cached(tmp_path)[0] = 99
    assert np.array_equal(cached(tmp_path), ROWS)


def test_a_failure_while_making_rows_leaves_nothing_that_could_be_taken_for_the_array(tmp_path):
    def failing():
        yield ROWS[0]
        raise DataError("x.wav is corrupt")

    with pytest.raises(DataError, match=r"x\.wav is corrupt"):
        cached_rows(tmp_path, "x", ROWS.shape, failing())
    assert [path.name for path in tmp_path.iterdir()] == ["x.lock"]


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    (tmp_path / ".x.abc.tmp").write_bytes(b"half")
    cached(tmp_path)
    assert not list(tmp_path.glob(".*.tmp"))


def test_without_locks_the_array_is_made_all_the_same_and_anothers_temporary_file_is_left_alone(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    (tmp_path / ".x.abc.tmp").write_bytes(b"half")
    assert np.array_equal(cached(tmp_path), ROWS)
    assert (tmp_path / ".x.abc.tmp").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cache .*x\.npy: file exists"):
        cached(tmp_path / "file")


WORKER = """
import fcntl, sys
from pathlib import Path
import numpy as np
from workers.data.loading.array_cache import cached_rows
lock = fcntl.flock
def told(*given):
    print("locking", flush=True)
    lock(*given)
fcntl.flock = told
def rows():
    print("making", flush=True)
    sys.stdin.readline()
    for value in range(20):
        yield np.full((1, 1000), value, dtype=np.int16)
found = cached_rows(Path(sys.argv[1]), "x", (20, 1, 1000), rows())
assert (found[:, 0, 0] == range(20)).all() and (found == found[:, :, :1]).all()
"""


def test_three_processes_that_start_at_once_make_the_array_once_and_all_read_it(tmp_path):
    command = [sys.executable, "-c", WORKER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": Path(__file__).parents[3]}
    with ExitStack() as running:
        started = [running.enter_context(subprocess.Popen(command, **pipes)) for _ in range(3)]
        assert [process.stdout.readline() for process in started] == ["locking\n"] * 3
        for process in started:
            process.stdin.close()
        assert sorted(process.stdout.read() for process in started) == ["", "", "making\n"]
    assert [process.returncode for process in started] == [0, 0, 0]


def test_the_key_follows_names_sizes_times_and_description(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"1234")
    os.utime(path, ns=(1, 1))
    keys = [stat_key("x", [path]), stat_key("y", [path]), stat_key("x", [path, path])]
    os.utime(path, ns=(1, 2))
    keys.append(stat_key("x", [path]))
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 2))
    keys.append(stat_key("x", [path]))
    assert len(set(keys)) == 5
    assert keys[-1] == stat_key("x", [path])


def test_the_cache_lies_in_the_data_root_or_else_in_the_users_cache_folder(tmp_path, monkeypatch):
    assert cache_folder(tmp_path) == tmp_path / ".robustsweep-cache"
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert cache_folder(tmp_path) == tmp_path / "mine" / "robustsweep"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder(tmp_path) == Path.home() / ".cache" / "robustsweep"
