"""How fast a search finds the trade-off curve of a grid: samplers on a stored table of the grid's results.

`theta_rank/table.csv` holds clean and worst-case robust accuracy at 16/255 of the 64 nets of `theta_rank/theta-rank.yaml`, as
`robustsweep results theta-rank --worst-case -f csv` has them (knowledge `any`). A trial looks its net up instead of training it.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
import pytest

from orchestrator.planning.expand import deduplicate, grid_jobs
from orchestrator.search.samplers import ParameterValues, sampler_of, suggest
from orchestrator.search.trial_index import KIND, PARENT
from orchestrator.search.warm_start import baseline_of
from search_spaces import Space, parse_space
from tests.benchmarks.conftest import Record

pytestmark = pytest.mark.bench
SEEDS, TRIALS, SHARE = range(5), 24, 0.4
PRETRAINING, FINE_TUNING = 5, 3
Net = tuple[float, float]
Point = tuple[float, float]

SPACE = """
method: optuna
search:
  {{sampler: {sampler}, seed: {seed}, n_trials: 24, objectives: [clean_accuracy, {{metric: worst_case_accuracy, epsilon: 16/255}}]}}
data: {{name: digits}}
model: {{width: 8, theta: {{min: 0.86, max: 1.0, step: 0.02}}, rank_fraction: {{min: 0.3, max: 1.0, step: 0.1}}}}
training: {{epochs: 5}}
attacks: [{{attack: pgd, epsilon: 16/255}}]
"""


def table() -> dict[Net, Point]:
    """Clean and worst-case robust accuracy by theta and rank fraction."""
    with (Path(__file__).parent / "theta_rank" / "table.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    return {
        (float(row["theta"]), float(row["rank_fraction"])): (float(row["clean_accuracy"]), float(row["robust_accuracy"])) for row in rows
    }


def epochs(nets: Sequence[Net]) -> int:
    """What training these nets costs: from scratch once for each rank, then from there for each theta below 1."""
    return PRETRAINING * len({rank for _, rank in nets}) + FINE_TUNING * len({net for net in nets if net[0] < 1})


def hypervolume(points: Sequence[Point], worst: Point) -> float:
    """The area that the points dominate, over that of the worst of all."""
    area, reached = 0.0, worst[1]
    for clean, robust in sorted(points, reverse=True):
        area += max(0.0, robust - reached) * max(0.0, clean - worst[0])
        reached = max(reached, robust)
    return area


def searched(space: Space, known: dict[Net, Point]) -> list[Net]:
    """The nets that a search measures, in their order: those of its trials, and after each the one that it is fine-tuned from."""
    assert space.search is not None
    study = optuna.create_study(directions=["maximize", "maximize"])
    nets: list[Net] = []
    tried: set[Net] = set()
    while len(tried) < TRIALS and len(study.trials) < 200:
        trial = study.ask()
        study.sampler = sampler_of(space.search, trial=trial.number, tried=len(tried), conditional=False)
        values = suggest(trial, space.parameters)
        net = net_of(values)
        study.tell(trial, known[net])
        if KIND not in trial.user_attrs and net not in nets:
            tried.add(net)
        nets.append(net)
        parent = baseline_of(space, values, deduplicate(grid_jobs(space.at(values))))
        if parent is not None and net_of(parent.values) not in nets:
            study.enqueue_trial(dict(parent.values), user_attrs={KIND: PARENT})
    return nets


def net_of(values: ParameterValues) -> Net:
    return (float(str(values["model.theta"])), float(str(values["model.rank_fraction"])))


def reached(sampler: str, seed: int, known: dict[Net, Point]) -> tuple[float, float]:
    """The share of the grid's hypervolume that a search has within 40 % of the grid's epochs, and after all of its trials."""
    space = parse_space(SPACE.format(sampler=sampler, seed=seed), label="space", stem="space")
    nets = searched(space, known)
    worst = (min(clean for clean, _ in known.values()), min(robust for _, robust in known.values()))
    whole = hypervolume(list(known.values()), worst)
    affordable = [net for place, net in enumerate(nets) if epochs(nets[: place + 1]) <= SHARE * epochs(list(known))]
    return tuple(hypervolume([known[net] for net in some], worst) / whole for some in (affordable, nets))  # type: ignore[return-value]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "qmc", "random"])
def test_the_share_of_the_grids_hypervolume(sampler: str, record: Record) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = table()
    shares = np.array([reached(sampler, seed, known) for seed in SEEDS])
    for column, when in enumerate(("within 40 % of its epochs", f"after {TRIALS} nets")):
        spread = f"of {len(known)} nets; 5 seeds, {shares[:, column].min():.3f} to {shares[:, column].max():.3f}"
        asked = "1.000" if sampler == "tpe" and column == 0 else "more than random's" if sampler == "tpe" else "-"
        record(f"hypervolume: {sampler}, {when}", shares[:, column].mean(), asked=asked, reference=f"the full grid {spread}")
