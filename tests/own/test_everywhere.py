"""A network of one's own with its weights, a folder of images and an attack of one's own: on Ray, submitted, on the dashboard, edited."""

import json
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest

from tests.commands import robustsweep
from tests.orchestrator.executors.clusters import ray_head
from tests.workers.data.picture_folder import make_folder
from workers.components.facts import DatasetInfo
from workers.plugins import load_plugins
from workers.registry import MODELS

PLUGIN = '''
from torch import nn
import robustsweep as rs


@rs.model
def my_net(info, *, width: int = 4):
    """Two convolutions."""
    layers = [nn.Conv2d(info.shape[0], width, 3, stride=2), nn.ReLU(), nn.Conv2d(width, width, 3), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, info.n_classes))


@rs.attack(takes_gradients=False, random_start=True)
def my_signs(logits, inputs, labels, *, epsilon, bounds, generator, share: float = 1.0):
    """Random signs on a share of the pixels."""
    import torch

    random = torch.rand((2, *inputs.shape), generator=generator, device=inputs.device)
    return (inputs + epsilon * (random[0] - 0.5).sign() * (random[1] < share)).clamp(*bounds)
'''
SPACE = """
plugins: [mine.py]
data: {name: "folder:birds", image_size: 16}
model: {name: my_net, settings: {width: 4}}
training: {epochs: 2, batch_size: 20}
fine_tuning: {epochs: 1}
evaluation: {examples: 20, draws: 2}
attacks: [{attack: my_signs, epsilon: 32/255, settings: {share: [0.5, 1.0]}}, {attack: pgd, steps: 2, epsilon: 32/255}]
variants:
  - model: {tensorized: false, weights: [null, mine.pt]}
  - model: {init: decompose, weights: mine.pt, theta: 0.8}
"""
TOLD = ("weights", "theta", "share", "attack", "clean_accuracy", "robust_accuracy")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(folder: Path, *words: str | Path, env: dict[str, str] | None = None) -> str:
    done = robustsweep(*words, cwd=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(folder: Path, *words: str | Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(folder, "results", "space", "-f", "json", *words))
    return found


def told(found: list[dict[str, object]]) -> list[str]:
    return sorted(str([row.get(name) for name in TOLD]) for row in found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the space, launched in one process."""
    folder = tmp_path_factory.mktemp("everywhere")
    make_folder(folder / "data")
    (folder / "mine.py").write_text(PLUGIN)
    (folder / "space.yaml").write_text(SPACE)
    load_plugins(["mine.py"], folder=folder)
    torch.manual_seed(0)
    net = MODELS["my_net"].create(DatasetInfo(n_classes=4, shape=(3, 16, 16), mean=(0.5,) * 3, std=(0.25,) * 3))
    torch.save({f"module.{name}": value for name, value in net.state_dict().items()}, folder / "mine.pt")
    run(folder, "launch", "space.yaml", "--executor", "inline", "--data", "data")
    return folder


def test_on_ray_with_two_workers_it_comes_to_the_same(folder: Path) -> None:
    run(folder, "launch", "space.yaml", "--data", "data", "--home", "on-ray", "--workers", "2")
    assert len(rows(folder)) == 9
    assert told(rows(folder, "--home", "on-ray")) == told(rows(folder))


def test_submitted_it_comes_to_the_same(folder: Path) -> None:
    with ray_head("--num-cpus=2") as head:
        there = ["--home", folder / "submitted", "--data", folder / "data"]
        run(folder, "submit", "space.yaml", "--address", head.dashboard, *there, env=head.env)
    assert told(rows(folder, "--home", "submitted")) == told(rows(folder))


def test_two_versions_of_a_plugin_stand_side_by_side(folder: Path) -> None:
    before = rows(folder)
    (folder / "mine.py").write_text(PLUGIN.replace("random[0] - 0.5", "random[0] - 0.2"))
    run(folder, "launch", "space.yaml", "--executor", "inline", "--data", "data")
    now, every = rows(folder), rows(folder, "--all")
    assert (len(now), len(every)) == (9, 9 + 6)
    assert len({row["code"] for row in every if row["attack"] == "my_signs"}) == 2
    assert not [row for row in every if row["attack"] == "pgd" and row.get("code")]
    assert [row for row in now if row["attack"] == "pgd"] == [row for row in before if row["attack"] == "pgd"]
    run(folder, "report", "space")
    assert "my_signs" in (folder / "space-report.html").read_text()


@pytest.mark.parametrize("name", ["progress", "results", "figures", "models", "examples"])
def test_the_dashboard_shows_it(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(folder / "sweeps"))
    monkeypatch.setenv("ROBUSTSWEEP_DATA", str(folder / "data"))
    page = AppTest.from_string(f"from orchestrator.dashboard.{name}_page import page\npage()", default_timeout=120).run()
    assert [error.value for error in (*page.exception, *page.error)] == []
    if name == "results":
        assert set(page.dataframe[0].value["attack"]) == {"my_signs", "pgd"}
    if name == "examples":
        assert page.get("image")
