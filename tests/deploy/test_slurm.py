"""The batch script for Slurm: what it starts, in which order, and that nothing is left of it, with stand-ins for Slurm on this machine."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import TINY, environment, rows, write_space

SCRIPT = Path(__file__).parents[2] / "deploy" / "slurm.sh"
_CALLED = 'echo "$(basename "$0") $*" >> "$CALLS"\n'
# `srun` runs its command here, as the only node there is; `scontrol` names as many nodes as the list has words.
_SLURM = {
    "srun": _CALLED + 'while [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"',
    "scontrol": 'printf "%s\\n" $3',
    "hostname": "echo 127.0.0.1 ::1",
}
_LISTEN = """
import os, signal, socket, sys
port = next(word for word in sys.argv if word.startswith("--port=")).partition("=")[2]
server = socket.create_server(("127.0.0.1", int(port)))
signal.sigwait([signal.SIGTERM])
"""
_PROGRAMS = {
    "ray": _CALLED
    + '[ -z "${HEAD_FAILS:-}" ] || exit 1\n'
    + 'case "$*" in *--head*) "$PYTHON" -c "$LISTEN" "$@" & ;; *) sleep 60 & ;; esac\n'
    + 'trap "kill $!; echo ray ended >> \\"$CALLS\\"; exit 143" TERM\n'
    + 'echo "mode $RAY_AUTH_MODE $(stat -c %a "$RAY_AUTH_TOKEN_PATH") $(wc -c < "$RAY_AUTH_TOKEN_PATH")" >> "$CALLS"\n'
    + "wait",
    # The script asks it for a token, and to wait for all nodes.
    "python": '[ "$1" = - ] || exec "$PYTHON" "$@"\n'
    + 'cat > /dev/null\nuntil [ "$(grep -c ^mode "$CALLS")" -ge "$3" ]; do sleep 0.05; done\necho "await $3 nodes" >> "$CALLS"',
    "robustsweep": _CALLED
    + '[ -z "${ENDS:-}" ] || exit "$ENDS"\nsleep 60 &\n'
    + 'trap "kill $!; sleep 0.3; echo stopped >> \\"$CALLS\\"; exit 130" TERM\necho running >> "$CALLS"\nwait',
}


@dataclass(frozen=True)
class Site:
    """A folder to submit from, and what its stand-ins were called with."""

    folder: Path
    env: dict[str, str]

    def start(self, *arguments: str, nodes: str = "one two", **extra: str) -> "subprocess.Popen[str]":
        variables = self.env | {"SLURM_JOB_NODELIST": nodes} | extra
        return subprocess.Popen(["bash", SCRIPT, *arguments], env=environment(variables), stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str, **extra: str) -> tuple[int, str]:
        process = self.start(*arguments, **extra)
        _, said = process.communicate(timeout=200)
        return process.returncode, said

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    for name, text in (_SLURM | _PROGRAMS).items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/bash\n{text}\n")
        program.chmod(0o755)
    (tmp_path / "bin" / "activate").write_text(f'PATH="{tmp_path / "bin"}:$PATH"\n')
    # A job's number gives its port; those of several test processes at once differ.
    job = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_SUBMIT_DIR": str(tmp_path), "ROBUSTSWEEP_VENV": str(tmp_path)}
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return Site(tmp_path, job | {"PATH": path, "CALLS": str(tmp_path / "calls"), "PYTHON": sys.executable, "LISTEN": _LISTEN})


def test_bash_and_shellcheck_find_nothing() -> None:
    assert subprocess.run(["bash", "-n", SCRIPT], check=False).returncode == 0
    if shutil.which("shellcheck"):
        assert subprocess.run(["shellcheck", SCRIPT], check=False).returncode == 0


def test_head_workers_and_driver_start_in_this_order_with_one_token_and_all_end(site: Site) -> None:
    assert site.run("quickstart", "--set", "seed=[0, 1]", ENDS="0") == (0, "")
    address = f"127.0.0.1:{20000 + os.getpid() % 10000}"
    steps = [call for call in site.calls if call.startswith(("srun", "await", "robustsweep"))]
    assert steps[0] == "srun --nodes=1 --ntasks=1 --nodelist=one hostname --ip-address"
    assert steps[1].startswith("srun --nodes=1 --ntasks=1 --nodelist=one ray start --head --block --node-ip-address=127.0.0.1 --port=")
    assert "--dashboard-host=127.0.0.1" in steps[1]
    assert sorted(steps[2:4]) == ["await 2 nodes", f"srun --nodes=1 --ntasks=1 --exclude=one ray start --address={address} --block"]
    assert steps[4] == f"robustsweep launch quickstart --set seed=[0, 1] --address {address}"
    assert steps[5].startswith("srun --nodes=2 --ntasks=2 rm -rf /tmp/ray-")
    assert site.calls.count("mode token 600 64") == 2
    assert site.calls.count("ray ended") == 2
    assert list((site.folder / "sweeps").iterdir()) == [], "the token is left"


def test_the_drivers_exit_code_is_the_jobs(site: Site) -> None:
    assert site.run("quickstart", nodes="one", ENDS="1") == (1, "")
    assert site.calls.count("ray ended") == 1


def test_at_the_end_of_its_time_the_sweep_is_stopped_before_the_cluster(site: Site) -> None:
    process = site.start("quickstart")
    deadline = time.monotonic() + 30
    while not (site.folder / "calls").exists() or "running" not in site.calls:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "")
    assert site.calls.index("stopped") < site.calls.index("ray ended")
    assert site.calls.count("ray ended") == 2
    assert list((site.folder / "sweeps").iterdir()) == []


def test_a_head_that_does_not_start_is_said(site: Site) -> None:
    code, said = site.run("quickstart", HEAD_FAILS="1")
    assert (code, said) == (1, "slurm.sh: the Ray head on one has ended\n")
    assert not any(call.startswith("robustsweep") for call in site.calls)


def test_without_a_space_it_says_how_it_is_used(site: Site) -> None:
    code, said = site.run()
    assert code == 2
    assert "SPACE" in said


@pytest.mark.slow
def test_with_a_real_ray_a_sweep_runs_to_its_end(site: Site) -> None:
    for name in _PROGRAMS:
        (site.folder / "bin" / name).unlink()
    (site.folder / "bin" / "activate").write_text(f'PATH="{Path(sys.executable).parent}:$PATH"\n')
    (site.folder / "bin" / "hostname").write_text("#!/bin/bash\nPATH=/usr/bin:/bin hostname --ip-address\n")
    write_space(site.folder, TINY.replace("[1.0, 0.8]", "1.0"))
    code, said = site.run("tiny.yaml", nodes="one")
    assert code == 0, said
    assert rows(site.folder)
