from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.faults.table import note_mark

# Two busy cores make single examples slow now and then; a hang is pytest-timeout's affair.
settings.register_profile("robustsweep", deadline=None)
settings.load_profile("robustsweep")

# The files that take longest begin first: one of them at the end would keep one process at work while the others have nothing left.
_LONG = (
    "test_killed_on_ray", "test_drivers_killed", "test_workers_killed", "test_driver_faults", "test_nodes", "test_cluster", "test_cli",
    "test_submission", "test_course", "test_damaged_files", "test_database_faults", "test_db_commands", "test_adversary",
    "test_decompose", "test_doctor", "test_main", "test_train", "test_command", "test_executors", "test_bad_jobs", "test_clock",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which processes are given files; within a file nothing changes."""
    places = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test marked `fault(NAME, outcome=...)`, wherever it is, enters the table of faults."""
    report = yield
    mark = item.get_closest_marker("fault")
    if mark is not None and report.when == "call" and not report.skipped:
        note_mark(*mark.args, test=item.nodeid, passed=report.passed, **mark.kwargs)
    return report
