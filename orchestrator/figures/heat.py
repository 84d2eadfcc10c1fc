"""Heat maps of robust accuracy over theta and rank."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from orchestrator.axes import rank_in_words
from orchestrator.figures.attack_conditions import Condition, conditions
from orchestrator.figures.picture import Picture, Pictures, Record, percent, plain
from orchestrator.figures.theme import BESIDE_A_SCALE, SEQUENTIAL, drawn
from orchestrator.store import ResultRow
from orchestrator.tables.result_columns import ResultColumn, model_columns

_ON_THE_AXES = frozenset({"theta", "rank", "seed", "model key"})
_FEWEST = 2
Place = tuple[str, str]


def rank_heat_maps(rows: Sequence[ResultRow]) -> Pictures:
    """Draw robust accuracy over theta and rank, one map for each attack, epsilon, knowledge and kind of model; a cell is the mean over
    training seeds. Kinds with fewer than two thetas or two ranks have no map."""
    apart = [column for column in model_columns(rows) if column.title not in _ON_THE_AXES]
    found: Pictures = {}
    for condition in conditions(rows, by_epsilon=True):
        for kind, of_kind in _kinds(condition, apart).items():
            label = f"{condition.label}, {kind}" if kind else condition.label
            if len({row.theta for row in of_kind}) >= _FEWEST and len({row.rank_fraction for row in of_kind}) >= _FEWEST:
                found[label] = _picture(label, of_kind)
    return found


def _kinds(condition: Condition, apart: Sequence[ResultColumn]) -> dict[str, list[ResultRow]]:
    found: dict[str, list[ResultRow]] = defaultdict(list)
    for row in condition.rows:
        found[", ".join(f"{column.title} {column.text(row)}" for column in apart)].append(row)
    return found


def _picture(label: str, rows: Sequence[ResultRow]) -> Picture:
    cells: dict[Place, list[ResultRow]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.rank_fraction is None, row.rank_fraction or 0.0, -row.theta)):
        cells[f"{row.theta:g}", rank_in_words(row.rank_fraction, row.rank_fractions)].append(row)
    table: list[Record] = [_cell(place, found) for place, found in cells.items()]
    figure = drawn(
        [_map(table)],
        xaxis={"title": {"text": "theta"}, "type": "category"},
        yaxis={"title": {"text": "rank, share of the full rank"}, "type": "category"},
        margin=BESIDE_A_SCALE,
        coloraxis={
            "colorscale": SEQUENTIAL,
            "cmin": 0,
            "cmax": 100,
            "colorbar": {"title": {"text": "robust accuracy (%)", "side": "right"}},
        },
    )
    caption = "theta is the probability of keeping a latent component. Numbers are in %, means over training seeds where there are several."
    return Picture(title=f"Robust accuracy over theta and rank: {label}", figure=figure, table=table, caption=caption)


def _cell(place: Place, rows: Sequence[ResultRow]) -> dict[str, Any]:
    shares = [row.robust_accuracy for row in rows if row.robust_accuracy is not None]
    one = rows[0] if len(rows) == 1 else None
    interval = {"95% low": percent(one.ci_low) if one else None, "95% high": percent(one.ci_high) if one else None}
    return {"theta": place[0], "rank": place[1], "robust accuracy %": percent(fmean(shares)), **interval, "models": len(rows)}


def _map(table: list[Record]) -> dict[str, Any]:
    thetas = sorted({str(cell["theta"]) for cell in table}, key=float, reverse=True)
    ranks = list(dict.fromkeys(str(cell["rank"]) for cell in table))
    by_place = {(cell["theta"], cell["rank"]): cell for cell in table}
    grid = [[by_place.get((theta, rank)) for theta in thetas] for rank in ranks]
    return {
        "type": "heatmap",
        "x": [plain(theta) for theta in thetas],
        "y": ranks,
        "z": [[cell and cell["robust accuracy %"] for cell in line] for line in grid],
        "customdata": [[[_interval(cell), cell and cell["models"]] for cell in line] for line in grid],
        "texttemplate": "%{z:.1f}",
        "coloraxis": "coloraxis",
        "hoverongaps": False,
        "xgap": 2,
        "ygap": 2,
        "hovertemplate": "theta %{x}, rank %{y}: <b>%{z:.1f} %</b><br>%{customdata[0]}models: %{customdata[1]}<extra></extra>",
    }


def _interval(cell: dict[str, Any] | None) -> str:
    known = cell is not None and cell["95% low"] is not None and cell["95% high"] is not None
    return f"95% interval {cell['95% low']:.1f} to {cell['95% high']:.1f}<br>" if cell is not None and known else ""
