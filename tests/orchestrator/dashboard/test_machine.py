import os
from datetime import UTC, datetime

from orchestrator.dashboard.machine import Gpu, look, parse_gpus


def test_gpus_are_read_and_what_one_does_not_tell_is_unknown() -> None:
    text = "0, NVIDIA H200, 87, 20480, 143771\n1, GRID, [N/A], [N/A], 1024\nsomething else\n"
    assert parse_gpus(text) == [
        Gpu(index=0, name="NVIDIA H200", use=87.0, memory_used=20.0, memory_total=143771 / 1024),
        Gpu(index=1, name="GRID", use=None, memory_used=None, memory_total=1.0),
    ]


def test_a_driver_is_looked_at_only_while_it_is_the_process_that_launched() -> None:
    assert os.getpid() in [worker.pid for worker in look(os.getpid(), datetime.now(UTC)).workers]
    assert look(os.getpid(), datetime(2020, 1, 1, tzinfo=UTC)).workers == (), "a process with the same number is another"
    unknown = look(None, None)
    assert unknown.workers == ()
    assert 0 < unknown.memory_used < unknown.memory_total
