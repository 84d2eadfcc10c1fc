"""Which cells of two sweeps correspond."""

from typing import Any

from orchestrator.store.reading.counterparts import identity, telling


def cells(*values: tuple[Any, ...], names: str) -> list[dict[str, Any]]:
    return [dict(zip(names.split(), row, strict=True)) for row in values]


def test_what_a_whole_sweep_has_otherwise_tells_no_cells_apart() -> None:
    names = "model.theta epsilon training.epochs"
    before = cells((1.0, 0.1, 2), (0.8, 0.1, 2), names=names)
    after = cells((1.0, 0.1, 5), (0.8, 0.1, 5), names=names)
    assert identity(before, after) == {"model.theta", "epsilon"}


def test_what_varies_within_a_sweep_identifies_its_cells() -> None:
    before = cells((1.0, 0.1), (0.8, 0.1), names="model.theta epsilon")
    after = cells((1.0, 0.1), (0.9, 0.1), names="model.theta epsilon")
    assert identity(before, after) == {"model.theta", "epsilon"}


def test_a_single_theta_each_is_what_the_sweeps_are_compared_for() -> None:
    assert "model.theta" not in identity(cells((0.8, 1), names="model.theta seed"), cells((0.9, 1), names="model.theta seed"))


def test_a_training_setting_that_hangs_on_the_network_does_not_part_the_sweeps() -> None:
    names = "model.binary training.learning_rate"
    before = cells((False, 0.1), (True, 0.005), names=names)
    after = cells((False, 0.2), (True, 0.01), names=names)
    assert identity(before, after) == {"model.binary"}


def test_a_training_setting_that_is_an_axis_stays_one() -> None:
    names = "training.learning_rate model.theta"
    before = cells((0.1, 1.0), (0.2, 1.0), names=names)
    after = cells((0.1, 1.0), (0.2, 1.0), (0.4, 1.0), names=names)
    assert "training.learning_rate" in identity(before, after)


def test_other_examples_are_never_compared() -> None:
    names = "data.name data.split_lists"
    kept = identity(cells(("digits", "official"), names=names), cells(("cifar10", "resplit"), names=names))
    assert kept == {"data.name", "data.split_lists"}


def test_the_fewest_settings_tell_cells_apart_the_best_known_first() -> None:
    names = "abs_stepsize attack epsilon random_start model.theta steps model.init"
    rows = [
        (e / 4, a, e, a == "pgd", t, 1 if a == "fgsm" else 9, "random") for t in (1.0, 0.8) for a in ("fgsm", "pgd") for e in (0.1, 0.2)
    ]
    assert telling(cells(*rows, names=names), names.split()) == ["model.theta", "attack", "epsilon"]
    assert telling([], names.split()) == []
