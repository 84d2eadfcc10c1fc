"""Sections of a report, with their figures, in the order of the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.naming.names import surface_family
from orchestrator.report.figures import (
    Picture,
    Pictures,
    accuracy_curves,
    example_difficulty,
    heat_maps,
    loss_surfaces,
    minimum_norm_curves,
    model_points,
    shown_first,
    training_curves,
)
from orchestrator.report.figures.attack_conditions import best_models
from orchestrator.report.surface_grids import families, surface_draws
from orchestrator.report.sweep_page.page_data import PageData
from orchestrator.tables.table import Table

MOST_SIDE_BY_SIDE = 6
FIGURES = {
    "summary": "glance",
    "accuracy_epsilon": "accuracy",
    "smallest": "smallest",
    "pareto": "pareto",
    "heat_map": "rank",
    "cost": "cost",
    "training": "training",
    "difficulty": "examples",
    "surfaces": "surfaces",
}
"""The sections by the names of their figures, in Python and for `--only`."""


@dataclass(frozen=True, kw_only=True)
class PageSection:
    """Section of pictures under one heading. Of several `choices` one is shown at a time, initially `first`; `fill` is the text on what
    is missing where there are none, `notes` are further remarks above them, and `table` is shown below."""

    name: str
    title: str
    choices: dict[str, list[Picture]]
    first: str = ""
    fill: str
    notes: Sequence[str] = ()
    table: Table | None = None


def sections(page_data: PageData) -> list[PageSection]:
    """Return every section, including empty ones; the first one's figure sums the sweep up."""
    rows = page_data.figure_rows
    points = model_points(rows, page_data.costs)
    trained = training_curves(page_data.runs, chosen=best_models(page_data.rows))
    glance = page_data.findings.picture
    return [
        PageSection(name="glance", title="At a glance", choices={"": [glance]} if glance else {}, fill=_attacked("a space with attacks")),
        _side_by_side(
            "accuracy",
            "Accuracy against epsilon",
            accuracy_curves(rows),
            _attacked("a space with attacks over several epsilons"),
        ),
        _side_by_side(
            "smallest",
            "Accuracy against epsilon from smallest perturbations",
            minimum_norm_curves(page_data.smallest),
            "To fill this: a deterministic model under a minimum-norm attack: fab, fmn, deepfool or cw; one epsilon is enough.",
        ),
        _chosen(
            "pareto",
            "Clean against robust accuracy",
            _of(points, lambda title: title.startswith("Clean")),
            _attacked("models with clean accuracy and attacks"),
        ),
        _chosen(
            "rank",
            "Robust accuracy over two axes",
            {label: [picture] for label, picture in heat_maps(rows).items()},
            "To fill this: a space in which two settings have several values, such as theta and learning_rate, under attack.",
        ),
        _chosen(
            "cost",
            "Cost against robustness",
            _of(points, lambda title: not title.startswith("Clean")),
            _attacked("any finished attack"),
        ),
        _side_by_side("training", "Training", trained, "To fill this: a trained model; no training job is done yet."),
        _difficulty(page_data),
        _surfaces(page_data),
    ]


def _attacked(what: str) -> str:
    return f"To fill this: {what}; no attack of this sweep is done yet."


def _side_by_side(name: str, title: str, pictures: Pictures, fill: str) -> PageSection:
    if len(pictures) > MOST_SIDE_BY_SIDE:
        return _chosen(name, title, {label: [picture] for label, picture in pictures.items()}, fill)
    return PageSection(name=name, title=title, choices={"": list(pictures.values())} if pictures else {}, fill=fill)


def _chosen(name: str, title: str, choices: dict[str, list[Picture]], fill: str) -> PageSection:
    first = shown_first({label: pictures[0] for label, pictures in choices.items()}) if choices else ""
    return PageSection(name=name, title=title, choices=choices, first=first, fill=fill)


def _of(points: dict[str, list[Picture]], wanted: Callable[[str], bool]) -> dict[str, list[Picture]]:
    found = {label: [picture for picture in pictures if wanted(picture.title)] for label, pictures in points.items()}
    return {label: pictures for label, pictures in found.items() if pictures}


def _difficulty(page_data: PageData) -> PageSection:
    pictures = example_difficulty(page_data.scores)
    choices: dict[str, list[Picture]] = {}
    for label, picture in pictures.items():
        choices.setdefault(label.rpartition(":")[0], []).append(picture)
    fill = "To fill this: evaluated models; no evaluation of this sweep is done yet."
    return _chosen("examples", "How hard the examples are", choices, fill)


def _surfaces(page_data: PageData) -> PageSection:
    choices: dict[str, list[Picture]] = {}
    rows = [grid.row for grid in page_data.surfaces]
    for family in families(page_data.surfaces):
        choices.setdefault(surface_family(family[-1].row, rows), []).extend(loss_surfaces(surface_draws(family)).values())
    return PageSection(
        name="surfaces",
        title="Loss surfaces",
        choices=choices,
        first=next(iter(choices), ""),
        fill="To fill this: a space with a section surfaces; no loss surface of this sweep is done yet.",
        notes=[f"Left out: {problem}" for problem in page_data.unread],
    )
