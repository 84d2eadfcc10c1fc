import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.data.loading import Split, balanced_subset

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=40).map(lambda labels: np.array(labels, dtype=np.int64))


@st.composite
def labels_and_count(draw):
    labels = draw(LABELS)
    return labels, draw(st.integers(0, len(labels)))


@given(drawn=labels_and_count())
def test_a_subset_has_the_asked_number_of_different_examples(drawn):
    labels, count = drawn
    chosen = balanced_subset(labels, count)
    assert len(chosen) == len(set(chosen.tolist())) == count


@given(drawn=labels_and_count())
def test_class_counts_differ_by_at_most_one_until_a_class_is_used_up(drawn):
    labels, count = drawn
    taken = np.bincount(labels[balanced_subset(labels, count)], minlength=5)
    there = np.bincount(labels, minlength=5)
    most = taken.max()
    assert all(most - n <= 1 for n, available in zip(taken, there, strict=True) if n < available)


@given(drawn=labels_and_count())
def test_a_longer_subset_starts_with_the_shorter_one(drawn):
    labels, count = drawn
    assert balanced_subset(labels, len(labels))[:count].tolist() == balanced_subset(labels, count).tolist()


@given(drawn=labels_and_count())
def test_each_class_is_taken_in_file_order_from_its_first_example(drawn):
    labels, count = drawn
    chosen = balanced_subset(labels, count)
    for label in set(labels.tolist()):
        ours = chosen[labels[chosen] == label].tolist()
        assert ours == np.flatnonzero(labels == label)[: len(ours)].tolist()


def test_more_examples_than_there_are_is_an_error_with_both_numbers():
    with pytest.raises(ValueError, match="4 examples asked for: the split has 3"):
        balanced_subset(np.array([0, 1, 0]), 4)


def test_the_first_examples_of_a_split_keep_inputs_and_labels_together():
    labels = np.array([1, 1, 0, 0, 0], dtype=np.int64)
    chosen = Split(np.arange(5), labels).first(4)
    assert chosen.inputs.tolist() == [2, 0, 3, 1]
    assert chosen.labels.tolist() == [0, 1, 0, 1]


def test_all_examples_come_in_file_order():
    whole = Split(np.arange(3), np.array([1, 0, 1]))
    assert whole.first(None) is whole


def test_the_first_of_the_file_are_taken_as_they_come():
    split = Split(np.arange(6, dtype=np.float32), np.array([0, 0, 0, 1, 1, 2]))
    assert split.first(3).inputs.tolist() == [0, 3, 5]
    assert split.first(3, order="file").inputs.tolist() == [0, 1, 2]
    assert split.first(None, order="file") is split.first(None) is split
    with pytest.raises(ValueError, match="7 examples asked for: the split has 6"):
        split.first(7, order="file")
