"""What is held out of training to choose by: which examples, by the data set alone, and what is left."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.data.loading import Dataset, Split
from workers.data.loading.device_split import DeviceSplit
from workers.data.loading.parts import held_out_of, part_of
from workers.errors import DataError, UserError
from workers.spec.component import DataSpec

LABELS = np.repeat(np.arange(5), [40, 40, 40, 40, 40]).astype(np.int64)


def splits(count: int = 200) -> Dataset:
    inputs = np.arange(count, dtype=np.float32)[:, None, None, None]
    labels = np.arange(count, dtype=np.int64) % 5
    return Dataset((inputs, labels), (inputs[:10] + 1000, labels[:10]))


@given(asked=st.one_of(st.integers(1, 199), st.floats(0.01, 0.99)))
def test_the_two_parts_are_all_examples_once_and_what_is_held_out_is_class_balanced(asked: float) -> None:
    division = held_out_of(LABELS, asked, name="five")
    assert sorted([*division.train, *division.validation]) == list(range(200))
    counts = np.bincount(LABELS[division.validation], minlength=5)
    assert counts.max() - counts.min() <= 1


def test_a_longer_set_contains_a_shorter_one_and_a_share_is_rounded_up() -> None:
    few, more = (set(held_out_of(LABELS, asked, name="five").validation.tolist()) for asked in (20, 50))
    assert few < more
    assert len(held_out_of(LABELS, 0.07, name="five").validation) == 14
    assert len(held_out_of(LABELS, 0.101, name="five").validation) == 21


def test_they_are_the_same_on_every_machine_and_in_every_version() -> None:
    assert held_out_of(LABELS, 5, name="five").validation.tolist() == [18, 61, 107, 146, 170]


def test_something_must_be_left_to_train_on() -> None:
    with pytest.raises(DataError, match="validation_examples=200: five has 200 training examples, and some must be left"):
        held_out_of(LABELS, 200, name="five")


def test_training_is_on_what_is_not_held_out_and_its_subset_is_taken_of_that() -> None:
    data, spec = splits(), DataSpec(name="digits", validation_examples=0.1)
    (train, kept), (_, held) = part_of(data, spec, "train"), part_of(data, spec, "validation")
    assert kept is not None
    assert held is not None
    put = DeviceSplit.put(train, torch.device("cpu"), count=30, among=kept)
    assert not set(put.inputs.flatten().int().tolist()) & set(held.tolist())
    assert np.bincount(put.labels.numpy()).tolist() == [6] * 5


def test_nothing_held_out_leaves_all_and_nothing_to_validate_on() -> None:
    data, spec = splits(), DataSpec(name="digits")
    assert part_of(data, spec, "train") == (data.train, None)
    with pytest.raises(UserError, match="validation_examples=0: nothing of digits is held out to measure on"):
        part_of(data, spec, "validation")


def test_a_published_validation_split_is_used_and_nothing_held_out_then() -> None:
    data = splits()
    own = Dataset(data.train, data.test, validation=lambda: Split(data.train.inputs[:20] + 5000, data.train.labels[:20]))
    assert part_of(own, DataSpec(name="digits", validation_examples=0.1), "train") == (own.train, None)
    validation, places = part_of(own, DataSpec(name="digits", validation_examples=0.1), "validation")
    assert (len(validation), places) == (20, None)
    _, first = part_of(own, DataSpec(name="digits", validation_examples=5), "validation")
    assert first is not None
    assert len(first) == 5
    with pytest.raises(UserError, match="validation_examples=21: digits's own validation split has 20 examples"):
        part_of(own, DataSpec(name="digits", validation_examples=21), "validation")


@pytest.mark.parametrize("wrong", [-1, 1.0, 0.0, True, "a tenth"])
def test_it_is_a_number_or_a_share(wrong: object) -> None:
    with pytest.raises(ValueError, match="validation_examples"):
        DataSpec.model_validate({"name": "digits", "validation_examples": wrong})
