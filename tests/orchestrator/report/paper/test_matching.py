from dataclasses import replace
from typing import Any

import pytest

from orchestrator.report.paper.published import PublishedFigure, published_tables
from orchestrator.report.paper.setups import meets
from tests.orchestrator.report.paper.rows import cell_at, row_for

EVERY_CELL = [cell for table in published_tables() for row in table.cells for cell in row]


def test_each_cell_is_met_by_its_row_and_by_those_of_no_other_attack_or_model() -> None:
    def of(cell: PublishedFigure) -> tuple[Any, ...]:
        attack = (cell.attack, cell.knowledge, cell.epsilon, cell.sign_gradient)
        return cell.dataset, cell.binary, cell.theta, cell.defence, cell.adversarial_training, *attack

    attacked = [cell for cell in EVERY_CELL if cell.attack != "none"]
    for row, owner in [(row_for(cell), cell) for cell in attacked]:
        for cell in attacked:
            assert meets(cell, row) == (of(cell) == of(owner)), (cell, owner)


PGD = cell_at(1, "PGD 8", "theta=0.9")


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "digits"},
        {"model": "logmel"},
        {"theta": 0.91},
        {"binary": True},
        {"defence": "defensive_dropout", "defence_settings": {"dropout": 0.3}},
        {"adversarial_training": "pgd"},
        {"attack": "bim"},
        {"knowledge": "eot"},
        {"knowledge": "omniscient"},
        {"knowledge": "transfer"},
        {"norm": "l2"},
        {"epsilon": 0.031},
        {"steps": 11},
        {"abs_stepsize": 2 / 255},
        {"loss": "margin"},
        {"target": "next"},
        {"restarts": 5},
        {"early_stop": True},
        {"sign_gradient": "tanh"},
        {"attack": "none", "knowledge": "none", "robust_accuracy": None, "ci_low": None, "ci_high": None},
    ],
)
def test_another_setting_does_not_meet(changes: dict[str, Any]) -> None:
    assert meets(PGD, row_for(PGD))
    assert not meets(PGD, row_for(PGD, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"backend": "foolbox"},
        {"width": 4},
        {"train_examples": 100},
        {"n_examples": 20},
        {"seed": 3},
        {"rank_fraction": 0.25},
        {"sketch_modes": "all"},
        {"epsilon_literal": "16/510"},
        {"epochs": 1},
    ],
)
def test_size_rank_seed_and_spelling_do_not_matter(changes: dict[str, Any]) -> None:
    assert meets(PGD, row_for(PGD, **changes))


def test_a_defences_settings_count_where_the_paper_names_them() -> None:
    squeezing, quantized = cell_at(2, "Feature Squeezing", "PGD 2"), cell_at(2, "DQ", "PGD 2")
    assert meets(squeezing, row_for(squeezing))
    assert not meets(squeezing, row_for(squeezing, defence_settings={"bit_depth": 4, "median_size": 2}))
    assert not meets(squeezing, row_for(squeezing, defence_settings=None))
    assert meets(quantized, row_for(quantized, defence_settings={"activation_bits": 4, "lipschitz_beta": 3e-4}))


def test_clean_accuracy_stands_next_to_any_attack_on_the_model() -> None:
    clean = cell_at(1, "clean", "theta=0.9")
    assert meets(clean, replace(row_for(PGD), knowledge="omniscient", attack="square"))
    assert not meets(clean, replace(row_for(PGD), clean_accuracy=None))
    assert not meets(clean, row_for(cell_at(1, "PGD 8", "theta=0.8")))
