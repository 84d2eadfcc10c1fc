import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from tests.faults.judging import Account, Judge, account
from tests.faults.sweeps import Stored, Watch
from tests.faults.table import FAILED, note
from workers import plugins, registry
from workers.components import component_registry
from workers.files import user_cache
from workers.plugins import importer

_JUDGED = pytest.StashKey[Account]()

# Two busy cores make single examples slow now and then; a hang is pytest-timeout's affair. CI tries the same examples each time, and
# keeps none; elsewhere they are new each time, and those that failed are kept outside the tree.
set_hypothesis_home_dir(user_cache() / "hypothesis")
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# The files that take longest begin first: one of them at the end would keep one process at work while the others have nothing left.
_LONG = (
    "test_killed_on_ray", "test_drivers_killed", "test_workers_killed", "test_driver_faults", "test_nodes", "test_cluster", "test_cli",
    "test_submission", "test_resumable_loop", "test_damaged_files", "test_database_faults", "test_db_commands", "test_adversary",
    "test_decompose", "test_doctor", "test_main", "test_train", "test_command", "test_executors", "test_bad_jobs", "test_clock",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order in which processes are given files; within a file nothing changes."""
    paths = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: paths.get(item.path.stem, len(paths)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test marked `fault(NAME, outcome=..., tries=1)`, wherever it is, enters the table of faults, with what `judge` counted in it."""
    report = yield
    if report.when == "call" and not report.skipped:
        for mark in item.iter_markers("fault"):
            _note(item, *mark.args, **mark.kwargs | ({} if report.passed else {"outcome": FAILED}))
    return report


def _note(item: pytest.Item, fault: str, *, outcome: str, tries: int = 1) -> None:
    note(fault, item.nodeid, item.stash.get(_JUDGED, None), outcome=outcome, tries=tries)


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """Count what a fault has done to a sweep that has run to its end, for the table of faults, and insist that it did no harm."""

    def judged(sweep: Stored, quiet: Stored, watch: Watch | None = None, **options: Any) -> Account:
        request.node.stash[_JUDGED] = found = account(sweep, quiet, watch, **options)
        assert found == Account(lost=[], repeated=[], left=[])
        return found

    return judged


@contextmanager
def registered_for_a_while() -> Iterator[None]:
    before = {kind: set(found.names()) for kind, found in registry.REGISTRIES.items()}
    yield
    for kind, found in registry.REGISTRIES.items():
        for name in set(found.names()) - before[kind]:
            del found._components[name]
        found._by_reference.clear()
        found.version += 1
    for kept in (component_registry._modules, plugins._received, plugins._loaded, importer._current):
        kept.clear()


@pytest.fixture(scope="module", autouse=True)
def _forgotten_by_the_next_file() -> Iterator[None]:
    """What the tests of a file register, load or receive as plugins is unknown to those of the next file in the same process, as is what
    was looked up while tests were collected."""
    for found in registry.REGISTRIES.values():
        found._by_reference.clear()
        found.version += 1
    with registered_for_a_while():
        yield


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What a test registers, loads or receives as plugins is gone afterwards."""
    with registered_for_a_while():
        yield
