import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from workers.data import DATASETS
from workers.data.cifar10 import _ArraysOnly
from workers.errors import DataError

CIFAR10 = DATASETS["cifar10"]
BATCHES = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"]
ROOT = os.environ.get("ROBUSTSWEEP_DATA")
needs_data = pytest.mark.skipif(ROOT is None, reason="ROBUSTSWEEP_DATA is unset: it names the folder that holds cifar-10-batches-py/")


def folder(root: Path, *, without: str = "") -> Path:
    """A data root with a (bogus) file for every batch but one."""
    batches = root / "cifar-10-batches-py"
    batches.mkdir()
    for name in BATCHES:
        if name != without:
            (batches / name).write_bytes(b"not a batch")
    return root


@needs_data
@pytest.mark.filterwarnings("ignore:dtype\\(\\).* align should be passed")  # torchvision's reader, on files that Python 2 wrote
@pytest.mark.parametrize("part", ["train", "test"])
def test_images_and_labels_are_those_that_torchvision_reads(part):
    torchvision = pytest.importorskip("torchvision")
    theirs = torchvision.datasets.CIFAR10(ROOT, train=part == "train", download=False)
    ours = getattr(CIFAR10.load(Path(ROOT)), part)
    assert ours.labels.tolist() == theirs.targets
    assert ours.inputs.dtype == np.uint8
    some = np.random.default_rng(0).choice(len(theirs), 500, replace=False)
    np.testing.assert_array_equal(ours.inputs[some], theirs.data[some].transpose(0, 3, 1, 2))


@needs_data
def test_both_splits_have_the_announced_sizes():
    data = CIFAR10.load(Path(ROOT))
    assert data.train.inputs.shape == (CIFAR10.n_train, *CIFAR10.info.shape)
    assert data.test.inputs.shape == (CIFAR10.n_test, *CIFAR10.info.shape)
    assert np.bincount(data.test.labels).tolist() == [1000] * 10


@needs_data
def test_the_normalisation_is_the_training_splits_mean_and_deviation():
    some = CIFAR10.load(Path(ROOT)).train.inputs[::10] / 255
    np.testing.assert_allclose(some.mean(axis=(0, 2, 3)), CIFAR10.info.mean, atol=5e-3)
    np.testing.assert_allclose(some.std(axis=(0, 2, 3)), CIFAR10.info.std, atol=5e-3)


@needs_data
def test_one_flipped_byte_is_found_and_the_file_named(tmp_path):
    batches = tmp_path / "cifar-10-batches-py"
    batches.mkdir()
    for name in BATCHES:
        (batches / name).symlink_to(Path(ROOT, batches.name, name))
    content = bytearray((batches / "data_batch_3").read_bytes())
    content[len(content) // 2] ^= 1
    (batches / "data_batch_3").unlink()
    (batches / "data_batch_3").write_bytes(content)
    CIFAR10.check(tmp_path)
    with pytest.raises(DataError, match=r"cifar-10-batches-py/data_batch_3 is corrupt: its MD5 is [0-9a-f]{32}"):
        CIFAR10.load(tmp_path)


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("ask", [CIFAR10.check, CIFAR10.load])
def test_a_missing_file_is_named_with_its_folder_and_how_to_get_it(tmp_path, name, ask):
    with pytest.raises(DataError, match=rf"looked for {name} in {tmp_path}/cifar-10-batches-py: not there; get it with") as caught:
        ask(folder(tmp_path, without=name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ask", [CIFAR10.check, CIFAR10.load])
def test_no_data_root_is_an_error_that_says_how_to_give_one(ask):
    with pytest.raises(DataError, match=r"no data folder given \(--data DIR or ROBUSTSWEEP_DATA"):
        ask(None)


def test_checking_reads_no_file_and_loading_refuses_what_is_not_published(tmp_path):
    CIFAR10.check(folder(tmp_path))
    with pytest.raises(DataError, match="data_batch_1 is corrupt"):
        CIFAR10.load(tmp_path)


class Reduced:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("call", [(os.getcwd,), (eval, "1"), (getattr, np.ndarray, "dump"), (np.load, "x")])
def test_a_pickle_that_calls_anything_but_numpy_arrays_is_refused(protocol, call):
    content = pickle.dumps({b"data": Reduced(*call)}, protocol=protocol)
    with pytest.raises(pickle.UnpicklingError, match="not part of a CIFAR-10 batch"):
        _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
