"""A new user's own net, data, attack, defence and loss go the whole way, and only what an edit reaches runs again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.commands import robustsweep

MINE = Path(__file__).parent / "mine.py"
SPACE = """
plugins: [mine.py]
data: {name: my_digits}
model: {name: my_net, settings: {width: 4}, tensorized: false}
defence: {name: [none, my_jpeg], settings: {quality: [40, 75]}}
training: {loss: like_trades, settings: {beta: [0.5, 2.0]}, epochs: 3, batch_size: 32, adversarial_training: pgd, adversarial_steps: [1, 2]}
evaluation: {examples: 40}
attacks:
  - {attack: my_deepfool, epsilon: 32/255, settings: {steps: [1, 3]}}
  - {attack: fgsm, epsilon: 32/255}
"""
MODELS, STEPS = 6, 2


pytestmark = pytest.mark.slow  # the default sibling is tests/test_extending.py


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin, a space, and the digits as images by class."""
    folder = tmp_path_factory.mktemp("new_user")
    shutil.copy(MINE, folder / "mine.py")
    (folder / "space.yaml").write_text(SPACE)
    scans, labels = load_digits(return_X_y=True)
    for place, (scan, label) in enumerate(zip(scans[:300], labels[:300], strict=True)):
        path = folder / "data" / "digits" / ("test" if place % 5 == 0 else "train") / str(label) / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.repeat(np.clip(scan.reshape(8, 8) * 16, 0, 255), 2, axis=0).repeat(2, axis=1)
        Image.fromarray(image.astype(np.uint8)).convert("RGB").save(path)
    return folder


def run(folder: Path, *words: str) -> str:
    done = robustsweep(*words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def to_run(folder: Path) -> list[dict[str, str]]:
    jobs: list[dict[str, str]] = json.loads(run(folder, "plan", "space.yaml", "--data", "data", "-f", "json"))["jobs"]
    return [job for job in jobs if job["state"] == "to run"]


def edit(folder: Path, old: str, new: str) -> None:
    text = MINE.read_text()
    assert old in text
    (folder / "mine.py").write_text(text.replace(old, new))


@pytest.mark.timeout(600)  # a dozen commands: on a busy machine each takes its time
def test_all_of_it_goes_the_whole_way_and_edits_run_what_they_reach(folder: Path) -> None:
    assert len(MINE.read_text().splitlines()) < 120
    run(folder, "launch", "space.yaml", "--executor", "inline", "--data", "data")
    rows = json.loads(run(folder, "results", "space", "-f", "json"))
    assert len(rows) == MODELS * (STEPS + 1)
    assert {(row["loss"], row["quality"]) for row in rows if row["attack"] == "my_deepfool"} == {("margin", q) for q in (None, 40, 75)}
    assert {row["training"]["beta"] for row in rows} == {0.5, 2.0}
    assert all(row["robust_accuracy"] <= row["clean_accuracy"] for row in rows)
    assert "beta" in run(folder, "verdicts", "space")
    assert "quality" in run(folder, "best", "space", "--any-verdict")
    run(folder, "report", "space")
    assert "my_deepfool" in (folder / "space-report.html").read_text()
    run(folder, "robustbench", "space", "--epsilon", "32/255", "--out", "model_info")
    assert len(list((folder / "model_info").rglob("*.json"))) == MODELS

    edit(folder, "def _to_the_boundary", "# faster\n\n\ndef _to_the_boundary")
    assert to_run(folder) == []
    edit(folder, "size + 1e-4", "size + 1e-3")
    assert [job["stage"] for job in to_run(folder)] == ["attack"] * (MODELS * STEPS)
    edit(folder, '"""Return the identity."""\n        return inputs', '"""Return the identity."""\n        return 1 * inputs')
    assert {job["stage"] for job in to_run(folder)} == {"defend", "evaluate", "attack"}


def test_without_the_plugin_an_import_shows_the_results_and_says_what_going_on_needs(folder: Path, tmp_path: Path) -> None:
    run(folder, "db", "export", "archive")
    run(tmp_path, "db", "import", str(folder / "archive"))
    here = json.loads(run(folder, "results", "space", "-f", "json"))
    there = json.loads(run(tmp_path, "results", "space", "-f", "json"))
    told = ("model", "dataset", "attack", "quality", "steps", "training", "robust_accuracy")
    assert sorted(str([row.get(name) for name in told]) for row in there) == sorted(str([row.get(name) for name in told]) for row in here)
    for command in (["report", "space"], ["verdicts", "space"], ["show", there[0]["model_key"]]):
        assert "Traceback" not in run(tmp_path, *command)
    (tmp_path / "space.yaml").write_text(SPACE)
    done = robustsweep("plan", "space.yaml", cwd=tmp_path)
    assert (done.returncode, "space.yaml:2: plugins: plugin" in done.stderr, "mine.py" in done.stderr) == (2, True, True), done.stderr


def test_on_ray_with_two_workers_it_comes_to_the_same(folder: Path) -> None:
    shutil.copy(MINE, folder / "mine.py")
    run(folder, "launch", "space.yaml", "--data", "data", "--home", "on-ray", "--executor", "ray", "--workers", "2")
    told = ("quality", "training", "attack", "steps", "clean_accuracy", "robust_accuracy")
    found = [json.loads(run(folder, "results", "space", "-f", "json", "--home", home)) for home in ("sweeps", "on-ray")]
    values = [sorted(str([row.get(name) for name in told]) for row in rows) for rows in found]
    assert values[0] == values[1]
    (folder / "again.yaml").write_text(SPACE.replace("[1, 3]", "[3]"))
    run(folder, "launch", "again.yaml", "--executor", "inline", "--data", "data")
    assert "my_deepfool" in run(folder, "compare", "space", "again")
