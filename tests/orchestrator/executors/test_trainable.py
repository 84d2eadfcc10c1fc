import pytest
from ray import tune
from ray.tune import result as tune_keys

from orchestrator.executors.ray_tune import trainable
from workers.artifacts.results import BatchRecord, EpochRecord

RECORDS = [EpochRecord(epoch=1, loss=1.0, accuracy=0.5, learning_rate=0.1), BatchRecord(done=8, total=20, before=4)]


@pytest.mark.parametrize("record", RECORDS, ids=["epoch", "batch"])
def test_no_report_on_the_way_has_the_key_that_ends_a_trial(record: EpochRecord | BatchRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[dict[str, object]] = []
    monkeypatch.setattr(tune, "report", heard.append)
    trainable._report(record)
    (metrics,) = heard
    assert tune_keys.DONE not in metrics
    if isinstance(record, BatchRecord):
        assert BatchRecord.model_validate(metrics["batch"]) == record
