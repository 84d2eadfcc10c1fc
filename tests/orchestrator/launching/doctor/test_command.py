"""`robustsweep doctor` as its user runs it, on this machine and on a real cluster."""

import json
from pathlib import Path

import pytest

from tests.commands import TINY, robustsweep, write_space
from tests.orchestrator.executors.clusters import ray_head


def doctor(cwd: Path, *arguments: str | Path, env: dict[str, str] | None = None) -> tuple[int, dict[str, list[tuple[str, str]]]]:
    """Its exit code, and status and finding by what was looked at."""
    done = robustsweep("doctor", *arguments, "--format", "json", cwd=cwd, env={"HOME": str(cwd)} | (env or {}))
    assert "Traceback" not in done.stderr
    found: dict[str, list[tuple[str, str]]] = {}
    for line in json.loads(done.stdout)["lines"]:
        found.setdefault(line["what"], []).append((line["status"], line["found"]))
    return done.returncode, found


def test_a_sound_machine_is_one_line_each_and_nothing_is_left_behind(tmp_path: Path) -> None:
    done = robustsweep("doctor", write_space(tmp_path), cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, total = done.stdout.splitlines()
    assert total == f"{len(lines)} ok, 0 to look at, 0 wrong"
    assert [line.split()[1] for line in lines] == [
        *("versions", "disk", "database", "artifacts", "data", "authentication", "GPU", "space", "estimate")
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_what_is_wrong_is_a_line_with_what_to_do_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "artifacts").touch()
    store = "postgresql://somebody:s3cret@127.0.0.1:1/results"
    options = ["--artifacts", tmp_path / "artifacts", "--store", store, "--data", tmp_path / "no\x1b[31m"]
    space = write_space(tmp_path, TINY.replace("digits", "cifar10"))
    done = robustsweep("doctor", space, *options, cwd=tmp_path, env={"HOME": str(tmp_path)})
    assert done.returncode == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert [line.split()[1] for line in wrong] == ["database", "artifacts", "data"]
    assert "-> check the path or URL" in wrong[1]
    assert done.stdout.splitlines()[-1].endswith(", 3 wrong")
    assert "s3cret" not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout


def test_what_cannot_be_meant_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    for arguments, message in ((["nosuch"], "space 'nosuch'"), (["--workers", "2"], "only with a SPACE")):
        done = robustsweep("doctor", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert message in done.stderr


@pytest.mark.slow
def test_every_node_of_a_cluster_with_a_token_is_asked(tmp_path: Path) -> None:
    with ray_head("--num-cpus=2") as head:
        space = write_space(tmp_path, TINY.replace("digits", "cifar10"))
        code, found = doctor(tmp_path, space, "--address", head.address, "--data", tmp_path, env=head.env)
        assert code == 1
        assert found["cluster"] == [("ok", "1 node with 2 CPUs and 0 GPUs")]
        assert found["authentication"] == [("ok", "the cluster requires a token, and accepts ours")]
        assert [status for status, _ in found["token"]] == ["warning"]  # this cluster's is readable
        for what, status in (("versions", "ok"), ("artifacts", "ok"), ("data", "wrong"), ("disk", "ok")):
            here, there = found[what]
            assert (what, here[0], there[0]) == (what, status, status)
            assert there[1].startswith("node ")
        assert [status for status, _ in found["clock"]] == ["ok"]
        code, found = doctor(tmp_path, "--address", head.address, env=head.stranger)
        assert (code, found["cluster"][0][0]) == (1, "wrong")
        assert "the cluster asks for a token" in found["cluster"][0][1]
    assert not (tmp_path / "sweeps").exists()


def test_a_cluster_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    code, found = doctor(tmp_path, "--address", "127.0.0.1:1")
    assert (code, found["cluster"][0][0]) == (1, "wrong")
