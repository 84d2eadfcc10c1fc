from dataclasses import replace

import pytest

from orchestrator.report.paper import compare
from orchestrator.report.paper.notes import notes
from orchestrator.report.paper.published import published_tables
from orchestrator.report.paper.published_comparison import OurFigure
from orchestrator.store import ResultRow
from tests.orchestrator.report.paper.rows import cell_at, row_for, rows_for
from workers.errors import UserError
from workers.spec.recipes import RECIPES

PGD = cell_at(1, "PGD 8", "theta=0.9")  # 28.1


@pytest.mark.parametrize(
    ("accuracy", "half_width", "difference", "covers"),
    [
        (0.30, 0.02, 1.9, True),
        (0.30, 0.018, 1.9, False),
        (0.30, 0.019, 1.9, True),
        (0.25, 0.031, -3.1, True),
        (0.25, 0.03, -3.1, False),
        (0.281, 0.0, 0.0, True),
        (0.28149, 0.0, 0.0, True),
    ],
)
def test_the_difference_and_whether_the_printed_interval_covers(
    accuracy: float, half_width: float, difference: float, covers: bool
) -> None:
    figure = OurFigure.of(PGD, row_for(PGD, accuracy=accuracy, half_width=half_width))
    assert figure.difference == difference
    assert figure.covers is covers


def test_a_clean_cell_takes_the_clean_interval() -> None:
    clean = cell_at(1, "clean", "theta=0.9")
    figure = OurFigure.of(clean, row_for(clean, clean_accuracy=0.93, clean_ci_low=0.92, clean_ci_high=0.94, robust_accuracy=0.1))
    assert (figure.value, figure.low, figure.high, figure.difference, figure.covers) == (93.0, 92.0, 94.0, 0.0, True)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_full_sweep_fills_its_table(number: int) -> None:
    (table,) = compare(rows_for(number), numbers=[number], every_setup=False)
    (lines,) = table.lines
    assert table.empty == 0
    assert all(lines.figures[cell].reference == cell.published for row in table.cells for cell in row)
    assert not any("Empty" in note for note in notes(table))


def test_without_results_every_cell_is_empty_and_the_notes_say_what_to_launch() -> None:
    for table, published in zip(compare([], every_setup=False), published_tables(), strict=True):
        assert table.lines == ()
        assert table.empty == len(published.rows) * len(published.columns)
        assert any(f"robustsweep launch {published.launch} " in note and f"{published.launch}-small" in note for note in notes(table))


def test_ranks_stand_next_to_each_other() -> None:
    rows = [*rows_for(1, rank_fraction=1.0), *rows_for(1, rank_fraction=0.5, accuracy=0.4)]
    (table,) = compare(rows, numbers=[1], every_setup=False)
    assert [lines.label for lines in table.lines] == ["rank 0.5", "rank 1"]
    assert [lines.figures[PGD].value for lines in table.lines] == [40, 50]
    assert table.left_out == ()


def small(number: int, **changes: object) -> list[ResultRow]:
    given = {"sweep": "mini", "width": 4, "train_examples": 200, "n_examples": 100, "accuracy": 0.9, "model_key": "small", **changes}
    return rows_for(number, **given)


def test_the_paper_sized_models_are_shown_even_where_they_fill_less_and_the_others_are_named() -> None:
    rows = [*small(1), *rows_for(1)[:5]]
    (table,) = compare(rows, numbers=[1], every_setup=False)
    (lines,) = table.lines
    assert (lines.setup.sweep, len(lines.figures)) == ("full", 5)
    assert table.empty == 35
    (said,) = [note for note in notes(table) if note.startswith("Also stored")]
    assert "mini (width 4, 100 test examples, seed 0)" in said


def test_a_small_model_is_shown_where_there_is_no_other_and_says_how_it_differs() -> None:
    (table,) = compare(small(1, rank_fraction=0.25, epochs=3, repeats=2), numbers=[1], every_setup=False)
    said = " ".join(notes(table))
    for part in (
        "sweep mini",
        "width 4 (paper: 64)",
        "200 training examples (paper: all)",
        "100 (paper: 10000) test examples",
        "rank 0.25 of the channels (the paper states none)",
        "epochs 3 from scratch, 3 of fine-tuning (paper: 350)",
        "repeats 2 (paper: 10)",
    ):
        assert part in said


def test_draws_are_said_and_count_where_one_of_several_measurements_is_shown() -> None:
    once, often = row_for(PGD, repeats=3, draws=1, accuracy=0.9), row_for(PGD, repeats=2, draws=4)
    (table,) = compare([often, once], numbers=[1], every_setup=False)
    assert table.lines[0].figures[PGD].row is often
    assert any("repeats 2 of 4 draws each, for a narrower interval (paper: 10)" in note for note in notes(table))


def test_a_paper_sized_model_has_nothing_to_say_of_its_size() -> None:
    (table,) = compare(rows_for(1, epochs=350), numbers=[1], every_setup=False)
    (said,) = [note for note in notes(table) if note.startswith("ours: ")]
    assert "width 64; all training examples; 10000 test examples" in said


def test_every_setup_is_shown_on_request_and_none_twice() -> None:
    (table,) = compare([*small(1), *rows_for(1)], numbers=[1], every_setup=True)
    assert [(lines.label, lines.setup.sweep) for lines in table.lines] == [("ours 1", "full"), ("ours 2", "mini")]
    assert table.left_out == ()


def test_a_sweep_that_holds_no_other_models_is_not_named_as_left_out() -> None:
    (table,) = compare([*rows_for(1), *rows_for(1, sweep="gathered")], numbers=[1], every_setup=False)
    assert table.left_out == ()
    assert len(table.lines) == 1


def test_the_figure_of_a_baseline_belongs_to_every_sketch_of_its_rank() -> None:
    rows = rows_for(1, rank_fraction=0.5)
    sketched = [row for row in rows if row.theta < 1]
    plain = [row for row in rows if row.theta == 1]
    other = rows_for(1, sketch_modes="all", rank_fraction=0.5, model_key="all modes")
    (table,) = compare([*plain, *sketched, *[row for row in other if row.theta < 1]], numbers=[1], every_setup=True)
    assert [lines.setup.sketch for lines in table.lines] == [("all", True), ("channels", True)]
    assert table.empty == 0


def test_dense_and_tensorized_baselines_stand_in_for_each_other_and_the_notes_say_so() -> None:
    cell = cell_at(1, "FGSM 2", "baseline")
    tucker, dense = row_for(cell), row_for(cell, tensorized=False, rank_fraction=None, model_key="dense", accuracy=0.2)
    (table,) = compare([dense, tucker], numbers=[1], every_setup=False)
    assert table.lines[0].figures[cell].row is tucker
    (table,) = compare([dense], numbers=[1], every_setup=False)
    assert table.lines[0].figures[cell].row is dense
    assert any("a net of the other kind" in note and "baseline" in note for note in notes(table))


def test_of_two_trainings_the_longer_is_shown_and_never_the_better() -> None:
    short, long = row_for(PGD, epochs=10, accuracy=0.9, model_key="short"), row_for(PGD, epochs=20, accuracy=0.1, model_key="long")
    (table,) = compare([short, long], numbers=[1], every_setup=False)
    assert table.lines[0].figures[PGD].row is long
    assert table.lines[0].others == 1
    assert any("other models that fit: 1 " in note for note in notes(table))


def test_models_that_differ_in_what_the_table_does_not_compare_are_not_pooled_in_silence() -> None:
    row = row_for(PGD)
    other = replace(row, model_key="0", model_options={**row.model_options, "init": "decompose"})
    (table,) = compare([row, other], numbers=[1], every_setup=False)
    assert any("other models that fit: 1, which differ in init (decompose or random)" in note for note in notes(table))
    rows = [replace(row, training={**row.training, "batch_size": 64 if row.theta == 1 else 32}) for row in rows_for(1)]
    (table,) = compare(rows, numbers=[1], every_setup=False)
    assert any("the models shown also differ in training.batch_size (32 or 64)" in note for note in notes(table))


def test_each_deviation_from_the_paper_is_named_with_its_reason_and_none_where_there_is_none() -> None:
    row = row_for(PGD)
    paper = {**row.training, **RECIPES["paper"]["image"], "batch_size": 128}
    options = {**row.model_options, "tensorize_first": True}
    letter = replace(row, model_key="z", epochs=350, training=paper, model_options=options, sketch_modes="all", rescale=False)
    (table,) = compare([letter], numbers=[1], every_setup=False)
    assert [note for note in notes(table) if note.startswith("Unlike")] == [
        "Unlike the paper's models: the paper states no batch_size, here 128."
    ]
    (table,) = compare([row], numbers=[1], every_setup=False)
    (said,) = [note for note in notes(table) if note.startswith("Unlike")]
    for deviation in (
        "first convolution is dense (paper: every",
        "channel modes alone (paper: all",
        "rescaled (paper: they are not",
        "(1e-06)",
    ):
        assert deviation in said
    assert "ours: so that the expected kernel is the full one" in said


def test_of_models_that_differ_the_one_nearest_to_the_paper_is_shown() -> None:
    row = row_for(PGD, model_key="a")
    near = replace(row, model_key="b", model_options={**row.model_options, "tensorize_first": True})
    (table,) = compare([row, near], numbers=[1], every_setup=False)
    assert table.lines[0].figures[PGD].row is near


def test_one_nets_figures_are_never_made_up_of_two() -> None:
    dense = [row for row in rows_for(2) if row.adversarial_training == "none" and row.defence == "none" and row.theta == 1]
    stand_ins = [replace(row, tensorized=True, rank_fraction=0.5, model_key="tucker") for row in dense]
    (table,) = compare([*dense[:3], *stand_ins], numbers=[2], every_setup=False)
    assert {figure.row.model_key for figure in table.lines[0].figures.values()} == {dense[0].model_key}
    assert len(table.lines[0].figures) == 3
    assert table.lines[0].others == 1


def test_knowledge_is_never_mixed() -> None:
    tables = compare([*rows_for(3), *rows_for(1)], every_setup=False)
    shown = {
        table.published.number: {(cell.attack, figure.row.knowledge) for lines in table.lines for cell, figure in lines.figures.items()}
        for table in tables
    }
    assert {knowledge for attack, knowledge in shown[1] if attack != "none"} == {"randomized"}
    assert {knowledge for _, knowledge in shown[3]} == {"omniscient"}


def test_a_table_that_the_paper_does_not_have_is_refused() -> None:
    with pytest.raises(UserError, match="table 6: one of 1, 2, 3, 4, 5"):
        compare([], numbers=[6], every_setup=False)
