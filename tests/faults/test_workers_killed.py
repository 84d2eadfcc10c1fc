"""A worker that is killed costs one attempt and changes no result, whatever it was doing."""

from pathlib import Path

import pytest

from tests.faults.judging import Judge, attempts
from tests.faults.processes import wait_for
from tests.faults.sweeps import Sweep, Watch

pytestmark = pytest.mark.timeout(900)  # several launches; seconds where nothing else computes

MOMENTS = ("training", "attacking", "writing")
_OUTCOME = "one more attempt, from the last save"
# One network under one attack: enough to be killed in.
_SHORT = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: 0.8}
training: {epochs: 2, batch_size: 32}
fine_tuning: {epochs: 1}
evaluation: {examples: 12, batch_size: 6, repeats: 2}
attacks: [{attack: pgd, epsilon: [2/255, 8/255], knowledge: [randomized, omniscient]}]
"""


def kill_workers(sweep: Sweep, moments: tuple[str, ...]) -> None:
    with sweep.launched() as launch:
        for moment in moments:
            wait_for(lambda moment=moment: launch.kill_workers_if(sweep, moment) or not launch.running, every=0.02, what=moment)
            assert launch.running, f"the sweep ended before a worker was {moment}"
        assert launch.finish() == 0, launch.log.read_text()
    failed = [outcome for tried in attempts(sweep).values() for outcome, _ in tried if outcome != "done"]
    assert len(failed) >= len(moments)
    assert set(failed) == {"failed"}


@pytest.mark.fault("worker killed (SIGKILL) while attacking", outcome=_OUTCOME)
def test_a_killed_worker_changes_nothing(tmp_path: Path, judge: Judge) -> None:
    sweep, quiet = (
        Sweep.make(tmp_path / "sweep", _SHORT, "--executor", "processes", "--workers", "1"),
        Sweep.make(tmp_path / "quiet", _SHORT),
    )
    quiet.run_quietly()
    with Watch(sweep) as watch:
        kill_workers(sweep, ("attacking",))
    judge(sweep, quiet, watch)


@pytest.mark.slow
@pytest.mark.fault("worker killed (SIGKILL) while training", outcome=_OUTCOME)
@pytest.mark.fault("worker killed (SIGKILL) while attacking", outcome=_OUTCOME)
@pytest.mark.fault("worker killed (SIGKILL) while writing", outcome=_OUTCOME)
def test_workers_killed_one_after_another_change_nothing(sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    kill_workers(sweep, MOMENTS)
    judge(sweep, quiet, watch)
