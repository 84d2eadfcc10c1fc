"""Jobs that fail by themselves: they say why, are tried again where that may help, and leave the others alone."""

import resource
from pathlib import Path

import psutil
import pytest

from tests.commands import robustsweep
from tests.faults.judging import Judge, attempts
from tests.faults.processes import wait_for, workers
from tests.faults.sweeps import SPACE, Sweep, Watch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# The second variant's loss is NaN after a few steps; all of its own measurements wait for it in vain.
_DIVERGING = SPACE + "variants:\n  - {}\n  - training: {learning_rate: 1.0e+30}\n"
_SPARE_BYTES = 2 << 20
# Its attack takes tens of megabytes more than its training.
_LARGE = """
data: {name: digits, train_examples: 64}
model: {width: 4}
training: {epochs: 10, batch_size: 32}
evaluation: {examples: 300, batch_size: 300}
attacks: [{attack: pgd, epsilon: 8/255, steps: 2}]
"""


@pytest.mark.fault("NaN loss", outcome="the job fails after 3 attempts and says why; all others are done")
def test_a_job_whose_loss_is_nan_fails_clearly_and_the_others_are_done(tmp_path: Path, quiet: Sweep, judge: Judge) -> None:
    sweep = Sweep.make(tmp_path, _DIVERGING)
    with Watch(sweep) as watch:
        assert sweep.launch_to_the_end() == 1
    said = robustsweep("status", "tiny", "--failed", cwd=sweep.folder).stdout
    assert "the training loss is nan" in said
    assert "try a learning_rate below" in said
    judge(sweep, quiet, watch)


@pytest.mark.fault("worker out of memory", outcome="the attempt fails, the job is tried again in a new process")
def test_a_job_out_of_memory_is_tried_again(tmp_path: Path, judge: Judge) -> None:
    sweep, quiet = Sweep.make(tmp_path / "starved", _LARGE), Sweep.make(tmp_path / "quiet", _LARGE)
    quiet.run_quietly()
    with Watch(sweep) as watch, sweep.launched() as launch:
        wait_for(lambda: sweep.is_moment("training"), every=0.01, what="training")
        for pid in workers(launch.session):
            most = psutil.Process(pid).memory_info().vms + _SPARE_BYTES
            resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
        assert launch.finish() == 0, launch.log.read_text()
    assert "failed" in [outcome for tried in attempts(sweep).values() for outcome, _ in tried]
    judge(sweep, quiet, watch)
