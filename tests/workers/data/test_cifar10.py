import hashlib
import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest

from tests.workers.small import data_set
from workers.errors import DataError

CIFAR10 = data_set("cifar10")
BATCHES = [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"]
ROOT = os.environ.get("ROBUSTSWEEP_DATA")
needs_data = pytest.mark.skipif(ROOT is None, reason="ROBUSTSWEEP_DATA is unset: it names the folder that holds cifar-10-batches-py/")


def folder(root: Path, *, without: str = "") -> Path:
    """A data root with a (bogus) file of every name but one."""
    batches = root / "cifar-10-batches-py"
    batches.mkdir()
    for name in BATCHES:
        if name != without:
            (batches / name).write_bytes(b"not a batch")
    return root


@needs_data
@pytest.mark.parametrize(
    ("part", "inputs", "labels"),
    [
        (
            "train",
            "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111",
            "f5cfe00b0f00968c0cc5ff3b1d2de51b10e33efa277c2986f4e0fa63e58c9f4f",
        ),
        (
            "test",
            "177777c33ba79825320efa646ad04a94bdc3c80e4ebe3bd21724f8cdfd4b9d56",
            "cbb7365de8ed11f05cc4c3a1e7f78144127c5e851efd83762fb18202461230bb",
        ),
    ],
)
def test_images_and_labels_stay_the_same_to_the_last_bit(part, inputs, labels):
    split = getattr(CIFAR10.load(Path(ROOT)), part)
    assert (split.inputs.dtype, split.labels.dtype) == (np.uint8, np.int64)
    assert split.inputs.flags.c_contiguous
    assert [hashlib.sha256(array.tobytes()).hexdigest() for array in (split.inputs, split.labels)] == [inputs, labels]


@needs_data
def test_images_are_planes_of_red_green_and_blue_in_the_files_order():
    with Path(ROOT, "cifar-10-batches-py", "test_batch").open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fields = pickle.load(file, encoding="bytes")
    test = CIFAR10.load(Path(ROOT)).test
    assert test.labels.tolist() == fields[b"labels"]
    np.testing.assert_array_equal(test.inputs.reshape(10_000, 3072), fields[b"data"])


@needs_data
def test_both_splits_have_the_announced_sizes():
    data = CIFAR10.load(Path(ROOT))
    assert data.train.inputs.shape == (CIFAR10.sizes(None)[0], *CIFAR10.info.shape)
    assert data.test.inputs.shape == (CIFAR10.sizes(None)[1], *CIFAR10.info.shape)
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
@pytest.mark.parametrize("name", BATCHES)
def test_a_pickle_that_is_not_published_is_refused_before_it_can_call_anything(tmp_path, protocol, name):
    content = pickle.dumps({"data": Reduced(os.mkdir, f"{tmp_path}/called")}, protocol=protocol)
    (folder(tmp_path) / "cifar-10-batches-py" / name).write_bytes(content)
    with pytest.raises(DataError, match="is corrupt"):
        CIFAR10.load(tmp_path)
    assert not (tmp_path / "called").exists()
