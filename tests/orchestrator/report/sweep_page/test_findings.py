"""The sentences and the figure on top of a report."""

import pytest

from orchestrator.report.figures.curves import accuracy_curves
from orchestrator.report.sweep_page.findings import Findings
from orchestrator.store import ResultRow, open_store, result_rows
from tests.orchestrator.changed_rows import changed
from tests.orchestrator.report.sweep_page.conftest import FillStore


@pytest.fixture
def rows(fill_store: FillStore) -> list[ResultRow]:
    """Worst cases of four models, of which at 16/255 11, 8, 5 and 2 of 16 examples are left."""
    with open_store(fill_store(), upgrade=False) as store:
        return result_rows(store, "small", per_repeat=False, over_seeds=True, worst=True)


def test_three_sentences_name_the_best_the_worst_case_and_what_mattered(rows: list[ResultRow]) -> None:
    found = Findings.of(rows)
    best, largest, mattered = found.sentences
    assert best.startswith("Best at 16/255: rank 0.5, theta 1 is right on 68.8 % (41.6-87.2) of the examples in the worst case over all")
    assert best.endswith("on 93.8 % (68.1-99.1) unattacked; its verdict is suspicious.")
    leaves = "leaves 12.5 % (rank 1, theta 0.9) to 68.8 % (rank 0.5, theta 1); their 95 % intervals do not meet."
    assert largest == f"At 16/255, the largest epsilon, the worst case over all attacks {leaves}"
    assert mattered == "What mattered at 16/255: theta (1 rather than 0.9: +37.5 points), then rank (0.5 rather than 1: +18.8 points)."
    assert found.picture is not None
    assert len(found.picture.table) == 4 * 4


def test_an_unsound_model_is_never_the_best_and_an_epsilon_that_breaks_all_separates_none(rows: list[ResultRow]) -> None:
    broken = [changed(row, epsilon=1.0, epsilon_literal="1", robust_accuracy=0.0, ci_low=0.0, ci_high=0.2) for row in rows]
    judged = [changed(row, verdict="unsound" if row.theta == 1 else "sound") for row in (*rows, *broken)]
    best, largest, _ = Findings.of(judged).sentences
    assert best.startswith("Best at 16/255: rank 0.5, theta 0.9 is right on ")
    assert best.endswith("its verdict is sound.")
    assert largest == "At 1, the largest epsilon, the worst case over all attacks leaves 0.0 % of every model."


def test_without_an_attack_the_best_is_by_clean_accuracy(rows: list[ResultRow]) -> None:
    clean = [changed(row, attack="none", robust_accuracy=None, ci_low=None, ci_high=None, epsilon=0.0) for row in rows]
    (said,) = Findings.of(clean).sentences
    assert said.startswith("Best without an attack: rank 0.5, theta 1 is right on 93.8 % (68.1-99.1)")
    assert Findings.of(clean).picture is None
    assert Findings.of([]).sentences == []


def test_in_a_sweep_that_goes_on_models_look_as_in_the_other_figures(rows: list[ResultRow]) -> None:
    waiting = [changed(row, attack="none", robust_accuracy=None, epsilon=0.0) if row.theta == 0.9 else row for row in rows]
    found = Findings.of([*waiting, changed(rows[0], epsilon=1.0, epsilon_literal="1")])
    (other,) = {key: picture for key, picture in accuracy_curves(waiting).items() if "worst" in key}.values()
    assert found.picture is not None
    ours, theirs = (
        {trace["name"]: trace["line"]["color"] for trace in picture.drawing["data"] if trace.get("line", {}).get("dash")}
        for picture in (found.picture, other)
    )
    assert ours == {name: theirs[name] for name in ours}
    assert found.sentences[1].startswith("At 16/255, the largest epsilon for most models, the ")
