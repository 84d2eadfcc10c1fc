"""Figures as a paper has them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.report.figures import accuracy_curves, pareto_fronts, shown_first
from orchestrator.report.figures.paper import PaperStyle, mathematical, on_paper
from orchestrator.report.sweep_page.figure_files import write_images
from orchestrator.report.sweep_page.sections import PageSection
from tests.browsers import skip_without_browser
from tests.orchestrator.conftest import MakeRow


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theta 0.9, rank 0.5", "<i>θ</i> = 0.9, rank 0.5"),
        ("Accuracy against epsilon: pgd", "Accuracy against <i>ε</i>: pgd"),
        ("model.theta", "model.theta"),
        ("epsilon_literal", "epsilon_literal"),
    ],
)
def test_variables_have_their_symbols(text: str, expected: str) -> None:
    assert mathematical(text) == expected


def test_a_column_of_a_paper_is_as_wide_as_asked_in_its_letters_and_without_a_title(make_row: MakeRow) -> None:
    (picture,) = accuracy_curves([make_row("a" * 64, theta=1.0), make_row("b" * 64, theta=0.5)]).values()
    drawing, height = on_paper(picture, PaperStyle(width=3.25, font_size=9, has_title=False))
    layout = drawing["layout"]
    assert (layout["width"], layout["height"]) == (312, height)
    assert layout["template"]["layout"]["font"]["size"] == layout["legend"]["font"]["size"] == 12
    assert "title" not in layout
    assert layout["xaxis"]["title"]["text"] == "<i>ε</i>"
    named = [trace for trace in drawing["data"] if trace.get("showlegend") is not False]
    assert [trace["name"] for trace in named] == ["<i>θ</i> = 1", "<i>θ</i> = 0.5"]
    assert picture.drawing["layout"]["xaxis"]["title"]["text"] == "epsilon"  # that of the screen stays as it is


def test_a_title_that_is_wider_than_the_column_goes_over_two_lines(make_row: MakeRow) -> None:
    (picture,) = accuracy_curves([make_row("a" * 64, theta=1.0)]).values()
    title = "Robust accuracy over quality and theta: pgd 32/255, randomized"
    (drawing, height), (_, short) = (on_paper(replace(picture, title=text), PaperStyle(width=3.25, font_size=8)) for text in (title, "x"))
    lines = drawing["layout"]["title"]["text"].split("<br>")
    assert " ".join(lines) == mathematical(title)
    assert len(lines) == 2
    assert height == short + round(1.5 * 8 * 96 / 72)
    assert (1 - drawing["layout"]["title"]["y"]) * height == pytest.approx((0.4 + 1.5) * 8 * 96 / 72)  # of the last line


def test_names_that_fit_the_width_of_a_column_are_on_one_line_over_the_axes(make_row: MakeRow, tmp_path: Path) -> None:
    skip_without_browser()
    rows = [make_row(letter * 64, eighths=16, theta=theta) for letter, theta in zip("abc", (1.0, 0.95, 0.975), strict=True)]
    section = PageSection(name="accuracy_epsilon", title="", choices={"": list(accuracy_curves(rows).values())}, fill="")
    (file,) = write_images([section], tmp_path, form="svg", style=PaperStyle(width=3.25, font_size=8, has_title=False))
    moved = re.findall(r'<g class="groups" transform="translate\(([-\d.]+),([-\d.]+)\)"', file.read_text())
    assert [down for _, down in moved] == ["0", "0"], "the second and the third name, from the first"


def test_in_grey_lines_differ_in_dash_and_mark(make_row: MakeRow) -> None:
    rows = [make_row(letter * 64, theta=theta) for letter, theta in zip("abc", (1.0, 0.9, 0.5), strict=True)]
    (picture,) = accuracy_curves(rows).values()
    lines = [trace for trace in picture.drawing["data"] if trace.get("showlegend") is not False]
    assert len({trace["line"]["dash"] for trace in lines}) == len({trace["marker"]["symbol"] for trace in lines}) == 3


def test_the_first_of_several_pictures_is_of_the_largest_epsilon_that_separates_models(make_row: MakeRow) -> None:
    def rows(eighths: int, first: float, second: float) -> list[object]:
        return [
            make_row(key * 64, eighths=eighths, robust=robust, theta=theta)
            for key, robust, theta in (("a", first, 1.0), ("b", second, 0.5))
        ]

    pictures = pareto_fronts([*rows(2, 0.9, 0.1), *rows(8, 0.5, 0.3), *rows(16, 0.06, 0.05)])  # type: ignore[list-item]
    assert "8/255" in shown_first(pictures)
