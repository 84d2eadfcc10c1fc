"""Grids over a network of one's own and its settings, launched and looked at as a user does: 8 models, and 200 with the slow tests."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.browsers import complaints, opened
from tests.commands import PROGRAM, environment, robustsweep

NETS = '''
from torch import nn
import robustsweep as rs

@rs.model(modality="image")
def perceptron(info, *, depth: int = 1, hidden: int = 8, activation: str = "ReLU") -> nn.Module:
    """Dense layers, `depth` of them hidden."""
    size, layers = info.shape[0] * info.shape[1] * info.shape[2], [nn.Flatten()]
    for _ in range(depth):
        layers += [nn.Linear(size, hidden), getattr(nn, activation)()]
        size = hidden
    return nn.Sequential(*layers, nn.Linear(size, info.n_classes))
'''
SPACE = """
plugins: [nets.py]
data: {{name: digits, train_examples: 100}}
model: {{name: perceptron, tensorized: false, depth: [1, 2], hidden: {hidden}, activation: {activation}}}
training: {{epochs: 1, batch_size: 20, learning_rate: {learning_rate}, weight_decay: {weight_decay}}}
evaluation: {{examples: 20, batch_size: 20}}
attacks: [{{attack: fgsm, epsilon: [2/255, 8/255]}}]
"""
SMALL = {"hidden": "[8, 16]", "activation": "ReLU", "learning_rate": "[0.01, 0.1]", "weight_decay": "0.0"}
LARGE = {
    "hidden": "[8, 16, 32, 64, 128]",
    "activation": "[ReLU, Tanh]",
    "learning_rate": "[0.003, 0.01, 0.03, 0.1, 0.3]",
    "weight_decay": "[0.0, 0.001]",
}


def launched(folder: Path, axes: dict[str, str]) -> Path:
    (folder / "nets.py").write_text(NETS)
    (folder / "own.yaml").write_text(SPACE.format(**axes))
    launch = [*PROGRAM, "launch", "own.yaml", "--executor", "inline"]
    done = subprocess.run(launch, cwd=folder, env=environment(), capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return launched(tmp_path_factory.mktemp("own"), SMALL)


def said(home: Path, *arguments: str) -> str:
    done = robustsweep(*arguments, cwd=home)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("results", "own"),
        ("results", "own", "-f", "csv"),
        ("results", "own", "--where", "depth=2", "--sort=-model.hidden"),
        ("results", "own", "--group-by", "depth,hidden,learning_rate,attack,knowledge,epsilon"),
        ("results", "own", "--pivot", "hidden,epsilon"),
        ("verdicts", "own"),
        ("best", "own", "--epsilon", "8/255", "--any-verdict"),
        ("plan", "own.yaml"),
        ("query", "SELECT model.settings.hidden, depth, learning_rate FROM v_models WHERE batch_size = 20"),
    ],
    ids=" ".join,
)
def test_settings_of_ones_own_network_tell_models_apart(home: Path, arguments: tuple[str, ...]) -> None:
    shown = said(home, *arguments)
    assert all(name in shown for name in ("hidden", "depth", "learning_rate") if name not in ("depth",) or "--pivot" not in arguments)
    assert "16" in shown


def test_the_plan_says_once_what_all_models_have_alike(home: Path) -> None:
    shown = " ".join(said(home, "plan", "own.yaml").split())
    assert "All models: dataset digits, train_examples 100, model perceptron, tensorized false, theta 1, activation ReLU" in shown


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_models_can_be_told_apart_chosen_and_searched(tmp_path: Path) -> None:
    home = launched(tmp_path, LARGE)
    rows = json.loads(said(home, "results", "own", "-f", "json"))
    assert len({row["model_key"] for row in rows}) == 200
    table = said(home, "results", "own", "--limit", "5")
    assert "of 400" in " ".join(table.split()) or table.count("fgsm") == 5
    assert len(said(home, "plan", "own.yaml").splitlines()) < 70
    said(home, "report", "own", "--output", "own.html")
    with opened(home / "own.html") as browser:
        opening = "(async (d) => {d.open = true; await new Promise((r) => setTimeout(r, 3000)); return d.querySelectorAll('label').length})"
        assert browser.evaluate(f"{opening}(document.querySelector('#accuracy .models'))") == 200
        searched = (
            "(async (d) => {const s = d.querySelector('[type=search]'); s.value = 'depth 1 hidden 8, tanh'; "
            "s.dispatchEvent(new Event('input')); const l = [...d.querySelectorAll('label:not([hidden])')]; "
            "l[0].querySelector('input').click(); await new Promise((r) => setTimeout(r, 3000)); return l.map((e) => e.textContent)})"
        )
        found = browser.evaluate(f"{searched}(document.querySelector('#accuracy .models'))")
        assert found
        assert all("activation Tanh" in name and "hidden 8," in name for name in found)
        drawn = "[...document.querySelectorAll('#accuracy .plot, #pareto .pictures:not([hidden]) .plot')]"
        chosen = browser.evaluate(f"{drawn}.map((plot) => plot.data.filter((t) => t.meta === 'chosen').map((t) => t.name))")
        assert chosen == [[found[0].strip()]] * 2
        assert complaints(browser) == []
