"""The whole curve of accuracy against epsilon, from one job of a minimum-norm attack."""

import numpy as np

from orchestrator.report.figures import minimum_norm_curves
from orchestrator.store.reading.smallest_perturbations import SmallestPerturbations
from tests.orchestrator.conftest import MakeRow


def test_a_curve_is_the_share_of_examples_that_nothing_of_at_most_epsilon_fools(make_row: MakeRow) -> None:
    sizes = np.array([0.0, 0.01, 0.02, 0.04, np.inf])
    rows = [make_row("a", attack="fab", theta=1.0), make_row("b", attack="fab", theta=0.9), make_row("a", attack="deepfool", theta=1.0)]
    found = [SmallestPerturbations(row=row, sizes=sizes * factor) for row, factor in zip(rows, (1, 2, 1), strict=True)]
    pictures = minimum_norm_curves(found)
    assert list(pictures) == ["fab, randomized", "deepfool, randomized"]
    picture = pictures["fab, randomized"]
    assert "smallest perturbations: fab" in picture.title
    assert "upper bound" in picture.caption
    first, second = picture.figure.data
    assert {first.name, second.name} == {"theta 1", "theta 0.9"}
    for point in picture.table:
        factor = 1 if point["model"] == "theta 1" else 2
        assert point["accuracy %"] == 100 * np.mean(sizes * factor > point["epsilon (input units)"])
        assert point["95% low"] <= point["accuracy %"] <= point["95% high"]
    assert picture.table[0]["accuracy %"] == 80  # what is wrong as it is is wrong at epsilon 0
    assert pictures["deepfool, randomized"].table[-1]["accuracy %"] == 40  # the axis ends before the hardest example that was fooled


def test_where_nothing_was_fooled_the_curve_is_flat(make_row: MakeRow) -> None:
    (picture,) = minimum_norm_curves([SmallestPerturbations(row=make_row("a", attack="fab"), sizes=np.full(4, np.inf))]).values()
    assert {point["accuracy %"] for point in picture.table} == {100}
    assert minimum_norm_curves([]) == {}
