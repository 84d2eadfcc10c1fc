"""A component is one file: an attack, a defence, a data set, a model and a metric from a temporary folder go the whole way."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.commands import robustsweep

FILES = {
    "waves.py": '''
"""A data set of two classes of one-colour stripes, 12 pixels wide."""
import numpy as np
import robustsweep as rs

INFO = rs.DatasetInfo(n_classes=2, shape=(1, 12, 12), mean=(0.5,), std=(0.3,))

def _split(count, seed):
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 2
    images = np.full((count, 1, 12, 12), 0.2, dtype=np.float32)
    for image, label in zip(images, labels):
        place = random.integers(0, 12)
        image[0, place, :] += 0.6 * (label == 0)
        image[0, :, place] += 0.6 * (label == 1)
    return rs.Split(np.clip(images + random.normal(0, 0.02, images.shape).astype(np.float32), 0, 1), labels)

@rs.dataset(info=INFO, n_train=64, n_test=20)
def stripes(root, *, brightness: float = 1.0):
    """Stripes, lying or standing."""
    return rs.Dataset(train=_split(64, 0), test=_split(20, 1))
''',
    "nets.py": '''
"""A net of one convolution."""
from torch import nn
import robustsweep as rs

@rs.model(modality="image")
def tiny_net(info, *, filters: int = 4, deep: bool = False) -> nn.Module:
    """One convolution, or two."""
    body = [nn.Conv2d(info.shape[0], filters, 3, padding=1), nn.ReLU()]
    body += [nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU()] if deep else []
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * filters, info.n_classes))
''',
    "attacks.py": '''
"""Random directions, as many as asked for."""
import torch
import robustsweep as rs

@rs.attack(norms=("linf",), takes_gradients=False, random_start=True)
def best_of_many(logits, inputs, labels, *, epsilon, bounds, generator, tries: int = 3, shrink: float = 1.0):
    """The worst of several corners of the ball."""
    best, worst = inputs, torch.full(labels.shape, -float("inf"))
    for _ in range(tries):
        noise = torch.rand(inputs.shape, generator=generator, device=inputs.device).sub(0.5).sign()
        points = (inputs + shrink * epsilon * noise).clamp(*bounds)
        with torch.no_grad():
            losses = torch.nn.functional.cross_entropy(logits(points), labels, reduction="none")
        better = losses > worst
        best = torch.where(better.view(-1, 1, 1, 1), points, best)
        worst = torch.where(better, losses, worst)
    return best
''',
    "defences.py": '''
"""Fewer grey levels."""
import robustsweep as rs

@rs.defence(modalities=("image",))
class GreyLevels(rs.Defence):
    """Rounds to a number of levels; differentiated as it is, so that gradients vanish."""

    def __init__(self, *, levels: int = 8) -> None:
        self._levels = levels

    def transform(self, inputs):
        return (inputs * self._levels).round() / self._levels

@rs.defence(randomised=True)
class Jitter(rs.Defence):
    """Adds noise from the network's generator."""

    def __init__(self, *, size: float = 0.1) -> None:
        self._size = size

    def transform(self, inputs):
        if not self.live:
            return inputs
        return inputs + self._size * (self.uniform(inputs.shape, inputs.device, owner=self) - 0.5)
''',
    "metrics.py": '''
"""How many values an attack changed."""
import robustsweep as rs

@rs.metric(heading="changed", decimals=2, modalities=("image",), always=True)
def changed_share(clean, attacked, labels):
    """The share of values that differ."""
    return (clean != attacked).double().flatten(1).mean(dim=1)
''',
    "space.yaml": """
plugins: [waves.py, nets.py, attacks.py, defences.py, metrics.py]
data: {name: stripes}
model: {name: tiny_net, settings: {filters: [2, 4]}, rank_fraction: 1.0}
defence: {name: [none, grey_levels, jitter], levels: 4}
training: {epochs: 3, batch_size: 16, learning_rate: 0.05}
evaluation: {batch_size: 10, draws: 2}
attacks:
  - {attack: best_of_many, epsilon: 32/255, settings: {tries: [1, 4]}, shrink: 0.9}
  - {attack: fgsm, epsilon: 32/255}
diagnosis: {depth: quick, examples: 10, steps: 3, more_steps: 4, queries: 4, draws: 2, selection_draws: 2, eot_samples: 2}
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file for each component, and a sweep over their settings, launched."""
    folder = tmp_path_factory.mktemp("extended")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    launched = robustsweep("launch", "space.yaml", "--executor", "inline", cwd=folder)
    assert launched.returncode == 0, launched.stdout + launched.stderr
    return folder


def rows(folder: Path, *more: str) -> list[dict[str, str]]:
    printed = robustsweep("results", "space", "-f", "csv", *more, cwd=folder)
    assert printed.returncode == 0, printed.stderr
    return list(csv.DictReader(io.StringIO(printed.stdout)))


def test_settings_and_metrics_of_ones_own_components_are_columns_of_the_results(folder: Path) -> None:
    found = rows(folder)
    assert {(row["model"], row["dataset"]) for row in found} == {("tiny_net", "stripes")}
    assert {row["filters"] for row in found} == {"2", "4"}
    assert {(row["attack"], row["tries"]) for row in found} == {("best_of_many", "1"), ("best_of_many", "4"), ("fgsm", "")}
    assert all(0 <= float(row["changed_share"]) <= 1 for row in found)
    assert {row["levels"] for row in found if row["defence"] == "grey_levels"} == {"4"}


def test_settings_of_ones_own_components_select_and_group(folder: Path) -> None:
    assert {row["tries"] for row in rows(folder, "--where", "tries=4")} == {"4"}
    grouped = robustsweep("results", "space", "--group-by", "filters,attack,knowledge,epsilon", "-f", "json", cwd=folder)
    assert {row["filters"] for row in json.loads(grouped.stdout)} == {2, 4}


def test_a_random_defence_of_ones_own_counts_as_random(folder: Path) -> None:
    by_defence = {row["defence"]: row["draws"] for row in rows(folder)}
    assert by_defence == {"none": "1", "grey_levels": "1", "jitter": "2"}


@pytest.mark.parametrize("command", [["results", "space"], ["report", "space"], ["verdicts", "space"], ["db", "export", "archive"]])
def test_commands_know_ones_own_components(folder: Path, command: list[str]) -> None:
    done = robustsweep(*command, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if command[0] in ("results", "verdicts"):
        assert "filters" in done.stdout


def test_an_edited_comment_makes_no_job_and_edited_code_a_new_key_and_the_same_bits(folder: Path) -> None:
    before = rows(folder)
    try:
        (folder / "nets.py").write_text("# edited\n" + FILES["nets.py"].replace("convolution, or two", "convolution or two"))
        plan = robustsweep("plan", "space.yaml", "-f", "json", cwd=folder)
        assert [job for job in json.loads(plan.stdout)["jobs"] if job["state"] == "to run"] == []
        (folder / "nets.py").write_text(FILES["nets.py"].replace("if deep else []", "if deep is True else []"))
        plan = robustsweep("plan", "space.yaml", "-f", "json", cwd=folder)
        assert plan.returncode == 0, plan.stderr
        found = json.loads(plan.stdout)
        assert found["changed"] == {"nets.py": sum(job["state"] == "to run" for job in found["jobs"])}
        launched = robustsweep("launch", "space.yaml", "--executor", "inline", cwd=folder)
        assert launched.returncode == 0, launched.stdout + launched.stderr
        after = rows(folder)
        every = json.loads(robustsweep("results", "space", "--all", "-f", "json", cwd=folder).stdout)
    finally:
        (folder / "nets.py").write_text(FILES["nets.py"])
    told = ("filters", "defence", "attack", "tries", "clean_accuracy", "robust_accuracy")
    values = {tuple(row[name] for name in told) for row in before}
    assert len({row["model_key"] for row in after} - {row["model_key"] for row in before}) == len({row["model_key"] for row in before})
    assert {tuple(row[name] for name in told) for row in after} == values
    versions = {row["model_key"]: row["code"] for row in every}
    assert len(set(versions.values())) == 2
    assert all(versions[old["model_key"]] != versions[new["model_key"]] for old, new in zip(before, after, strict=True))


def test_another_setting_adds_only_its_own_jobs(folder: Path) -> None:
    wider = FILES["space.yaml"].replace("tries: [1, 4]", "tries: [1, 4, 6]")
    (folder / "space.yaml").write_text(wider)
    plan = json.loads(robustsweep("plan", "space.yaml", "-f", "json", cwd=folder).stdout)
    pending = {stage: counts["jobs"] - counts["done"] for stage, counts in plan["stages"].items()}
    assert {stage for stage, count in pending.items() if count} == {"attack"}


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("attacks.py", ("def best_of_many(", "def fgsm("), "attack 'fgsm'"),
        ("nets.py", ("filters: int = 4", "filters=4"), "parameter filters has no type"),
        ("nets.py", ("from torch import nn", "from torch import nnn"), "ImportError"),
        ("waves.py", ("def _split", "def _split("), "line"),
        ("space.yaml", ("tries: [1, 4]", "tires: [1, 4]"), "tires: unknown key; did you mean 'tries'?"),
        ("space.yaml", ("filters: [2, 4]", "filters: [two]"), "model.filters='two'"),
        ("space.yaml", ("name: tiny_net", "name: tiny_nett"), "did you mean tiny_net?"),
    ],
)
def test_a_mistake_in_a_plugin_or_its_settings_is_one_line(tmp_path: Path, name: str, edit: tuple[str, str], message: str) -> None:
    for file, text in FILES.items():
        (tmp_path / file).write_text(text.replace(*edit) if file == name else text)
    done = robustsweep("plan", "space.yaml", cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
