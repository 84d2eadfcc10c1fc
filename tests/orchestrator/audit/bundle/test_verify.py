"""Bundles: a true claim stands, a changed file is refused, and a false claim with checksums that fit does not stand."""

import io
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save, save_file
from typer.testing import CliRunner

import robustsweep as rs
from orchestrator.audit.bundle.archive import read_archive
from orchestrator.audit.bundle.contents import EXAMPLES, MODEL
from orchestrator.cli.app import app
from orchestrator.cli.main import main  # noqa: F401 (the commands register themselves)
from tests.orchestrator.audit.bundle.made import (
    ATTACK,
    CLASSES,
    Files,
    Linear,
    N,
    bundle,
    linear,
    outcome,
    retell,
    retold,
    stored,
    with_outcome,
)
from workers.artifacts.outcomes import FlagsOutcome
from workers.errors import UserError
from workers.spec.attack import AttackSettings, parts

Change = Callable[[dict[str, Any], Files], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return bundle(tmp_path / "net.bundle")


def test_a_true_claim_stands_and_says_what_was_recomputed(path: Path) -> None:
    found = rs.verify(path, examples=25, seed=0)
    assert found.stands
    assert found.claim.clean_accuracy == 37 / N
    assert 0 < found.claim.robust_accuracy < 37 / N
    said = f"of 40 examples 92.5 % are right, and at most {100 * found.claim.robust_accuracy:.1f} % within linf 8/255"
    assert found.line == f"{path}: the claim stands: {said}; 50 outcomes on 25 random examples, without and under 1 attacks, are as said"
    done = CliRunner().invoke(app, ["verify", str(path), "--examples", "1000"])
    assert (done.exit_code, done.stdout.splitlines()[1]) == (0, f"sha256 {found.digest}")
    assert "80 outcomes on 40 random examples" in done.stdout


def test_equal_contents_are_equal_bytes_in_files_that_are_not_compressed(path: Path, tmp_path: Path) -> None:
    assert bundle(tmp_path / "again").read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["bundle.json", ATTACK, EXAMPLES, MODEL]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def replaced(path: Path, name: str, change: Callable[[bytes], bytes], *, kind: int = zipfile.ZIP_STORED, rename: str | None = None) -> None:
    """Write the archive again with another content, compression or name of one file, without new checksums."""
    with zipfile.ZipFile(path) as archive:
        files = {found: archive.read(found) for found in archive.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for found, content in files.items():
            if found == name:
                archive.writestr(rename or found, change(content), compress_type=kind)
            else:
                archive.writestr(found, content)
    path.write_bytes(buffer.getvalue())


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "is no bundle, or is cut off: File is not a zip file"),
    "cut in the middle": (lambda path: path.write_bytes(path.read_bytes()[5000:]), "its files overlap, or one is there twice"),
    "a bit": (lambda path: path.write_bytes(path.read_bytes().replace(b"8/255", b"4/255")), "is no bundle, or is cut off: Bad CRC-32"),
    "a figure": (lambda path: replaced(path, "bundle.json", lambda text: text.replace(b"8/255", b"4/255")), "bundle.json was changed"),
    "an image": (lambda path: replaced(path, ATTACK, lambda data: data[:-4] + b"\0\0\0\0"), f"{ATTACK} was changed"),
    "weights": (lambda path: replaced(path, MODEL, lambda data: data[:-4] + b"\0\0\0\0"), f"{MODEL} was changed"),
    "compressed": (lambda path: replaced(path, EXAMPLES, bytes, kind=zipfile.ZIP_DEFLATED), f"{EXAMPLES} is compressed or encrypted"),
    "elsewhere": (lambda path: replaced(path, MODEL, bytes, rename="../model.safetensors"), r"holds '../model.safetensors'; a bundle has"),
    "a pickle": (lambda path: replaced(path, MODEL, bytes, rename="model.pt"), r"holds 'model.pt'; a bundle has"),
    "another file": (
        lambda path: replaced(path, MODEL, bytes, rename="more.safetensors"),
        "its files are not those that bundle.json names",
    ),
    "a later format": (lambda path: replaced(path, "bundle.json", lambda text: text.replace(b'n": 1', b'n": 2')), "is of format 2; this"),
    "no bundle": (lambda path: replaced(path, "bundle.json", lambda _: b"{}"), "has no bundle.json of a bundle"),
    "no file": (lambda path: path.unlink(), "cannot be read: no such file"),
}


@pytest.mark.parametrize(("tamper", "said"), TAMPERED.values(), ids=TAMPERED)
def test_what_was_changed_or_is_no_bundle_is_refused_in_one_line(path: Path, tamper: Callable[[Path], object], said: str) -> None:
    tamper(path)
    done = CliRunner().invoke(app, ["verify", str(path)])
    assert isinstance(done.exception, UserError)
    assert done.exception.exit_code == 2
    assert str(done.exception).startswith(f"{path}: ")
    assert said in str(done.exception)
    assert "\n" not in str(done.exception)


def _flag(contents: dict[str, Any], _: Files) -> None:
    flags = outcome(contents)
    flags[0, (~flags[0]).nonzero()[0][-1]] = True
    with_outcome(contents, flags)


def _figure(contents: dict[str, Any], _: Files) -> None:
    contents["claim"]["robust_accuracy"] = 0.9


def _epsilon(contents: dict[str, Any], _: Files) -> None:
    contents["claim"]["epsilon"] = 0.5


def _wider_attack(contents: dict[str, Any], _: Files) -> None:
    """Say of the attack and of the claim that they had twice the epsilon."""
    for found in (contents["claim"], contents["attacks"][0]["spec"]["attack"]):
        found["epsilon"], found["epsilon_literal"] = 16 / 255, "16/255"


def _image(change: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Change:
    def retouch(_: dict[str, Any], files: Files) -> None:
        found, clean = load(files[ATTACK]), load(files[EXAMPLES])["clean"]
        files[ATTACK] = save(found | {"adversarial": change(found["adversarial"], clean)})

    return retouch


def _nothing(contents: dict[str, Any], files: Files) -> None:
    found = load(files[ATTACK])
    kept = torch.from_numpy(outcome(contents)[0])
    files[ATTACK] = save({name: values[kept].clone() for name, values in found.items()})


def _weights(_: dict[str, Any], files: Files) -> None:
    files[MODEL] = stored(linear("another_linear_of_tests", seed=7), "another_linear_of_tests")


def _not_given(contents: dict[str, Any], files: Files) -> None:
    """Leave out what was made of an example that stays right."""
    found, kept = load(files[ATTACK]), torch.ones(N, dtype=torch.bool)
    kept[outcome(contents)[0].nonzero()[0][0]] = False
    files[ATTACK] = save({name: values[kept].clone() for name, values in found.items()})


def _suite(contents: dict[str, Any], _: Files, *, alike: bool = False) -> None:
    """Add a suite and its last attack, whose outcome the suite has not."""
    (attack,) = contents["attacks"]
    shared = attack["spec"]["attack"] | {"settings": {}, "name": "autoattack"}
    *before, last = parts(AttackSettings.model_validate(shared), early_stop=True)
    after = ", ".join(part.name for part in before)
    attack["spec"] |= {"attack": last.model_dump(mode="json"), "after": after}
    other = attack["outcome"] if alike else FlagsOutcome.pack(np.ones((1, N), dtype=np.bool_)).model_dump(mode="json")
    suite = attack | {"key": "b" * 64, "file": None, "outcome": other, "spec": attack["spec"] | {"attack": shared, "after": ""}}
    contents["attacks"].append(suite)


FALSE: dict[str, tuple[Change, str]] = {
    "a flag": (_flag, r"is said to be right, and is wrong \(1 of 80 outcomes on 40 random examples differ\)"),
    "a figure": (_figure, "the robust accuracy is said to be .* %, the outcomes in the bundle give"),
    "a wider ball": (_epsilon, "has the ball linf 0.0313725, the claim linf 0.5"),
    "a wider ball, of the attack too": (
        _wider_attack,
        "no adversarial example lies farther than 0.0314 from its input, and attacks within",
    ),
    "out of the ball": (_image(lambda made, _: made + 0.01), r"outside the ball of epsilon 0.0313725\d* \(linf\)"),
    "out of the bounds": (_image(lambda made, clean: torch.where(clean > 0.79, 1.5, made)), "outside"),
    "clean ones": (_image(lambda _, clean: clean), "is said to be wrong, and is right"),
    "none that fools": (_nothing, "counts as fooled, and nothing in the bundle fools it"),
    "one that was not attacked": (_not_given, "is said to be right, and was not attacked"),
    "a suite": (_suite, "autoattack .*: its outcomes are not those after its last attack, square"),
    "other weights": (_weights, "model.safetensors holds other weights"),
}


@pytest.mark.parametrize(("change", "said"), FALSE.values(), ids=FALSE)
def test_a_false_claim_with_checksums_that_fit_does_not_stand(path: Path, change: Change, said: str) -> None:
    retold(path, change)
    found = rs.verify(path)
    assert not found.stands
    done = CliRunner().invoke(app, ["verify", str(path)])
    assert done.exit_code == 1
    assert done.stdout.startswith(f"{path}: the claim does not stand: ")
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(found.line)


def test_a_suite_with_the_outcomes_of_its_last_attack_stands(path: Path) -> None:
    retold(path, lambda contents, files: _suite(contents, files, alike=True))
    found = rs.verify(path)
    assert found.stands, found.line


def test_weights_are_taken_from_a_file_where_it_is_that_of_the_claim(path: Path, tmp_path: Path) -> None:
    for seed, name in ((1, "own"), (7, "other")):
        save_file(linear(f"{name}_linear_of_tests", seed=seed).state_dict(), tmp_path / f"{name}.safetensors")
    assert rs.verify(path, weights=tmp_path / "own.safetensors").stands
    refused = rs.verify(path, weights=tmp_path / "other.safetensors")
    assert not refused.stands
    assert "other.safetensors holds other weights" in refused.line
    with pytest.raises(UserError, match=r"must be a state dict in a file \.safetensors, \.pt, \.pth"):
        rs.verify(path, weights=tmp_path / "own.bin")


def test_a_network_that_is_registered_nowhere_is_given_in_python(path: Path) -> None:
    retold(path, lambda contents, _: contents["model"]["model"].update(name="linear_of_nobody"))
    with pytest.raises(UserError, match=r"model 'linear_of_nobody' is not known here; give its code with --plugin FILE, or in Python"):
        rs.verify(path)
    assert rs.verify(path, network=Linear().eval()).stands


def test_the_claim_about_a_randomised_network_stands_up_to_the_luck_of_draws(tmp_path: Path) -> None:
    path = bundle(tmp_path / "noisy", "noisy_linear_of_tests", noise=0.1, draws=4)
    found = rs.verify(path, seed=0)
    assert found.stands, found.line
    assert "in agreement with fresh draws without and under 1 attacks; most different" in found.line
    assert "% interval" in found.line
    retold(path, lambda contents, _: with_outcome(contents, np.ones((4, N), dtype=bool)))
    refused = rs.verify(path, seed=0)
    assert not refused.stands
    assert "100.0 % are said to be right" in refused.line


def test_labels_and_places_outside_their_range_are_refused(path: Path) -> None:
    original = path.read_bytes()

    def labels(_: dict[str, Any], files: Files) -> None:
        found = load(files[EXAMPLES])
        files[EXAMPLES] = save(found | {"labels": found["labels"] + CLASSES})

    def places(_: dict[str, Any], files: Files) -> None:
        found = load(files[ATTACK])
        files[ATTACK] = save(found | {"places": found["places"] + 1})

    for change, said in ((labels, r"has labels outside \[0, 3\]"), (places, r"places must ascend within \[0, 39\]")):
        path.write_bytes(original)
        with pytest.raises(UserError, match=said):
            rs.verify(retold(path, change))


def test_other_versions_are_noted(path: Path) -> None:
    retold(path, lambda contents, _: contents["environments"][0]["versions"].update(torch="1.0"))
    (note,) = rs.verify(path).notes
    assert note == f"note: made with torch 1.0, verified with {version('torch')}"


def test_the_claim_is_retold_from_the_outcomes(path: Path) -> None:
    archive = read_archive(path)
    contents = dict(archive.contents)
    before = dict(contents["claim"])
    retell(contents)
    assert contents["claim"] == before
