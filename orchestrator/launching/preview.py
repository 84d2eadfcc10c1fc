"""`robustsweep plan`: preview of a launch, without torch and without Ray."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from orchestrator.driver.scheduling.estimate import TimeEstimate, estimate
from orchestrator.paths import Paths
from orchestrator.planning import MAX_JOBS
from orchestrator.planning.adopted import keep_weights, load_sweep
from orchestrator.planning.expand import expand_space
from orchestrator.planning.input_digests import changed_code, changed_data, digests_of_files
from orchestrator.planning.plan import Plan, damaged_jobs, finished_jobs, make_plan
from orchestrator.planning.prelaunch_checks import check_data, check_effects, check_sizes
from orchestrator.planning.racing.raced_attacks import raced_attacks
from orchestrator.planning.racing.races import Races
from orchestrator.store import StoreMissing, finished_keys, open_store
from orchestrator.store.reading.result_rows import earlier_digests, earlier_plugins
from orchestrator.store.reading.study_trials import flags_of
from orchestrator.store.reading.timings import recent_timings
from workers.code import code_here
from workers.data.loading.remote import DataRoot
from workers.errors import UserError
from workers.spec.job import JOB
from workers.spec.stage_specs import TrainSpec


def preview_plan(space: str, overrides: Sequence[str], paths: Paths, *, max_jobs: int = MAX_JOBS) -> tuple[str, Plan]:
    """Return the sweep's name and its plan; a store that does not exist yet counts as empty, and is not made."""
    loaded = load_sweep(space, overrides, paths.artifacts)
    with digests_of_files(paths.data_root):
        jobs = expand_space(loaded.space, max_jobs=max_jobs)
        races = Races(raced_attacks(loaded.space))
    check_sizes(jobs)
    try:
        with open_store(paths.store_url, upgrade=False) as store:
            recorded = finished_keys(store)
            earlier = earlier_plugins(store) if any(job.plugins for job in jobs) else {}
            digests = earlier_digests(store) if any(job.digests for job in jobs) else {}
            races.settle(partial(flags_of, store))
    except StoreMissing:
        recorded, earlier, digests = frozenset(), {}, {}
    jobs = list({job.key: job for job in (*jobs, *races.jobs, *races.possible)}.values())
    finished = finished_jobs(paths.artifacts, jobs, recorded=recorded)
    damaged = damaged_jobs(paths.artifacts, jobs, recorded=recorded, finished=finished)
    plan = make_plan(jobs, recorded=recorded, finished=finished, damaged=damaged)
    new = (job for job in jobs if job.key in plan.pending)
    return loaded.name, replace(plan, changed=changed_code(new, earlier) | changed_data(jobs, plan.pending, digests), races=races.at_most())


def estimate_plan(plan: Plan, paths: Paths, *, workers: int | None) -> TimeEstimate:
    """Estimate how long the plan will take with `workers` jobs at once (None: one for each core of this machine)."""
    try:
        with open_store(paths.store_url, upgrade=False) as store:
            timings = recent_timings(store)
    except StoreMissing:
        timings = []
    return estimate(plan, timings, workers=workers or os.cpu_count() or 1, root=paths.data_root)


def missing_data(plan: Plan, paths: Paths) -> str | None:
    """A line about data that `launch` would miss, as it would say it; None where they are in place, or at a URL, which is not asked."""
    if isinstance(paths.data_root, str):
        return None
    try:
        check_data(plan.using_data, paths.data_root)
        check_sizes(plan.using_data, paths.data_root)
    except UserError as error:
        return str(error)
    return None


def keep_weights_of(space: str, overrides: Sequence[str], paths: Paths) -> None:
    """Copy the weights that a space's networks adopt into the artifact store, where `python -m workers` finds them."""
    loaded = load_sweep(space, overrides, paths.artifacts)
    keep_weights(loaded, loaded.space.weights, paths.artifacts)


def write_job_files(plan: Plan, folder: Path, *, root: DataRoot) -> None:
    """Write `KEY.json` for each job to run; a batch scheduler runs them, parents first, with `python -m workers`, which checks
    that it has this code.

    Raises:
        UserError: the folder cannot be written, a network lacks what is asked of it, or files are missing whose content is part of a
            job's key.
    """
    check_data((job for job in plan.using_data if isinstance(job.spec, TrainSpec) and job.spec.data.facts.files), root)
    check_effects(plan.using_data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for job in plan.to_run:
            text = json.dumps({**JOB.dump_python(job, mode="json"), "code": code_here()}, indent=1)
            (folder / f"{job.key}.json").write_text(text)
    except OSError as error:
        raise UserError(f"--write-jobs {folder}: {error.strerror}") from error
