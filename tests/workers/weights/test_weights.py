"""Weights trained elsewhere: one digest whatever the file, every way of storing them that is safe, and a line for every other."""

import pickle
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from workers.errors import JobError, UserError
from workers.weights.digest import digest_of, of_body
from workers.weights.file_digest import weights_digest
from workers.weights.place import WeightsPlace
from workers.weights.tensors import digest_of_tensors, from_safetensors, load_into, read_tensors, stored, to_safetensors


def net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 10))


STATE = net().state_dict()
DIGEST = digest_of_tensors(STATE)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def prefixed(prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in STATE.items()}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        prefixed("module."),
        prefixed("_orig_mod.module.model."),
        {"epoch": 3, "state_dict": prefixed("module.")},
        {"model": {"state_dict": STATE}, "optimizer": {"lr": 0.1}},
    ],
    ids=["plain", "module", "several", "nested", "twice nested"],
)
def test_pickled_and_safe_files_of_the_same_weights_have_one_digest(tmp_path: Path, content: dict[str, object]) -> None:
    torch.save(content, tmp_path / "a.pt")
    save_file(prefixed("module."), tmp_path / "a.safetensors")
    assert weights_digest(tmp_path / "a.pt") == weights_digest(tmp_path / "a.safetensors") == DIGEST
    assert digest_of(stored(read_tensors(tmp_path / "a.pt"))) == digest_of(stored(read_tensors(tmp_path / "a.safetensors"))) == DIGEST


@pytest.mark.parametrize("change", ["name", "type", "shape", "value"])
def test_every_other_weight_is_another_digest(change: str) -> None:
    other = dict(STATE)
    weight = other.pop("3.weight")
    other |= {
        "name": {"3.weights": weight},
        "type": {"3.weight": weight.double()},
        "shape": {"3.weight": weight.reshape(72, 10)},
        "value": {"3.weight": weight + 1e-3},
    }[change]
    assert digest_of_tensors(other) != DIGEST


def test_a_digest_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(STATE, path)
    assert weights_digest(path) == DIGEST
    (noted,) = (tmp_path / "cache" / "robustsweep" / "weights").iterdir()
    noted.write_text("f" * 64)
    assert weights_digest(path) == "f" * 64
    save_file({**STATE, "3.bias": STATE["3.bias"] + 1}, path)
    assert weights_digest(path) not in (DIGEST, "f" * 64)


def test_a_trained_models_file_gives_its_bare_network() -> None:
    content = to_safetensors({**prefixed("body."), "defence.scale": torch.ones(1)})
    assert of_body(content) == DIGEST


def test_a_stored_copy_is_checked_against_its_digest() -> None:
    assert from_safetensors(to_safetensors(STATE), digest=DIGEST).keys() == STATE.keys()
    with pytest.raises(JobError, match="has changed"):
        from_safetensors(to_safetensors({**STATE, "3.bias": STATE["3.bias"] + 1}), digest=DIGEST)
    with pytest.raises(JobError, match="damaged"):
        from_safetensors(to_safetensors(STATE)[:100], digest=DIGEST)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("run",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "whole.pt",
            net(),
            r"holds more than tensors, .*torch\.save\(torch\.load\('whole\.pt', weights_only=False\)\.state_dict\(\), 'weights\.pt'\)",
        ),
        ("evil.pth", {"state_dict": Evil()}, "holds more than tensors"),
        ("list.pt", [1, 2], "is no state dict .*: it holds a list"),
        ("other.pt", {"lr": 0.1, "steps": 3}, r"it holds lr \(float\), steps \(int\)"),
        ("nan.pt", {"w": torch.tensor([float("nan")])}, "not finite: w"),
        ("complex.pt", {"w": torch.ones(1, dtype=torch.complex64)}, r"of a kind that no network here has: w \(torch\.complex64\)"),
    ],
)
def test_anything_but_a_state_dict_is_refused_with_the_way_out(tmp_path: Path, name: str, content: object, message: str) -> None:
    torch.save(content, tmp_path / name)
    with pytest.raises(UserError, match=message) as raised:
        weights_digest(tmp_path / name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.safetensors", b"\xff" * 40), ("b.pt", b"PK\x03\x04"), ("c.pt", pickle.dumps({"a": 1})), ("d.safetensors", b"")],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"weights {tmp_path / name}: ") as raised:
        weights_digest(tmp_path / name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("wrn.ckpt", r"must be a state dict in a file \.safetensors, \.pt, \.pth, or a model's key; to convert .*torch\.load\('wrn\.ckpt'"),
        ("big.safetensors.index.json", r"to convert .*: save_file\(.* glob\('big-\*-of-\*\.safetensors'\) .* 'big\.safetensors'\)"),
        ("there.pt", "no such file: .*there.pt"),
        ("abc", "must be a state dict"),
    ],
)
def test_a_place_that_cannot_hold_weights_is_refused(tmp_path: Path, written: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WeightsPlace(written, tmp_path).check()


def test_a_key_is_no_file(tmp_path: Path) -> None:
    place = WeightsPlace("3f9a21", tmp_path)
    place.check()
    assert place.is_key


def test_weights_get_into_a_network_by_their_names() -> None:
    target = net(seed=1)
    load_into(target, STATE, name="net")
    assert all(torch.equal(tensor, STATE[name]) for name, tensor in target.state_dict().items())


def test_a_map_renames_the_beginnings_of_names() -> None:
    target = nn.ModuleDict({"features": net(seed=1)[:2], "head": net(seed=1)[3]})
    given = {
        **{f"backbone.{name}": STATE[name] for name in STATE if name[0] != "3"},
        "fc.weight": STATE["3.weight"],
        "fc.bias": STATE["3.bias"],
    }
    load_into(target, given, renamed={"backbone.": "features.", "fc.": "head."}, name="net")
    assert torch.equal(target["head"].weight, STATE["3.weight"])


def test_older_checkpoints_without_batch_norms_counter_and_tied_names_fit() -> None:
    target = net(seed=1)
    target.tied = target[3]
    load_into(target, {name: tensor for name, tensor in STATE.items() if "num_batches" not in name}, name="net")
    assert torch.equal(target.tied.weight, STATE["3.weight"])


def test_a_mismatch_is_named_tensor_by_tensor() -> None:
    given = {**STATE, "3.weight": torch.zeros(11, 72), "5.weight": torch.zeros(1)}
    del given["1.bias"]
    with pytest.raises(JobError) as raised:
        load_into(net(), given, name="net")
    said = "1 missing: 1.bias; 1 unexpected: 5.weight; 1 of another shape: 3.weight (11x72, the model's 10x72)"
    assert str(raised.value) == f"weights do not fit model net: {said}; weights_map renames the beginnings of names"


def test_halved_weights_fit_and_those_of_a_quantised_net_do_not() -> None:
    target = net(seed=1)
    load_into(target, {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in STATE.items()}, name="net")
    assert torch.equal(target[3].weight, STATE["3.weight"].half().float())
    with pytest.raises(JobError, match=r"weights do not fit model net: 1 of another type: 3\.weight \(I8, the model's F32\)$"):
        load_into(target, {**STATE, "3.weight": STATE["3.weight"].to(torch.int8)}, name="net")


def test_a_program_is_refused_with_the_way_to_its_weights(tmp_path: Path) -> None:
    with warnings.catch_warnings(action="ignore"):  # of its deprecation: such files are there
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"a\.pt: is a TorchScript program; convert it .*torch\.jit\.load\('a\.pt'\)\.state_dict\(\)"):
        weights_digest(tmp_path / "a.pt")
