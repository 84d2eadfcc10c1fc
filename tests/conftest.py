from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.faults.table import note_mark

# Two busy cores make single examples slow now and then; a hang is pytest-timeout's affair.
settings.register_profile("robustsweep", deadline=None)
settings.load_profile("robustsweep")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test marked `fault(NAME, outcome=...)`, wherever it is, enters the table of faults."""
    report = yield
    mark = item.get_closest_marker("fault")
    if mark is not None and report.when == "call" and not report.skipped:
        note_mark(*mark.args, test=item.nodeid, passed=report.passed, **mark.kwargs)
    return report
