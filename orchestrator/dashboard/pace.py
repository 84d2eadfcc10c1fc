"""Figure of the jobs of each stage that finished over time: the last two thousand, in some forty bars."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

import plotly.graph_objects as go

from orchestrator.dashboard.context import time_zone
from orchestrator.planning.plan import STAGES
from orchestrator.report.figures.theme import PALETTE, drawn, figure_of
from orchestrator.store.reading.dashboard_queries import FinishedJob

_MOST_BARS = 40
_STEPS = (10, 30, 60, 300, 600, 1800, 3600, 4 * 3600, 86_400)
_EVER = timedelta(days=3650).total_seconds()


def pace_figure(finished: Collection[FinishedJob]) -> go.Figure:
    """Draw the jobs that finished in equal spans of time, stacked by stage. A pause of hours, between two launches, keeps its width."""
    times = sorted(job.finished_at for job in finished)
    step = bar_seconds(times[0], times[-1])
    counts: Counter[tuple[str, int]] = Counter((job.stage, int(job.finished_at.timestamp() // step)) for job in finished)
    bars = [_bar(stage, number, counts, step) for number, stage in enumerate(STAGES) if any(found == stage for found, _ in counts)]
    return figure_of(
        drawn(
            bars,
            barmode="stack",
            bargap=0.08,
            height=280,
            xaxis={"type": "date"},
            yaxis={"title": {"text": f"jobs / {_words(step)}"}, "rangemode": "tozero"},
        )
    )


def bar_seconds(first: datetime, last: datetime) -> float:
    """Return the shortest round span of which at most forty cover the time; at least ten seconds."""
    whole = (last - first).total_seconds()
    return next((step for step in _STEPS if whole / step <= _MOST_BARS), _EVER)


def _bar(stage: str, number: int, counts: Counter[tuple[str, int]], step: float) -> dict[str, object]:
    places = sorted(place for found, place in counts if found == stage)
    zone = time_zone()
    return {
        "type": "bar",
        "name": stage,
        "x": [datetime.fromtimestamp(place * step, zone).replace(tzinfo=None) for place in places],
        "y": [counts[stage, place] for place in places],
        "offset": 0,
        "width": step * 1000,
        # There are more stages than colours: those beyond are hatched.
        "marker": {"color": PALETTE[number % len(PALETTE)], "pattern": {"shape": "" if number < len(PALETTE) else "/"}},
        "hovertemplate": f"%{{x}}: <b>%{{y}}</b> {stage}<extra></extra>",
    }


def _words(step: float) -> str:
    units = ((3600, "h"), (60, "min"), (1, "s"))
    size, unit = next((size, unit) for size, unit in units if step >= size)
    return unit if step == size else f"{step / size:g} {unit}"
