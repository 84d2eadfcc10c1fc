"""A sweep from Python, as in a notebook: planned, launched, and looked at."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save

import robustsweep as rs
from orchestrator.cli.export_model import export_model
from orchestrator.report.sweep_page.page import render_page
from orchestrator.report.sweep_page.page_data import gather
from orchestrator.report.sweep_page.sections import sections
from tests.commands import robustsweep
from workers.artifacts.artifacts import Artifacts
from workers.errors import UserError

ROOT = Path(__file__).parents[3]
SPACE: dict[str, Any] = {
    "name": "by-hand",
    "data": {"name": "digits", "train_examples": 128},
    "model": {"name": "resnet18", "width": 4, "rank_fraction": 0.5, "theta": [0.9, 1.0]},
    "training": {"recipe": "custom", "epochs": 1},
    "evaluation": {"examples": 30, "batch_size": 30, "repeats": 1},
    "attacks": [
        {"attack": ["fgsm", "pgd"], "epsilon": ["4/255", "8/255"], "steps": 2, "knowledge": "omniscient"},
        {"attack": "fgsm", "epsilon": "16/255", "keep_examples": 5},
    ],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("by-hand")


@pytest.fixture(scope="module")
def swept(home: Path) -> rs.Sweep:
    return rs.launch(SPACE, home=home, executor="inline")


def test_a_plan_is_a_table_and_writes_nothing(tmp_path: Path) -> None:
    planned = rs.plan(SPACE, home=tmp_path, set={"model.theta": 0.9})
    assert planned.name == "by-hand"
    assert len(planned) > 3
    assert repr(planned).startswith(f"sweep by-hand: {len(planned)} jobs")
    assert f"sweep by-hand: {len(planned)} jobs" in planned._repr_html_()
    assert not list(tmp_path.iterdir())


def test_a_launched_sweep_has_nothing_left_to_run(swept: rs.Sweep, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(rs.plan(SPACE, home=home)) == 0
    assert yaml.safe_load((home / "spaces" / "by-hand.yaml").read_text()) == SPACE
    again = rs.launch(home / "spaces" / "by-hand.yaml", home=home, executor="inline")
    assert "nothing to do" in capsys.readouterr().out
    assert again.results().equals(swept.results())


def test_an_exported_model_is_the_model_without_store_and_artifacts(swept: rs.Sweep, home: Path, tmp_path: Path) -> None:
    key, file = swept.results(where=["theta=0.9"]).iloc[0]["model_key"], tmp_path / "net.safetensors"
    export_model(key[:8], file, home=home)
    inputs = torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    assert torch.equal(rs.load_model(file, seed=3)(inputs), swept.model(key, seed=3)(inputs))
    (tmp_path / "other.safetensors").write_bytes(save({"weight": inputs}))
    with pytest.raises(UserError, match=r"other.safetensors: names no model; must be a file of `robustsweep export-model`$"):
        rs.load_model(tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"cut.safetensors: cannot be read as a model: "):
        rs.load_model(tmp_path / "cut.safetensors")


def test_a_model_that_draws_is_no_program(swept: rs.Sweep, home: Path, tmp_path: Path) -> None:
    key = swept.results(where=["theta=0.9"]).iloc[0]["model_key"]
    with pytest.raises(UserError, match=rf"^model {key[:8]}: theta 0.9 draws a sketch at every pass, and a program without this library"):
        export_model(key, tmp_path / "net.pt2", home=home)
    with pytest.raises(UserError, match=r"net.bin: must end in one of .safetensors, .pt2, .onnx$"):
        export_model(key, tmp_path / "net.bin", home=home)
    assert not list(tmp_path.iterdir())


_WITHOUT_US = """
import sys
sys.modules.update(dict.fromkeys(("robustsweep", "orchestrator", "search_spaces", "workers")))  # importing them is an error
import numpy as np
{load}
np.save("logits.npy", {run})
"""
_PROGRAMS = {
    ".pt2": ("import torch; net = torch.export.load('net.pt2').module()", "net(torch.from_numpy(np.load('inputs.npy'))).numpy()"),
    ".onnx": (
        "from onnx.reference import ReferenceEvaluator; net = ReferenceEvaluator('net.onnx')",
        "net.run(['logits'], {'inputs': np.load('inputs.npy')})[0]",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("suffix", _PROGRAMS)
def test_a_program_gives_the_models_logits_where_robustsweep_is_not(swept: rs.Sweep, home: Path, tmp_path: Path, suffix: str) -> None:
    key, file = swept.results(where=["theta=1"]).iloc[0]["model_key"], tmp_path / f"net{suffix}"
    export_model(key, file, home=home)
    inputs = torch.rand((5, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    np.save(tmp_path / "inputs.npy", inputs.numpy())
    load, run = _PROGRAMS[suffix]
    subprocess.run([sys.executable, "-W", "ignore", "-c", _WITHOUT_US.format(load=load, run=run)], cwd=tmp_path, check=True, timeout=240)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), swept.model(key)(inputs).numpy(), rtol=1e-4, atol=1e-4)
    assert str(ROOT).encode() not in file.read_bytes()


def test_frames_of_a_sweep(swept: rs.Sweep, home: Path) -> None:
    found = swept.results(where=["attack=pgd", "epsilon=8/255", "theta=0.9"])
    assert len(found) == 1
    assert found.iloc[0]["robust_accuracy"] == swept.outcomes(found.iloc[0]).mean()
    assert set(swept.verdicts()["model_key"]) == set(swept.results()["model_key"])
    assert swept.failures().empty
    best = swept.best(epsilon="8/255")
    assert {"theta", "clean_accuracy", "verdict", "model key"} <= set(best.columns)
    assert len(best) in (1, 2)
    assert rs.sweep("by-hand", home=home).results().equals(swept.results())


def test_a_model_and_its_examples_give_the_measured_figures(swept: rs.Sweep) -> None:
    row = swept.results(where=["attack=pgd", "epsilon=8/255", "theta=1"]).iloc[0]
    network = swept.model(row["model_key"][:8])
    kept = swept.examples(row)
    assert abs(kept.adversarial - kept.clean).max() <= 8 / 255 + 1e-6
    with torch.no_grad():
        right = (network(torch.from_numpy(kept.adversarial)).argmax(1) == torch.from_numpy(kept.labels)).numpy()
    assert (right == swept.outcomes(row)[0, 0]).all()
    assert kept.after is not None
    assert ((kept.after.classes == kept.labels) == right).all()
    assert "fgsm 16/255" not in kept.title


def test_an_attack_with_keep_examples_keeps_these(swept: rs.Sweep, home: Path, tmp_path: Path) -> None:
    row = swept.results(where=["attack=fgsm", "epsilon=16/255", "theta=0.9"]).iloc[0]
    kept = swept.examples(row)
    assert len(kept) == 5
    assert kept.title.startswith("fgsm 16/255 randomized, repeat 0, on fine_tune resnet18")
    assert kept._repr_html_().count("<figure") == 15
    with rs.open_results(home) as results:
        assert (results.examples(row["job_keys"][0][:8]).adversarial == kept.adversarial).all()
    done = robustsweep("examples", row["job_keys"][0], "--home", home, "--out", "grid.png", "--count", "2", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "grid.png"), done.stderr
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_shows_the_kept_examples(swept: rs.Sweep, home: Path) -> None:
    with swept.opened() as store:
        html = render_page(evidence := gather(store, Artifacts(home / "artifacts"), "by-hand"), sections(evidence))
    section = html[html.index('id="adversarial"') :].partition("</section>")[0]
    assert section.count("<h3>") == 2
    assert section.count("data:image/png") == 2 * 4 * 3


def test_a_job_without_examples_says_so(swept: rs.Sweep) -> None:
    model = swept.results().iloc[0]["model_key"]
    with pytest.raises(UserError, match=r"job keeps none; attacks with keep_examples do, and of knowledge omniscient or transfer$"):
        swept.examples(model)


def test_figures_by_name(swept: rs.Sweep) -> None:
    figure = swept.figure("accuracy_epsilon", of="pgd")
    assert "pgd" in figure.layout.title.text
    assert len(figure.data) >= 2
    with pytest.raises(UserError, match=r"^figure 'acuracy': one of summary, accuracy_epsilon, smallest, pareto"):
        swept.figure("acuracy")
    with pytest.raises(UserError, match=r"^of='bim': no figure 'accuracy_epsilon' has it in its title; one of "):
        swept.figure(of="bim")
    with pytest.raises(UserError, match=r"^figure 'surfaces': To fill this: a space with a section surfaces"):
        swept.figure("surfaces")


def test_a_sweep_shows_its_status(swept: rs.Sweep) -> None:
    assert "by-hand" in repr(swept)
    assert swept._repr_html_().startswith("<pre")


@pytest.mark.parametrize(
    ("space", "overrides", "message"),
    [
        ({"data": {"name": "digits"}}, (), "^space: a mapping needs a name"),
        ({**SPACE, "name": "x", "model": {"theta": 1.3}}, (), r"theta=1.3: must be in \(0, 1\]"),
        ("quickstart", "model.theta=1", "^set='model.theta=1': a list of PATH=VALUE"),
        ("quickstrt", (), "^space 'quickstrt': neither a file nor a built-in space"),
    ],
)
def test_wrong_spaces_say_so(tmp_path: Path, space: Any, overrides: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rs.plan(space, home=tmp_path, set=overrides)


def test_a_sweep_that_is_not_there_says_so(swept: rs.Sweep, home: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="by-foot"):
        rs.sweep("by-foot", home=home)
    with pytest.raises(UserError, match=r"no such file; `robustsweep launch SPACE --home .*` makes it"):
        rs.sweep("by-hand", home=tmp_path)
