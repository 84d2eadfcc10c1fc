"""A worker that is killed costs one attempt and changes no result, whatever it was doing."""

import pytest

from tests.faults.judging import Judge, attempts
from tests.faults.processes import wait_for
from tests.faults.sweeps import Sweep, Watch

pytestmark = pytest.mark.timeout(900)  # several launches; seconds where nothing else computes

MOMENTS = ("training", "attacking", "writing")
_OUTCOME = "one more attempt, from the last save"


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(("attacking",), marks=pytest.mark.fault("worker killed (SIGKILL) while attacking", outcome=_OUTCOME)),
        pytest.param(
            MOMENTS,
            marks=[
                pytest.mark.slow,
                *(pytest.mark.fault(f"worker killed (SIGKILL) while {moment}", outcome=_OUTCOME) for moment in MOMENTS),
            ],
        ),
    ],
    ids=", ".join,
)
def test_killed_workers_change_nothing(moments: tuple[str, ...], sweep: Sweep, quiet: Sweep, watch: Watch, judge: Judge) -> None:
    with sweep.launched() as launch:
        for moment in moments:
            wait_for(lambda moment=moment: launch.kill_workers_if(sweep, moment) or not launch.running, every=0.01, what=moment)
            assert launch.running, f"the sweep ended before a worker was {moment}"
        assert launch.finish() == 0, launch.log.read_text()
    failed = [outcome for tried in attempts(sweep).values() for outcome, _ in tried if outcome != "done"]
    assert len(failed) >= len(moments)
    assert set(failed) == {"failed"}
    judge(sweep, quiet, watch)
