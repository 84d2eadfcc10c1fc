import pytest
from ray.tune import result as tune_keys

from orchestrator.executors.attempt import Messages, record_message
from workers.artifacts.outcomes import BatchRecord, EpochRecord

RECORDS = [EpochRecord(epoch=1, loss=1.0, accuracy=0.5, learning_rate=0.1), BatchRecord(done=8, total=20, before=4)]


@pytest.mark.parametrize("record", RECORDS, ids=["epoch", "batch"])
def test_no_report_on_the_way_has_the_key_that_ends_a_trial(record: EpochRecord | BatchRecord) -> None:
    message = record_message(record)
    assert tune_keys.DONE not in message
    if isinstance(record, BatchRecord):
        assert BatchRecord.model_validate(message["batch"]) == record


def test_short_jobs_are_reported_together_and_before_anything_about_the_next_one() -> None:
    sent: list[dict[str, object]] = []
    messages = Messages(sent.append)
    messages.done({"key": "a"})
    messages.done({"key": "b"})
    assert sent == []
    messages.send({"epoch": 1})
    messages.flush()
    assert sent == [{"done_jobs": ({"key": "a"}, {"key": "b"})}, {"epoch": 1}]
