"""LaTeX compiles the tables that are written for it, in a page of two columns, without a word of complaint."""

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.tables.results_table import render_results
from orchestrator.tables.table import Column, Table
from orchestrator.tables.writers import render
from tests.orchestrator.conftest import MakeRow
from tests.orchestrator.tables.test_writers import TABLE

_PDFLATEX = shutil.which("pdflatex")
_PACKAGES = r"\usepackage[T1]{fontenc} \usepackage{booktabs} \usepackage{graphicx}"

SENTENCE = "an iterative attack of 10 steps or more, on 35 examples or more: missing; add `diagnosis: {}` " * 3
TABLES = {
    "hostile": TABLE,
    "sentences": Table(
        columns=(Column("check"), Column("outcome"), Column("found", wraps=True), Column("p", "number")),
        rows=(("unbounded", "not made", SENTENCE, None),) * 2,
    ),
}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(_PDFLATEX is None, reason="no pdflatex here; Debian has it in texlive-latex-base")]


@pytest.mark.parametrize("kind", ["results", "hostile", "sentences"])
def test_a_table_compiles_in_a_page_of_two_columns(make_row: MakeRow, tmp_path: Path, kind: str) -> None:
    rows = [make_row("a" * 64, theta=0.9, robust=0.5, ci_high=0.573), make_row("b" * 64, theta=0.8, robust=0.4, ci_low=None, ci_high=None)]
    tex = str(render_results(rows, "latex", notes=("one & all",)) if kind == "results" else render(TABLES[kind], "latex"))
    assert tex.startswith(f"% needs {_PACKAGES}\n")
    page = rf"\documentclass[twocolumn]{{article}} {_PACKAGES} \begin{{document}} Words. {tex} Words. \end{{document}}"
    (tmp_path / "paper.tex").write_text(page.replace(" \\begin{document}", "\n\\begin{document}").replace(" Words. %", "\n%"))
    done = subprocess.run(
        [str(_PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout
    assert "undefined" not in done.stdout
    assert (tmp_path / "paper.pdf").stat().st_size > 1000
