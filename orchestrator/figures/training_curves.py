"""Curves of training: loss and accuracy over the epochs, one line for each model."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.figures.curves import MOST_LINES
from orchestrator.figures.picture import Picture, Pictures, Record, plain
from orchestrator.figures.theme import Marks, drawn, faded, percent_axis
from orchestrator.names import model_names
from orchestrator.store.reading.report_evidence import TrainingRun

MOST_POINTS = 20_000
_QUANTITIES = {"loss": "training loss", "accuracy %": "training accuracy (%)"}


def training_curves(runs: Sequence[TrainingRun]) -> Pictures:
    """Draw loss and accuracy on the training examples after each epoch. More than `MOST_POINTS` points are thinned out, evenly, but each
    run keeps its first and its last epoch; of more than `MOST_LINES` lines those of one theta share a legend entry."""
    trained = [run for run in runs if run.history]
    if not trained:
        return {}
    marks, names = Marks(run.theta for run in trained), model_names(trained)
    every = -(-sum(len(run.history) for run in trained) // MOST_POINTS)
    points = {names[run.sweep, run.model_key]: (run.theta, _points(run, names[run.sweep, run.model_key], every)) for run in trained}
    return {name: _picture(name, title, points, marks, every) for name, title in _QUANTITIES.items()}


def _points(run: TrainingRun, name: str, every: int) -> list[Record]:
    last = len(run.history) - 1
    kept = [epoch for place, epoch in enumerate(run.history) if place % every == 0 or place == last]
    return [_point(epoch, name) for epoch in kept]


def _point(epoch: Mapping[str, float], name: str) -> Record:
    return {
        "model": name,
        "epoch": int(epoch["epoch"]),
        "loss": round(epoch["loss"], 5),
        "accuracy %": round(100 * epoch["accuracy"], 3),
        "learning rate": float(f"{epoch['learning_rate']:.4g}"),
    }


def _picture(quantity: str, title: str, points: Mapping[str, tuple[float, list[Record]]], marks: Marks, every: int) -> Picture:
    bundled = len(points) > MOST_LINES
    axis = percent_axis(title) if quantity.endswith("%") else {"title": {"text": title}, "rangemode": "tozero"}
    figure = drawn(
        _bundles(quantity, points, marks) if bundled else [_line(quantity, name, *found, marks) for name, found in points.items()],
        xaxis={"title": {"text": "epoch"}, "rangemode": "tozero"},
        yaxis=axis,
    )
    thinned = f" One epoch in {every} is shown." if every > 1 else ""
    table = [point for _, found in points.values() for point in found]
    return Picture(
        title=f"{title.capitalize()}", figure=figure, table=table, caption=f"On the training examples, measured while training.{thinned}"
    )


def _line(quantity: str, name: str, theta: float, points: list[Record], marks: Marks) -> dict[str, Any]:
    return {
        **_trace(quantity, points),
        "mode": "lines+markers" if len(points) <= MOST_LINES else "lines",
        "name": plain(name),
        "line": {"color": marks.colour(theta), "dash": marks.dash(theta, name), "width": 2},
        "marker": {"symbol": marks.symbol(theta, name), "size": 6},
    }


def _trace(quantity: str, points: list[Record]) -> dict[str, Any]:
    value = "%{y:.1f} %" if quantity.endswith("%") else "%{y:.4f}"
    return {
        "type": "scatter",
        "x": [point["epoch"] for point in points],
        "y": [point[quantity] for point in points],
        "text": [plain(str(point["model"])) for point in points],
        "customdata": [point["learning rate"] for point in points],
        "hovertemplate": f"<b>%{{text}}</b><br>epoch %{{x}}: <b>{value}</b><br>learning rate %{{customdata}}<extra></extra>",
    }


def _bundles(quantity: str, points: Mapping[str, tuple[float, list[Record]]], marks: Marks) -> list[dict[str, Any]]:
    gap: Record = {"model": "", "epoch": None, "learning rate": None, quantity: None}
    joined: dict[float, list[Record]] = defaultdict(list)
    for theta, found in points.values():
        joined[theta] += [*found, gap]
    return [
        {
            **_trace(quantity, found),
            "mode": "lines",
            "name": f"theta {theta:g}",
            "line": {"color": faded(marks.colour(theta), 0.45), "width": 1},
        }
        for theta, found in joined.items()
    ]
