"""Checks of the sweep itself: whether its space can be computed, and how long that takes."""

from collections.abc import Callable, Sequence

from orchestrator.driver.scheduling.estimate import cost_of
from orchestrator.launching.doctor.results_of_checks import CheckResult
from orchestrator.launching.preview import estimate_plan
from orchestrator.paths import Paths
from orchestrator.planning.adopted import load_sweep
from orchestrator.planning.plan import Plan
from orchestrator.planning.prelaunch_checks import check_effects, check_sizes
from orchestrator.search.possible_jobs import jobs_of
from orchestrator.terminal.console import clock
from search_spaces import LoadedSpace
from workers.errors import UserError
from workers.spec.job import Job


def load(space: str, overrides: Sequence[str], *, max_jobs: int) -> tuple[LoadedSpace, list[Job]]:
    """Load a space and its jobs; of a search, those of a few configurations.

    Raises:
        UserError: the space is wrong.
    """
    loaded = load_sweep(space, overrides)
    return loaded, jobs_of(loaded.space, max_jobs=max_jobs)


def is_search(loaded: LoadedSpace) -> bool:
    return loaded.space.method == "optuna"


def check_space(loaded: LoadedSpace, jobs: Sequence[Job], paths: Paths) -> list[CheckResult]:
    """Check that the data sets have as many examples, and the networks such layers, as the jobs ask for."""
    check_sizes(jobs)
    check_sizes(jobs, paths.data_root)
    check_effects(jobs)
    if is_search(loaded):
        return [CheckResult("ok", "space", f"{loaded.name}, a search")]
    return [CheckResult("ok", "space", f"{loaded.name}, {len(jobs):,} jobs")]


def check_estimate(
    loaded: LoadedSpace, planned: Callable[[], tuple[str, Plan]], paths: Paths, *, workers: int | None, price: float | None
) -> list[CheckResult]:
    """Estimate the duration of the sweep. `planned` compares it with the results there are."""
    if is_search(loaded):
        return [CheckResult("ok", "estimate", "none for a search, whose jobs come one trial after the other")]
    try:
        _, plan = planned()
        found = estimate_plan(plan, paths, workers=workers)
    except UserError as error:
        return [CheckResult("warning", "estimate", f"none: {error}", "first correct what is wrong above")]
    if not plan.to_run:
        return [CheckResult("ok", "estimate", "nothing to do: all jobs are done")]
    unknown = sum(found.unknown.values())
    if unknown == len(plan.to_run):
        return [CheckResult("ok", "estimate", f"none for {unknown:,} jobs to run: the database holds no finished job that is like them")]
    cost = "" if price is None else f", {cost_of(found, price=price):,.2f} at {price:g} an hour for each"
    left_out = f"; {unknown:,} not counted, since no finished job is like them" if unknown else ""
    text = f"{clock(found.wall)} with {found.workers} workers for {len(plan.to_run):,} jobs to run, {clock(found.work)} of work"
    return [CheckResult("ok", "estimate", f"{text}{cost}{left_out}; by {found.timed:,} jobs timed on {found.device}")]
