import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.builders import result_of, small_plan
from workers.results import RESULT, EpochRecord, FlagsOutcome

FLAGS = st.lists(st.booleans(), max_size=40)


@given(flags=FLAGS)
def test_flags_survive_packing(flags):
    outcome = FlagsOutcome.pack(flags)
    assert outcome.correct().tolist() == flags
    assert (outcome.n_examples, outcome.n_correct) == (len(flags), sum(flags))


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
