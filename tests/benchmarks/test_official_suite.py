"""Robust accuracy and processor time of AutoAttack here and in its official package, on small nets trained on CIFAR-10.

They need `ROBUSTSWEEP_DATA`, and the official package `autoattack` where Python finds it (`PYTHONPATH`); it is not a dependency.
"""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.benchmarks.conftest import Record
from tests.benchmarks.official import SUBJECTS, compared, randomised_comparison, trained

DATA = os.environ.get("ROBUSTSWEEP_DATA")
pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(DATA is None, reason="ROBUSTSWEEP_DATA names no data root with CIFAR-10"),
    pytest.mark.skipif(find_spec("autoattack") is None, reason="no official AutoAttack to compare with"),
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_standard_suite_against_the_official_one(name: str, record: Record) -> None:
    net, data = trained(SUBJECTS[name], Path(str(DATA)))
    *alone, suite = compared(net, data, SUBJECTS[name].epsilon / 255)
    on = f"{name}, {SUBJECTS[name].epsilon}/255, {len(data)} examples"
    record(f"AutoAttack standard, {on}: points left beyond the official's", suite.points, asked="<= 0.2", reference=suite.line)
    for row in alone:
        record(f"{row.name} alone, {on}: points left beyond the official's", row.points, asked="<= 0.5", reference=row.line)
    record(f"AutoAttack standard, {on}: processor time", suite.own.seconds / suite.theirs.seconds, asked="<= 0.6", reference=suite.line)


def test_a_randomised_net_is_attacked_better_than_by_the_official_version_for_such(record: Record) -> None:
    """Scored on 40 fresh draws: the official `rand` keeps what one lucky draw let pass."""
    left = randomised_comparison(Path(str(DATA)))
    said = ", ".join(f"{name} {100 * share:.1f} %" for name, share in left.items())
    ratio = left["APGD-CE, eot"] / left["official rand"]
    record(
        "Theta 0.9: accuracy that APGD-CE with eot leaves", ratio, asked="< 1", reference=f"the official rand, on 40 fresh draws: {said}"
    )
