"""Networks trained elsewhere go the whole way: adopted, decomposed, sketched, attacked; known by their weights, not by their files."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from orchestrator.launching.submission import write_files
from search_spaces import load_space
from tests.commands import robustsweep
from workers.components.facts import DatasetInfo
from workers.models.network import build
from workers.plugins import load_plugins
from workers.spec.model import ModelSpec

INFO = DatasetInfo(n_classes=3, shape=(3, 64, 64), mean=(0.5,) * 3, std=(0.25,) * 3)
PLUGIN = '''
"""Random images of 64 by 64 pixels in three classes."""
import numpy as np
import robustsweep as rs

INFO = rs.DatasetInfo(n_classes=3, shape=(3, 64, 64), mean=(0.5,) * 3, std=(0.25,) * 3)

def _split(count, seed):
    images = np.random.default_rng(seed).random((count, 3, 64, 64), dtype=np.float32)
    return rs.Split(images, np.arange(count, dtype=np.int64) % 3)

@rs.dataset(info=INFO, n_train=12, n_test=6)
def patterns(root):
    """Random images."""
    return rs.Dataset(train=_split(12, 0), test=_split(6, 1))
'''
SPACE = """
plugins: [patterns.py]
data: {name: patterns}
fine_tuning: {epochs: 0}
evaluation: {examples: 6, draws: 2}
attacks: [{attack: pgd, epsilon: 8/255, steps: 2}]
variants:
  - model: {name: "torchvision:mobilenet_v3_small", tensorized: false, weights: mobile.pt, normalisation: imagenet}
  - model:
      {name: "timm:test_vit", weights: vit.safetensors, init: decompose, tensorize_linear: true, theta: [1.0, 0.9],
       rank_fractions: {"blocks\\\\.0": 0.25}}
"""


def body(name: str) -> torch.nn.Module:
    return build(ModelSpec(name=name, tensorized=False), INFO, seed=5).body


def plan(folder: Path, *more: str) -> dict[str, object]:
    done = robustsweep("plan", "space.yaml", "-f", "json", *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def to_run(folder: Path, *more: str) -> list[dict[str, str]]:
    return [job for job in plan(folder, *more)["jobs"] if job["state"] == "to run"]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with weights and a space that adopts them, launched."""
    folder = tmp_path_factory.mktemp("adopted")
    (folder / "patterns.py").write_text(PLUGIN)
    (folder / "space.yaml").write_text(SPACE)
    torch.save(
        {"state_dict": {f"module.{name}": tensor for name, tensor in body("torchvision:mobilenet_v3_small").state_dict().items()}},
        folder / "mobile.pt",
    )
    save_file(body("timm:test_vit").state_dict(), folder / "vit.safetensors")
    launched = robustsweep("launch", "space.yaml", "--executor", "inline", cwd=folder)
    assert launched.returncode == 0, launched.stdout + launched.stderr
    return folder


def test_nothing_is_trained_that_has_weights(folder: Path) -> None:
    stages = {stage: counts["jobs"] for stage, counts in plan(folder)["stages"].items()}  # type: ignore[attr-defined]
    assert stages == {"adopt": 2, "fine_tune": 2, "evaluate": 3, "attack": 3}
    assert to_run(folder) == []


def test_results_name_the_weights_and_no_training(folder: Path) -> None:
    rows = json.loads(robustsweep("results", "space", "-f", "json", cwd=folder).stdout)
    assert {(row["model"], row["model_options"]["weights"]) for row in rows} == {
        ("torchvision:mobilenet_v3_small", "mobile.pt"),
        ("timm:test_vit", "vit.safetensors"),
    }
    assert {row["n_classes"] for row in rows} == {3}


def test_the_same_weights_in_another_file_are_the_same_models(folder: Path) -> None:
    torch.save({f"module.{name}": tensor for name, tensor in load_file(folder / "vit.safetensors").items()}, folder / "other.pth")
    assert to_run(folder, "--set", "variants.1.model.weights=other.pth") == []


def test_a_model_of_a_sweep_is_adopted_by_its_key(folder: Path) -> None:
    keys = [job["key"] for job in plan(folder)["jobs"] if job["stage"] == "adopt"]  # type: ignore[attr-defined]
    assert to_run(folder, "--set", f"variants.0.model.weights='{keys[0][:12]}'") == []


def test_other_weights_are_another_model(folder: Path) -> None:
    weights = load_file(folder / "vit.safetensors")
    save_file({**weights, "head.bias": weights["head.bias"] + 1}, folder / "edited.safetensors")
    stages = [job["stage"] for job in to_run(folder, "--set", "variants.1.model.weights=edited.safetensors")]
    assert sorted(set(stages)) == ["adopt", "attack", "evaluate", "fine_tune"]


def test_show_says_what_became_of_each_layer(folder: Path) -> None:
    key = next(job["key"] for job in plan(folder)["jobs"] if job["stage"] == "fine_tune")  # type: ignore[attr-defined]
    shown = robustsweep("show", key, cwd=folder).stdout
    assert "blocks.0.attn.qkv: [48, 16]" in shown


def test_the_plan_says_what_becomes_of_each_layer_and_why(folder: Path) -> None:
    done = robustsweep("plan", "space.yaml", "--layers", "-f", "csv", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = {line.partition(",")[0]: line for line in done.stdout.splitlines()}
    assert rows["blocks.0.attn.qkv"].startswith("blocks.0.attn.qkv,192x64,48x16,")
    assert "takes the input" in rows["patch_embed.proj"]
    assert "tensorized: false" in rows["classifier.3"]


def test_weights_that_do_not_fit_fail_their_own_model_alone(folder: Path) -> None:
    (folder / "wrong.yaml").write_text(SPACE.replace("weights: vit.safetensors", "weights: mobile.pt"))
    launched = robustsweep("launch", "wrong.yaml", "--executor", "inline", "--max-failures", "0", cwd=folder)
    assert launched.returncode == 1
    failed = robustsweep("status", "wrong", "--failed", cwd=folder).stdout
    assert "weights do not fit model timm:test_vit" in failed
    assert "missing" in failed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("variants.0.model.weights=wrn.ckpt", "must be a state dict in a file"),
        ("variants.0.model.weights=gone.pt", "no such file"),
        ("variants.0.model.weights='0000'", "no finished job among the artifacts"),
        ("variants.0.model.weights=null", "training: missing"),
        ("variants.0.model.weights_map={a: b}", None),
    ],
)
def test_a_mistake_is_one_line_before_anything_runs(folder: Path, override: str, message: str | None) -> None:
    done = robustsweep("plan", "space.yaml", "--set", override, cwd=folder)
    assert done.returncode == (0 if message is None else 2), done.stdout + done.stderr
    assert message is None or message in done.stderr
    assert "Traceback" not in done.stderr


def test_submit_sends_weights_next_to_the_space(folder: Path, tmp_path: Path) -> None:
    load_plugins([folder / "patterns.py"])
    file, _ = write_files(tmp_path, load_space(str(folder / "space.yaml")))
    assert {path.name for path in (tmp_path / file).parent.iterdir()} >= {"space.yaml", "mobile.pt", "vit.safetensors"}


def test_written_jobs_find_the_weights_among_the_artifacts(folder: Path, tmp_path: Path) -> None:
    done = robustsweep("plan", "space.yaml", "--write-jobs", str(tmp_path / "jobs"), "--home", str(tmp_path), cwd=folder)
    assert done.returncode == 0, done.stderr
    jobs = [json.loads(path.read_text()) for path in (tmp_path / "jobs").glob("*.json")]
    digests = {job["digests"]["weights"] for job in jobs if job["spec"]["stage"] == "adopt"}
    assert {path.stem for path in (tmp_path / "artifacts" / ".weights").iterdir()} == digests
    assert len(digests) == 2
