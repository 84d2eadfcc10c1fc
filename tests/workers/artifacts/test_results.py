import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError

from tests.builders import result_of, small_plan
from workers.artifacts.outcomes import RESULT, EpochRecord, FlagsOutcome, unpack_flags

FLAGS = st.lists(st.booleans(), max_size=40)


@given(flags=FLAGS)
def test_flags_survive_packing(flags):
    outcome = FlagsOutcome.pack(flags)
    assert outcome.correct().tolist() == [flags]
    assert (outcome.n_examples, outcome.draws, outcome.n_correct) == (len(flags), 1, sum(flags))


@given(flags=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_flags_of_several_draws_survive_packing_each_draw_in_whole_bytes_of_its_own(flags):
    outcome = FlagsOutcome.pack(flags)
    draws, n_examples = flags.shape
    assert np.array_equal(outcome.correct(), flags)
    assert (outcome.draws, outcome.n_examples, outcome.n_correct) == (draws, n_examples, flags.sum())
    assert outcome.accuracy == pytest.approx(flags.mean())
    a_draw = -(-n_examples // 8)
    rows = [outcome.packed()[start : start + a_draw] for start in range(0, len(outcome.packed()), a_draw)]
    assert rows == [FlagsOutcome.pack(row).packed() for row in flags]


def test_results_of_before_there_were_draws_are_read_as_one_draw():
    old = FlagsOutcome.model_validate_json('{"kind": "flags", "n_examples": 10, "flags": "gEA="}')
    assert old.correct().tolist() == [[True] + [False] * 8 + [True]]
    assert (old.draws, old.accuracy) == (1, 0.2)


def test_flags_of_another_length_than_draws_and_examples_take_are_refused():
    assert unpack_flags(b"\x80\x80", n_examples=3, draws=2).tolist() == [[True, False, False]] * 2
    with pytest.raises(ValueError, match="2 bytes of flags for 3 examples in 1 draws: must be 1"):
        unpack_flags(b"\x80\x80", n_examples=3, draws=1)


def test_flags_are_packed_most_significant_bit_first():
    assert FlagsOutcome.pack([True] + [False] * 7 + [False, True]).packed() == bytes([0b1000_0000, 0b0100_0000])
    assert FlagsOutcome.pack(np.array([True])).flags == base64.b64encode(b"\x80").decode()


@pytest.mark.parametrize("job", small_plan()[:5], ids=lambda job: job.stage)
def test_results_of_every_stage_survive_json(job):
    result = result_of(job)
    assert RESULT.validate_json(RESULT.dump_json(result)) == result


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_record_that_is_not_finite_is_no_record(value):
    with pytest.raises(ValidationError, match="finite"):
        EpochRecord(epoch=1, loss=value, accuracy=0.5, learning_rate=0.1)
