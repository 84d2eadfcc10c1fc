"""Curves of training: loss and accuracy over the epochs, one line for each model."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any

from orchestrator.naming.names import model_names
from orchestrator.report.figures.curves import MOST_LINES
from orchestrator.report.figures.looks import Look, line_style, line_to_the_fore, looks
from orchestrator.report.figures.picture import FAINT, Picture, Pictures, Record, plain
from orchestrator.report.figures.theme import drawn, faded, percent_axis
from orchestrator.store.reading.report_evidence import TrainingRun

MOST_POINTS = 20_000
_CAPTIONS = dict.fromkeys(("loss", "accuracy %"), "On the training examples, measured while training.")
_MOST_NAMED = 6
_Key = tuple[str, str]
_QUANTITIES = {"loss": "training loss", "accuracy %": "training accuracy (%)"}
_MEASURED = {
    "validation %": ("validation_accuracy", "validation accuracy (%)"),
    "validation pgd %": ("validation_pgd_accuracy", "validation accuracy under PGD (%)"),
    "pgd %": ("pgd_accuracy", "training accuracy under PGD (%)"),
}
"""Quantities that some trainings measure after each epoch, with their fields of the history."""
OVERFITTING = "robust overfitting %"
_ROBUST = "validation pgd %"
_COMPARED = {
    "accuracy %": ("training, attacked", "solid"),
    _ROBUST: ("held out, under PGD", "dash"),
    "validation %": ("held out, clean", "dot"),
}
"""Accuracies that are drawn together for a model that is trained on attacked examples, and how."""


def training_curves(runs: Sequence[TrainingRun], *, chosen: Collection[str] = ()) -> Pictures:
    """Draw loss and accuracy on the training examples after each epoch, and what else was measured then. More than `MOST_POINTS` points are
    thinned out, evenly, but each run keeps its first and its last epoch; of more than `MOST_LINES` lines only those of the `chosen` models
    (their keys), or else of those that were most accurate at the end, are named, and the others are faint."""
    trained = {(run.sweep, run.model_key): run for run in runs if run.history}
    if not trained:
        return {}
    found = looks({key: run.settings for key, run in trained.items()}, model_names(list(trained.values())))
    named = set(trained)
    if len(trained) > MOST_LINES:
        last = sorted(trained, key=lambda key: -trained[key].history[-1]["accuracy"])
        named = {key for key in trained if key[1] in chosen} or set(last[:_MOST_NAMED])
    every = -(-sum(len(run.history) for run in trained.values()) // MOST_POINTS)
    points = {key: _points(run, found[key], every) for key, run in trained.items()}
    pictures = {name: _picture(name, title, points, found, named, every) for name, title in _QUANTITIES.items()}
    for name, (_, title) in _MEASURED.items():
        if some := {key: known for key, of_run in points.items() if (known := [point for point in of_run if name in point])}:
            pictures[name] = _picture(name, title, some, found, named, every)
    attacked = {key: of_run for key, of_run in points.items() if key in named and any(_ROBUST in point for point in of_run)}
    return {**pictures, OVERFITTING: _overfitting(attacked, found)} if attacked else pictures


def _overfitting(points: Mapping[_Key, list[Record]], found: Mapping[_Key, Look]) -> Picture:
    """Draw what adversarial training fits against what it learns: each model's accuracies on the training and on the held-out examples."""
    lines = []
    for key, of_run in points.items():
        for quantity, (said, dash) in _COMPARED.items():
            style = line_style(found[key])
            trace = _trace(quantity, [point for point in of_run if quantity in point])
            lines.append({**trace, "mode": "lines", "name": plain(f"{found[key].name}, {said}"), "line": {**style["line"], "dash": dash}})
    drawing = drawn(lines, xaxis={"title": {"text": "epoch"}, "rangemode": "tozero"}, yaxis=percent_axis("accuracy (%)"))
    caption = "Where the line of training examples rises and that of held-out ones under PGD falls, the net overfits to attacks."
    return Picture(
        title="Robust overfitting", drawing=drawing, table=[point for of_run in points.values() for point in of_run], caption=caption
    )


def _points(run: TrainingRun, look: Look, every: int) -> list[Record]:
    last = len(run.history) - 1
    kept = [epoch for place, epoch in enumerate(run.history) if place % every == 0 or place == last]
    return [_point(epoch, look, run.model_key) for epoch in kept]


def _point(epoch: Mapping[str, float], look: Look, key: str) -> Record:
    return {
        "model": look.name,
        **look.cells,
        "epoch": int(epoch["epoch"]),
        "loss": round(epoch["loss"], 5),
        "accuracy %": round(100 * epoch["accuracy"], 3),
        "learning rate": float(f"{epoch['learning_rate']:.4g}"),
        "model key": key[:8],
        **{name: round(100 * epoch[field], 3) for name, (field, _) in _MEASURED.items() if epoch.get(field) is not None},
    }


def _picture(
    quantity: str, title: str, points: Mapping[_Key, list[Record]], found: Mapping[_Key, Look], named: Set[_Key], every: int
) -> Picture:
    axis = percent_axis(title) if quantity.endswith("%") else {"title": {"text": title}, "rangemode": "tozero"}
    faint = _faint(quantity, {key: of_run for key, of_run in points.items() if key not in named}, found)
    drawing = drawn(
        [*faint, *(_line(quantity, found[key], of_run) for key, of_run in points.items() if key in named)],
        xaxis={"title": {"text": "epoch"}, "rangemode": "tozero"},
        yaxis=axis,
    )
    thinned = f" One epoch in {every} is shown." if every > 1 else ""
    table = [point for of_run in points.values() for point in of_run]
    return Picture(
        title=f"{title.capitalize()}",
        drawing=drawing,
        table=table,
        caption=f"{_CAPTIONS.get(quantity, 'On some examples, measured after each epoch.')}{thinned}",
        faint={plain(found[key].name): line_to_the_fore(found[key]) for key in points if key not in named},
    )


def _line(quantity: str, look: Look, points: list[Record]) -> dict[str, Any]:
    return {
        **_trace(quantity, points),
        "mode": "lines+markers" if len(points) <= MOST_LINES else "lines",
        "name": plain(look.name),
        **line_style(look),
    }


def _trace(quantity: str, points: list[Record]) -> dict[str, Any]:
    value = "%{y:.1f} %" if quantity.endswith("%") else "%{y:.4f}"
    return {
        "type": "scatter",
        "x": [point["epoch"] for point in points],
        "y": [point[quantity] for point in points],
        "customdata": [[plain(str(point["model"])), point["learning rate"]] for point in points],
        "hovertemplate": f"<b>%{{customdata[0]}}</b><br>epoch %{{x}}: <b>{value}</b><br>learning rate %{{customdata[1]}}<extra></extra>",
    }


def _faint(quantity: str, points: Mapping[_Key, list[Record]], found: Mapping[_Key, Look]) -> list[dict[str, Any]]:
    """Return the lines of each colour as one trace, each line ended by a gap."""
    gap: Record = {"model": "", "epoch": None, "learning rate": None, quantity: None}
    joined: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for key, of_run in points.items():
        joined[found[key].group, found[key].colour] += [*of_run, gap]
    return [
        {
            **_trace(quantity, of_group),
            "mode": "lines",
            "name": plain(group),
            "line": {"color": faded(colour, 0.3), "width": 1},
            "meta": FAINT,
        }
        for (group, colour), of_group in joined.items()
    ]
