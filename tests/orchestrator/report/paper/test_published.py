import pytest
from pydantic import ValidationError

from orchestrator.report.paper.published import parse_tables, published_tables
from search_spaces import builtin_spaces
from tests.orchestrator.report.paper.rows import cell_at

# As printed, read row by row; written down here a second time so that a slip in the file is seen.
PRINTED = {
    1: "95.3 94.5 93 90.1  48.7 84.9 86.8 83.4  22.5 65.4 69.9 71.5  12.7 54 56 60.3  23 60.2 69.5 71.8  0 26.6 33.1 45.5  0 27 33 42.4"
    "  22.9 64.4 72.3 76.2  0 27 28.1 42.9  0 22.4 27.4 34.3",
    2: "95.4 48.7 22.6 12.9 22.9 0 0  95.9 68 53 42 62 4 0  94.1 61 35 27 64 2 0  91.6 81 52 38 84 43 11  86.6 74 46 31 76 44 20"
    "  90.1 83.4 71.5 60.3 76.2 42.9 34.3  89.5 86.5 81.4 70.1 84.9 75.4 59.8",
    3: "91.1 82.5 81.9  85.4 74.1 80.4  82.4 53.9 80.1",
    4: "83.7 83.7 83.7 80  36.6 34.5 34.1 76.9  6.9 6.1 5.8 65  4.3 3.4 3 58.7  37 34.7 35.1 66.3  0 0 0 46.4  0 0 0 44"
    "  41.7 38.7 39.8 67.5  0.1 0 0 47.9  0 0 0 41.5",
    5: "93.8 92 89.6 88.1  33 49.6 58.2 61  14.9 33 40.2 44.2  7.6 23.8 31.8 35.7  88 89 83.5 83.2  12.2 50.1 54.4 56  3 31.5 35.6 40.2"
    "  0.2 26.7 30.3 30.5",
}


@pytest.mark.parametrize(("number", "count"), [(1, 40), (2, 49), (3, 9), (4, 40), (5, 32)])
def test_every_published_figure_is_there(number: int, count: int) -> None:
    figures = [cell.published for row in published_tables()[number - 1].cells for cell in row]
    assert len(figures) == count
    assert figures == [float(figure) for figure in PRINTED[number].split()]


def test_cells_name_what_they_are_of() -> None:
    cell = cell_at(1, "PGD 16", "theta=0.8")
    assert (cell.published, cell.theta, cell.attack, cell.knowledge, cell.epsilon, cell.binary) == (
        34.3,
        0.8,
        "pgd",
        "randomized",
        "16/255",
        False,
    )
    cell = cell_at(2, "Feature Squeezing", "PGD 2")
    assert (cell.published, cell.defence, cell.defence_settings) == (64, "feature_squeezing", {"bit_depth": 5, "median_size": 2})
    cell = cell_at(4, "BIM 2", "baseline tanh(0.75x)")
    assert (cell.published, cell.sign_gradient, cell.binary, cell.theta) == (35.1, "tanh075", True, 1)
    cell = cell_at(5, "binary 0.008", "theta=0.99")
    assert (cell.published, cell.epsilon, cell.dataset, cell.model) == (50.1, "0.008", "speech_commands", "soundnet5")
    assert any("501" in remark for remark in cell.remarks)
    assert not any("501" in remark for remark in cell_at(5, "binary 0.008", "theta=0.95").remarks)


def test_only_table_3_is_omniscient() -> None:
    known = {table.number: {cell.knowledge for row in table.cells for cell in row} - {"none"} for table in published_tables()}
    assert known == {1: {"randomized"}, 2: {"randomized"}, 3: {"omniscient"}, 4: {"randomized"}, 5: {"randomized"}}


def test_every_table_names_built_in_spaces_to_launch() -> None:
    names = {name for name, _ in builtin_spaces()}
    assert {name for table in published_tables() for name in (table.launch, f"{table.launch}-small")} <= names


TABLE = """
- number: 1
  caption: c
  launch: table1
  settings:
    {dataset: cifar10, model: resnet18, binary: false, tensorized: true, defence: none, adversarial_training: none, sign_gradient: identity}
  columns: [{label: a, settings: {theta: 1.0}}, {label: b, settings: {theta: 0.9}}]
  rows: [{label: r, settings: {attack: fgsm, knowledge: randomized, epsilon: 2/255}, published: [1.0, 2.0]}]
"""


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("[1.0, 2.0]", "[1.0]", "1 figures for 2 columns"),
        ("[1.0, 2.0]", "[1.0, 102]", "in \\[0, 100\\]"),
        ("theta: 0.9", "theta: 1.9", "in \\(0, 1\\]"),
        ("attack: fgsm", "attack: fgms", "fgsm"),
        ("epsilon: 2/255", "epsilon: 2", "string"),
        ("epsilon: 2/255", "epsilon: null", "all or none"),
        ("sign_gradient: identity", "colour: red", "sign_gradient"),
        ("tensorized: true", "tensorized: false", "no sketch"),
        ("published: [1.0, 2.0]}]", "published: [1.0, 2.0]}]\n  remarks: [{text: t, columns: [z]}]", "concerns no cell"),
    ],
)
def test_a_cell_that_does_not_say_what_it_is_of_is_refused(right: str, wrong: str, message: str) -> None:
    assert len(parse_tables(TABLE)) == 1
    with pytest.raises(ValidationError, match=message):
        parse_tables(TABLE.replace(right, wrong))
