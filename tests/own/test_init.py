"""`robustsweep init`: what it writes runs, keeps the contract, and is part of the wheel."""

import json
from pathlib import Path

from tests.commands import robustsweep

ROOT = Path(__file__).parents[2]


def test_the_files_to_begin_with_run_and_keep_the_contract(tmp_path: Path) -> None:
    written = robustsweep("init", "lab", cwd=tmp_path)
    assert (written.returncode, written.stdout.splitlines()[:2]) == (0, ["lab.py", "lab.yaml"]), written.stderr
    checked = robustsweep("check-plugin", "lab.py", "-f", "json", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert {(row["kind"], row["check"]) for row in json.loads(checked.stdout)} == {
        (kind, "keeps the contract") for kind in ("model", "dataset", "attack")
    }
    quick = [
        "--set",
        "training.epochs=1",
        "--set",
        "fine_tuning.epochs=1",
        "--set",
        "evaluation.examples=20",
        "--set",
        "model.depth=2",
        "--set",
        "evaluation.repeats=1",
    ]
    quick += ["--set", "attacks.0.epsilon=8/255", "--set", "attacks.1.epsilon=8/255"]
    launched = robustsweep("launch", "lab.yaml", "--executor", "inline", *quick, cwd=tmp_path)
    assert launched.returncode == 0, launched.stdout + launched.stderr
    rows = json.loads(robustsweep("results", "lab", "-f", "json", cwd=tmp_path).stdout)
    assert {row["steps"] for row in rows if row["attack"] == "sign_steps"} == {1, 5}


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine")
    done = robustsweep("init", cwd=tmp_path)
    assert (done.returncode, "mine.yaml is there already" in done.stderr) == (2, True)
    assert ((tmp_path / "mine.yaml").read_text(), (tmp_path / "mine.py").exists()) == ("mine", False)
    done = robustsweep("init", "my-lab", cwd=tmp_path)
    assert (done.returncode, "'my-lab': must be a letter" in done.stderr) == (2, True)


def test_the_files_travel_in_the_wheel() -> None:
    assert '"cli/starter/*"' in (ROOT / "pyproject.toml").read_text()
    assert {path.name for path in (ROOT / "orchestrator/cli/starter").iterdir()} == {"plugin.py.txt", "space.yaml.txt"}
