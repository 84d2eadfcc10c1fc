"""Models that were stopped at a rung: never mixed with others, their cost counted once, their checkpoints kept while they are of use."""

from pathlib import Path

import pytest
from sqlalchemy import text

from orchestrator.planning.training_chain import TrainingChain, stop_early, with_resume_points
from orchestrator.store import Store, model_verdicts, parse_conditions, record_result, result_rows
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.maintenance.prune import RemovalRequest, prune
from orchestrator.store.reading.paired_results import compare_sweeps
from orchestrator.store.reading.report_evidence import example_scores, job_costs, training_runs
from orchestrator.store.reading.study_trials import finished_rungs
from orchestrator.store.reading.surface_rows import surface_rows
from orchestrator.store.reading.trained_models import trained_models
from tests.builders import (
    attack_job,
    defend_job,
    diagnose_job,
    evaluate_job,
    fine_tune_job,
    pretrain_job,
    surface_job,
    train_result,
)
from tests.stored import begin_driving, launch, record_sweep
from workers.artifacts.artifacts import CHECKPOINT, Artifacts
from workers.spec.job import Earlier, Job

FULL = pretrain_job(epochs=4)
SKETCHED = fine_tune_job(FULL, epochs=6)
FIRST, SECOND = (stop_early((FULL, SKETCHED), until=until)[-1] for until in (1, 3))


def measured(model: Job) -> list[Job]:
    return [evaluate_job(model), attack_job(model), attack_job(model, repeat=1), diagnose_job(model), surface_job(model)]


PLAN = [FULL, SKETCHED, FIRST, SECOND, *(job for model in (SKETCHED, FIRST, SECOND) for job in measured(model))]


def lineage_of(defended: bool) -> TrainingChain:
    return (FULL, SKETCHED, defend_job(SKETCHED)) if defended else (FULL, SKETCHED)


@pytest.mark.parametrize("defended", [False, True])
def test_only_the_last_training_of_a_lineage_is_stopped(defended):
    ancestor, last, *around = stop_early(lineage_of(defended), until=2)
    assert ancestor is FULL
    assert (last.stage, last.spec.until, last.trunk_key, last.parents) == ("fine_tune", 2, SKETCHED.key, {"weights": FULL.key})
    assert [(job.stage, job.spec.until, job.parents) for job in around] == [("defend", 2, {"weights": last.key})] * defended
    assert stop_early(lineage_of(defended), until=6) == lineage_of(defended)
    assert [(job.spec.until, job.parents) for job in stop_early((FULL,), until=1)] == [(1, {})]
    with pytest.raises(ValueError, match=r"until=7: must be in \[1, 6\]"):
        stop_early(lineage_of(defended), until=7)


def test_reports_leave_rungs_out_and_results_show_them_when_asked(store: Store):
    launch(store, PLAN)
    assert {row.model_key for row in result_rows(store, "small", per_repeat=False)} == {SKETCHED.key}
    assert {row.model_key for row in result_rows(store, "small", per_repeat=False, worst=True)} == {SKETCHED.key}
    every = result_rows(store, "small", per_repeat=False, rungs=True)
    assert {(row.model_key, row.until, row.epochs) for row in every} == {(SKETCHED.key, None, 6), (FIRST.key, 1, 6), (SECOND.key, 3, 6)}
    assert [row.until for row in result_rows(store, "small", per_repeat=False, where=parse_conditions(["until>=2"]))] == [3]
    assert {row.until for row in result_rows(store, "small", per_repeat=False, where=parse_conditions(["theta=0.8"]))} == {None}
    assert len(result_rows(store, "small", per_repeat=False, over_seeds=True, rungs=True)) == 3  # never pooled
    assert {run.model_key for run in training_runs(store, "small")} == {FULL.key, SKETCHED.key}
    assert {scores.evaluations for scores in example_scores(store, "small")} == {1, 2}  # one model's
    assert {row.model_key for row in surface_rows(store, "small")} == {SKETCHED.key}
    assert {found.model_key for found in model_verdicts(store, "small", rungs=False)} == {SKETCHED.key}
    assert {found.description.split(", ")[-1] for found in model_verdicts(store, "small")} == {
        "theta 0.8",
        "until epoch 1",
        "until epoch 3",
    }


def test_sql_tells_rungs_apart_in_every_view(store: Store):
    launch(store, PLAN)
    for view in ("v_models", "v_results", "v_worst_case"):
        found = ask(store, f"SELECT until FROM {view} WHERE theta < 1 GROUP BY until ORDER BY coalesce(until, 99)").rows
        assert found == ((1,), (3,), (None,))
    columns = trained_models(store).columns
    assert {"until", "resumed_key"} <= set(columns)


def test_sweeps_are_compared_by_the_models_that_were_trained_to_the_end(store: Store):
    launch(store, PLAN, name="one")
    launch(store, [FULL, FIRST, SKETCHED, *measured(FIRST), *measured(SKETCHED)], name="two")
    cells = compare_sweeps(store, "one", "two").cells
    assert {cell.side.model_key for cell in cells} == {SKETCHED.key}
    assert len(cells) == 2


def test_a_model_costs_what_its_rungs_cost_too_in_whichever_sweep_they_are(store: Store):
    launch(store, [FULL, FIRST], name="rungs")
    record_sweep(store, name="small", space_text="", jobs=[FULL, SECOND, SKETCHED])
    for job, before in ((SECOND, FIRST), (SKETCHED, SECOND)):
        result = train_result(job)
        outcome = result.outcome.model_copy(update={"resumed": before.key})
        record_result(store, job, result.model_copy(update={"outcome": outcome}), attempt_id=None)
    for sweep in ("small", None):
        assert job_costs(store, sweep).training(SKETCHED.key) == 4 * 1.5
        assert job_costs(store, sweep).measuring([SKETCHED.key]) == 1.5
    assert ask(store, "SELECT resumed_key FROM v_models WHERE until IS NULL AND theta < 1").rows == ((SECOND.key,),)


def keep_checkpoints(root: Path, *jobs: Job) -> Artifacts:
    artifacts = Artifacts(root)
    for job in jobs:
        artifacts.folder(job.key).save(CHECKPOINT, b"state")
    return artifacts


def test_a_training_goes_on_from_the_furthest_rung_that_kept_its_checkpoint(store: Store, tmp_path: Path):
    launch(store, [FULL, FIRST, SECOND])
    hint = {job.key: Earlier(key=job.key, epochs=job.spec.until) for job in (FIRST, SECOND)}
    between = stop_early((FULL, SKETCHED), until=2)[-1]
    artifacts = keep_checkpoints(tmp_path, FIRST, SECOND)

    def hints(*jobs: Job) -> list[Earlier | None]:
        return [job.resumes for job in with_resume_points(jobs, finished_rungs(store), artifacts)]

    assert hints(SKETCHED, between, FULL, evaluate_job(SKETCHED)) == [hint[SECOND.key], hint[FIRST.key], None, None]
    assert hints(SECOND, FIRST) == [hint[FIRST.key], None]
    artifacts.drop_checkpoint(SECOND.key)
    assert hints(SKETCHED) == [hint[FIRST.key]]
    assert hints(fine_tune_job(FULL, epochs=6, theta=0.5)) == [None]


def gone(store: Store, artifacts: Artifacts, *, really: bool = True) -> list[tuple[str, int, int]]:
    found = prune(store, artifacts, RemovalRequest(rung_states=True), really=really)
    return [(item.kind, item.number, item.size) for item in found]


def test_pruning_drops_the_checkpoints_that_nothing_will_go_on_from_and_no_model(store: Store, tmp_path: Path):
    launch(store, [FULL, FIRST, SECOND])
    artifacts = keep_checkpoints(tmp_path, FIRST, SECOND)
    assert gone(store, artifacts, really=False) == gone(store, artifacts) == [("checkpoints of rungs", 1, 5)]
    assert [artifacts.checkpoint_size(job.key) for job in (FIRST, SECOND)] == [0, 5]
    assert gone(store, artifacts) == []
    launch(store, [FULL, SKETCHED], name="whole")
    assert gone(store, artifacts) == [("checkpoints of rungs", 1, 5)]
    assert len(finished_rungs(store)[SKETCHED.key]) == 2


def test_pruning_leaves_the_checkpoints_of_a_running_sweep(store: Store, tmp_path: Path):
    launch(store, [FULL, FIRST, SKETCHED])
    artifacts = keep_checkpoints(tmp_path, FIRST)
    begin_driving(store, "small", "host", 1)
    assert gone(store, artifacts) == []
    with store.writing() as connection:
        connection.execute(text("UPDATE sweeps SET heartbeat_at = NULL"))
    assert gone(store, artifacts) == [("checkpoints of rungs", 1, 5)]
