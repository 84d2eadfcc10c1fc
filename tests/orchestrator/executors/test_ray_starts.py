"""A Ray that does not start: a busy machine gives it more tries, and a launch that was told to stop none."""

from unittest import mock

import pytest
import ray

from orchestrator.executors.base import ExecutorLostError, Folders, Resources
from orchestrator.executors.ray_tune.ray_executor import RayExecutor

_BUSY = "The current node timed out during startup. This could happen because some of the raylet failed to startup."


@pytest.mark.parametrize(("interrupted", "starts"), [(False, 3), (True, 1)])
def test_ray_is_started_three_times_unless_the_launch_was_stopped(interrupted: bool, starts: int) -> None:
    said: list[str] = []
    sweep = mock.Mock(interrupted=interrupted, **{"queue.total.return_value": 0})
    with mock.patch.object(ray, "init", side_effect=Exception(_BUSY)) as start, pytest.raises(ExecutorLostError) as lost:
        RayExecutor(Folders("artifacts", None), Resources(), say=said.append).execute(sweep)
    assert start.call_count == starts
    assert str(lost.value) == f"Ray did not start on this machine: {_BUSY.rstrip('.')}"
    assert said == [f"{lost.value}; it is started again"] * (starts - 1)
