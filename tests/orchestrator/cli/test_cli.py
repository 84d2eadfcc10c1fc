import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import cli
from tests.commands import TINY, TINY_JOBS, attempts, environment, robustsweep, rows, stored_flags, write_space
from workers.registry import ATTACKS


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny sweep was run inline."""
    folder = tmp_path_factory.mktemp("launched")
    done = robustsweep("launch", write_space(folder), "--executor", "inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"all {sum(TINY_JOBS.values())} jobs done" in done.stdout
    return folder


QUICK = "--help; launch --help; --version; spaces; plan quickstart; results; report --paper; show 0123; compare a b"
QUICK += "; robustbench a --epsilon 8/255 --out b"


@pytest.mark.parametrize("arguments", [command.split() for command in QUICK.split("; ")], ids=" ".join)
def test_commands_that_compute_nothing_import_neither_torch_nor_ray(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom orchestrator.cli.main import main\nsys.argv = ['robustsweep', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write(repr(sorted({'torch', 'ray'} & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.endswith("[]")


def test_help_shows_commands_by_group_with_whole_sentences_and_imports_little(tmp_path: Path) -> None:
    done = robustsweep("--help", cwd=tmp_path)
    lines = done.stdout.splitlines()
    groups = ("Run sweeps:", "Look at them:", "Share results:", "Look after the store:")
    assert [line for line in lines if line in groups] == list(groups)
    assert "..." not in "".join(lines[1:])
    modules = {path.stem for path in Path(cli.__file__).parent.glob("*.py")}
    modules -= {"__init__", "app", "completion", "main", "options", "launch_options"}
    listed = {line.split()[0].replace("-", "_") for line in lines if re.match(r"  [a-z][a-z-]+ {2,}[A-Z]", line)}
    assert listed == {*modules, "check_plugin"}  # a file has one command, `components` this one too
    code = "import orchestrator.cli.main, sys; print(sorted({'numpy', 'pandas', 'ray', 'rich', 'sqlalchemy', 'torch'} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_version_and_spaces_say_what_there_is(tmp_path: Path) -> None:
    assert robustsweep("--version", cwd=tmp_path).stdout.startswith("robustsweep 0.")
    listed = robustsweep("spaces", cwd=tmp_path).stdout
    assert "quickstart" in listed
    assert "cifar10-smoke" in listed


def test_the_plan_shows_what_is_to_run_and_makes_nothing(tmp_path: Path) -> None:
    done = robustsweep("plan", write_space(tmp_path), "--format", "json", cwd=tmp_path)
    assert {stage: count["jobs"] for stage, count in json.loads(done.stdout)["stages"].items()} == TINY_JOBS
    assert not (tmp_path / "sweeps").exists()


def test_a_second_launch_has_nothing_to_do_and_starts_no_executor(launched: Path) -> None:
    before = attempts(launched)
    done = robustsweep("launch", "tiny.yaml", cwd=launched)
    assert done.returncode == 0
    assert "nothing to do" in done.stdout
    assert attempts(launched) == before


def test_a_wider_space_runs_only_what_is_new(launched: Path) -> None:
    before = attempts(launched)
    wider = write_space(launched, TINY.replace("[2/255, 8/255]", "[2/255, 8/255, 16/255]"), name="wider")
    done = robustsweep("launch", wider, "--executor", "inline", cwd=launched)
    assert done.returncode == 0, done.stderr
    new = {key: outcomes for key, outcomes in attempts(launched).items() if key not in before}
    assert len(new) == 2 * 2 * 2 - 1  # models x attacks x repeats, but FGSM on the net without a sketch once
    assert {key: attempts(launched)[key] for key in before} == before
    assert len(rows(launched, "wider")) == len(rows(launched, "tiny")) + 2 * 2


def test_results_have_one_row_per_model_attack_knowledge_and_epsilon(launched: Path) -> None:
    found = rows(launched)
    assert len(found) == 2 * (4 + 1) + 1
    assert all(row["n_examples"] == 12 for row in found)
    random = [row["theta"] < 1 or (row["attack"], row["knowledge"]) == ("pgd", "randomized") for row in found]
    assert [row["repeats"] for row in found] == [2 if varies else 1 for varies in random]
    assert {(row["attack"], row["knowledge"], row["epsilon_literal"]) for row in found if row["theta"] == 0.8} == {
        ("fgsm", "randomized", "2/255"),
        ("fgsm", "randomized", "8/255"),
        ("pgd", "randomized", "2/255"),
        ("pgd", "randomized", "8/255"),
        ("pgd", "omniscient", "8/255"),
        ("pgd", "transfer", "8/255"),
    }
    assert [row["source"] for row in found if row["knowledge"] == "transfer"] == ["theta=1"]
    assert {row["source_key"] for row in found} == {None, next(row["model_key"] for row in found if row["theta"] == 1)}
    assert len(rows(launched, "tiny", "--per-repeat")) == sum(row["repeats"] for row in found)


def test_results_equal_the_artifacts(launched: Path) -> None:
    from workers.artifacts.artifacts import Artifacts
    from workers.artifacts.outcomes import FlagsOutcome

    artifacts = Artifacts(launched / "sweeps" / "artifacts")
    flags = stored_flags(launched)
    assert flags
    for key, packed in flags.items():
        outcome = artifacts.result(key).outcome
        assert isinstance(outcome, FlagsOutcome)
        assert outcome.packed() == packed


def test_status_says_finished(launched: Path) -> None:
    assert "sweep tiny: finished" in robustsweep("status", "tiny", cwd=launched).stdout


def test_lost_rows_are_recorded_from_artifacts_without_computing(launched: Path, tmp_path: Path) -> None:
    (tmp_path / "sweeps").symlink_to(launched / "sweeps")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    done = robustsweep("launch", launched / "tiny.yaml", "--store", other, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    again = robustsweep("results", "tiny", "--format", "json", "--store", other, cwd=tmp_path)
    assert json.loads(again.stdout) == rows(launched)


@pytest.mark.slow
def test_two_homes_give_identical_rows(launched: Path, tmp_path: Path) -> None:
    done = robustsweep("launch", write_space(tmp_path), "--executor", "inline", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    mine, theirs = stored_flags(tmp_path), stored_flags(launched)
    assert mine == {key: theirs[key] for key in mine}
    assert rows(tmp_path) == rows(launched)


def test_a_job_that_cannot_succeed_is_retried_failed_and_shown_and_blocks_only_its_descendants(tmp_path: Path) -> None:
    space = write_space(tmp_path, TINY.replace("epochs: 2", "epochs: 2, learning_rate: [0.1, 1e18]").replace("[1.0, 0.8]", "1.0"))
    done = robustsweep("launch", space, "--executor", "inline", "--max-failures", "1", cwd=tmp_path)
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert "blocked" in done.stdout
    assert [outcomes for outcomes in attempts(tmp_path).values() if "failed" in outcomes] == [["failed", "failed"]]
    shown = robustsweep("status", "tiny", "--failed", cwd=tmp_path).stdout
    assert "JobError" in shown
    assert "Traceback" in shown
    assert len(rows(tmp_path)) == 5
    again = robustsweep("launch", space, "--executor", "inline", "--max-failures", "0", cwd=tmp_path)
    assert again.returncode == 1
    assert "1 failed" in again.stdout


MISTAKES = [
    (["launch", "quikstart"], "did you mean 'quickstart'"),
    (["launch", "quickstart", "--set", "model.theta=1.3"], "model.theta=1.3: must be in (0, 1]"),
    (
        ["plan", "quickstart", "--set", "attacks.0.attack=pdg"],
        f"'pdg': one of {', '.join(ATTACKS.names())}",
    ),
    (["plan", "quickstart", "--set", "data.train_examples=5000"], "data.train_examples=5000: must be at most 1397"),
    (["plan", "quickstart", "--set", "evaluation.examples=401"], "evaluation.examples=401: must be at most 400"),
    (["launch", "cifar10-smoke"], "cifar10: no data folder given"),
    (["launch", "cifar10-smoke", "--data", "."], "looked for data_batch_1"),
    (["launch", "quickstart", "--store", "mysql://x/y"], "mysql"),
    (["launch", "quickstart", "--address", "auto", "--executor", "inline"], "--address"),
    (["launch", "quickstart", "--workers", "0"], "--workers 0: must be at least 1"),
    (["launch", "quickstart", "--max-failures", "-1"], "--max-failures -1: must be at least 0"),
    (["results", "nosuch"], "results.db"),
    (["results", "--format", "xml"], "xml"),
]


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_gets_one_clear_line_and_exit_code_2(arguments: list[str], expected: str, tmp_path: Path) -> None:
    done = robustsweep(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert done.stdout == ""


def test_the_environment_names_home_store_and_data(launched: Path, tmp_path: Path) -> None:
    env = {"ROBUSTSWEEP_HOME": str(launched / "sweeps")}
    assert robustsweep("results", "tiny", cwd=tmp_path, env=env).returncode == 0
    env = {"ROBUSTSWEEP_STORE": f"sqlite:///{launched / 'sweeps' / 'results.db'}"}
    assert robustsweep("results", "tiny", cwd=tmp_path, env=env).returncode == 0
    missing = robustsweep("launch", "cifar10-smoke", cwd=tmp_path, env={"ROBUSTSWEEP_DATA": str(tmp_path)})
    assert f"in {tmp_path / 'cifar-10-batches-py'}" in missing.stderr


def test_an_unknown_sweep_is_named_with_the_known_ones(launched: Path) -> None:
    done = robustsweep("results", "tinny", cwd=launched)
    assert done.returncode == 2
    assert "tinny" in done.stderr
    assert "tiny" in done.stderr


def test_a_second_driver_of_a_living_sweep_is_refused(launched: Path) -> None:
    import os
    import socket

    from orchestrator.store import end_driving, open_store
    from tests.stored import begin_driving

    with open_store(f"sqlite:///{launched / 'sweeps' / 'results.db'}", upgrade=True) as store:
        lease = begin_driving(store, "tiny", socket.gethostname(), os.getpid())
        refused = robustsweep("launch", "tiny.yaml", cwd=launched)
        end_driving(store, lease)
    assert refused.returncode == 2
    assert f"process {os.getpid()}" in refused.stderr


@pytest.mark.slow
def test_job_files_run_without_ray_and_sql_and_are_recorded_by_the_next_launch(tmp_path: Path) -> None:
    space = write_space(tmp_path, TINY.partition("attacks:")[0].replace("[1.0, 0.8]", "1.0") + "attacks: [{attack: fgsm, epsilon: 0.1}]\n")
    assert robustsweep("plan", space, "--write-jobs", "jobs", cwd=tmp_path).returncode == 0
    plan = json.loads(robustsweep("plan", space, "--format", "json", cwd=tmp_path).stdout)
    for job in plan["jobs"]:
        command = [sys.executable, "-m", "workers", f"jobs/{job['key']}.json", "--artifacts", "sweeps/artifacts"]
        subprocess.run(command, cwd=tmp_path, env=environment(), check=True, capture_output=True, timeout=120)
    done = robustsweep("launch", space, cwd=tmp_path)
    assert "nothing to do" in done.stdout, done.stdout + done.stderr
    assert len(rows(tmp_path)) == 1
