"""The results table as a paper has it."""

from orchestrator.tables.footnotes import footnotes
from orchestrator.tables.results_table import publication_table, render_results, results_table
from orchestrator.tables.table import Measured
from tests.orchestrator.conftest import MakeRow


def test_the_best_under_each_attack_and_what_its_interval_covers_is_bold_and_no_unsound_model(make_row: MakeRow) -> None:
    rows = [
        make_row("a" * 64, theta=0.9, robust=0.50),
        make_row("b" * 64, theta=0.8, robust=0.46),
        make_row("c" * 64, theta=0.7, robust=0.40),
        make_row("d" * 64, theta=0.6, robust=0.90, verdict="unsound"),
        make_row("a" * 64, theta=0.9, robust=0.20, eighths=16),  # no other model met that
    ]
    cells = [cell for row in publication_table(rows).rows for cell in row if isinstance(cell, Measured)]
    assert [cell.is_best for cell in cells] == [True, True, False, False, False]


def test_latex_has_intervals_at_the_figure_symbols_of_variables_and_booktabs(make_row: MakeRow) -> None:
    rows = [make_row("a" * 64, theta=0.9, robust=0.5, ci_high=0.573), make_row("b" * 64, theta=0.8, robust=0.4, ci_low=None, ci_high=None)]
    tex = str(render_results(rows, "latex", notes=("one & all",)))
    assert r"$\mathbf{50.0}_{-5.0}^{+7.3}$" in tex
    assert "$40.0$" in tex
    assert r"\toprule" in tex
    assert r"$\theta$ & attack" in tex
    assert r"$\varepsilon$" in tex
    assert "95" not in tex.partition(r"\toprule")[2].partition(r"\midrule")[0]
    assert r"one \& all." in tex
    assert "Bold: the best under each attack" in tex


def test_footnotes_explain_the_words_that_a_table_has_and_no_others(make_row: MakeRow) -> None:
    rows = [make_row("a" * 64, theta=0.9, knowledge="eot"), make_row("b" * 64, theta=0.8, knowledge="omniscient")]
    said = "\n".join(footnotes(results_table(rows)))
    assert "theta: probability of keeping" in said
    assert "eot: the attacker averages" in said
    assert "omniscient: " in said
    assert "transfer" not in said
    assert said.endswith("more on a word: robustsweep explain WORD")
    assert footnotes(results_table([])) == ()
