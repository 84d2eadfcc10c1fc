from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.judging import Account

CLEAN = Account(lost=[], repeated=[], left=[])


@pytest.fixture(autouse=True)
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(table, "FILE", tmp_path / "build" / "faults.json")
    return table.FILE


def test_a_fault_is_one_row_over_all_its_tests_and_a_test_run_again_counts_once() -> None:
    for test in ("first", "second", "second"):
        table.note("a fault", test, CLEAN, outcome="goes on", tries=2)
    assert table.markdown(table.read()).splitlines()[2:] == ["| a fault | 4 | 0 | 0 | 0 | goes on |"]


def test_what_was_lost_or_left_lying_about_is_a_failure() -> None:
    table.note("a fault", "first", CLEAN, outcome="goes on")
    table.note("a fault", "second", Account(lost=["a"], repeated=["a", "b"], left=[]), outcome="goes on")
    assert table.markdown(table.read()).splitlines()[2:] == [
        "| a fault | 2 | 1 | 2 | 0 | goes on; FAILED |",
    ]


def test_a_test_that_has_counted_no_sweep_claims_no_numbers() -> None:
    table.note("a fault", "first", CLEAN, outcome="goes on")
    table.note("a fault", "second", None, outcome="FAILED")
    table.note("another", "third", None, outcome="goes on")
    assert table.markdown(table.read()).splitlines()[2:] == [
        "| a fault | 2 | - | - | - | goes on; FAILED |",
        "| another | 1 | - | - | - | goes on |",
    ]
