import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from orchestrator.driver.progress_display import progress_line, seconds_left, show_progress
from orchestrator.driver.recorder import Recorder
from orchestrator.driver.scheduling.job_queue import JobQueue
from orchestrator.driver.sweep_run import SweepRun
from orchestrator.naming.names import job_name
from orchestrator.planning.job_cost import cost
from orchestrator.store import failures, finished_keys, open_store
from orchestrator.terminal.console import clock
from tests.builders import (
    attack_job,
    attack_settings,
    craft_job,
    defend_job,
    evaluate_job,
    fine_tune_job,
    pretrain_job,
    result_of,
    small_plan,
    surface_job,
    transfer_job,
)
from tests.stored import record_sweep
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import BatchRecord, EpochRecord
from workers.spec.job import Earlier, Job
from workers.spec.stage_specs import TrainSpec

JOBS = tuple(small_plan(repeats=2))


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[SweepRun]:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=JOBS)
        recorder = Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts"))
        yield SweepRun(JobQueue(JOBS, max_failures=1), recorder, JOBS)


def epoch_record(epoch: int) -> EpochRecord:
    return EpochRecord(epoch=epoch, loss=1.0, accuracy=0.5, learning_rate=0.1)


def run_next(sweep: SweepRun, tmp_path: Path) -> Job:
    job = sweep.take()
    assert job is not None
    sweep.begin(job)
    folder = Artifacts(tmp_path / "artifacts").folder(job.key)
    folder.begin(job)
    folder.commit(result_of(job))
    sweep.succeed(job)
    return job


def test_every_job_done_is_in_the_database_and_nothing_is_left_to_estimate(sweep: SweepRun, tmp_path: Path) -> None:
    while not sweep.queue.drained:
        run_next(sweep, tmp_path)
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=False) as store:
        assert finished_keys(store) == {job.key for job in JOBS}
    assert seconds_left(sweep) == 0


def test_there_is_no_estimate_before_a_like_job_has_run_and_a_positive_one_after(sweep: SweepRun, tmp_path: Path) -> None:
    assert seconds_left(sweep) is None
    while (estimate := seconds_left(sweep)) is None:
        run_next(sweep, tmp_path)
    assert estimate > 0


def test_a_worker_that_claims_success_without_a_result_has_failed(sweep: SweepRun, tmp_path: Path) -> None:
    for _ in range(2):
        job = sweep.take()
        assert job is not None
        sweep.begin(job)
        sweep.succeed(job)
    assert sweep.queue.total("failed") == 1
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=False) as store:
        (failure,) = failures(store, "small")
    assert "no result" in failure.error


def test_a_worker_that_died_after_its_result_was_written_has_succeeded(sweep: SweepRun, tmp_path: Path) -> None:
    job = sweep.take()
    assert job is not None
    sweep.begin(job)
    folder = Artifacts(tmp_path / "artifacts").folder(job.key)
    folder.begin(job)
    folder.commit(result_of(job))
    sweep.lost(job, error="killed", traceback="")
    assert sweep.queue.total("done") == 1


def test_an_attempt_that_died_before_it_began_is_a_failed_attempt(sweep: SweepRun) -> None:
    job = sweep.take()
    assert job is not None
    sweep.lost(job, error="killed", traceback="")
    assert sweep.take() == job


def test_jobs_of_which_all_workers_were_lost_are_handed_out_again_except_one_that_had_its_result(sweep: SweepRun, tmp_path: Path) -> None:
    for _ in range(2):
        run_next(sweep, tmp_path)
    done, begun, queued = (sweep.take() for _ in range(3))
    assert done is not None
    assert begun is not None
    assert queued is not None
    for job in (done, begun):
        sweep.begin(job)
    folder = Artifacts(tmp_path / "artifacts").folder(done.key)
    folder.begin(done)
    folder.commit(result_of(done))
    sweep.lose_all(error="Ray has died")
    assert sweep.queue.is_done(done.key)
    again = [sweep.take(), sweep.take()]
    assert again in ([begun, queued], [queued, begun])


def test_a_job_that_gets_on_outlives_any_number_of_workers(sweep: SweepRun) -> None:
    training = JOBS[0]
    for epoch in range(1, 8):
        assert sweep.take() == training
        sweep.begin(training)
        sweep.epoch(training, epoch_record(epoch))
        sweep.lost(training, error="killed", traceback="")
    assert sweep.queue.total("failed") == 0


def test_a_job_that_kills_its_workers_at_the_same_place_is_given_up(sweep: SweepRun) -> None:
    training = JOBS[0]
    for _ in range(3):
        assert sweep.take() == training
        sweep.begin(training)
        sweep.epoch(training, epoch_record(1))
        sweep.lost(training, error="killed", traceback="")
    assert sweep.take() is None
    assert sweep.queue.total("failed") == 1


def _without_time(text: str) -> str:
    return re.sub(r"elapsed [0-9:]+", "", text)


def test_a_log_file_gets_lines_and_a_terminal_a_table(sweep: SweepRun, tmp_path: Path) -> None:
    run_next(sweep, tmp_path)
    log, screen = io.StringIO(), io.StringIO()
    with show_progress(sweep, name="small", console=Console(file=log, width=80)):
        pass
    with show_progress(sweep, name="[small]", console=Console(file=screen, width=80, force_terminal=True)):
        pass
    assert [_without_time(line) for line in log.getvalue().splitlines()] == 2 * [_without_time(progress_line(sweep))]  # first at once
    assert f"1/{len(JOBS)} jobs done" in log.getvalue()
    assert "[small]" in screen.getvalue()
    assert "attack" in screen.getvalue()


def test_a_notebook_gets_a_bar_that_is_drawn_anew_in_its_cell(sweep: SweepRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    cell = SimpleNamespace(update=drawn.append)
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(HTML=str, display=lambda *_, **__: cell))
    log = io.StringIO()
    with show_progress(sweep, name="<small>", console=Console(file=log)):
        run_next(sweep, tmp_path)
    assert f'<b>sweep &lt;small&gt;</b> <progress value="1" max="{len(JOBS)}"' in drawn[-1]
    assert f"1/{len(JOBS)} jobs done" in drawn[-1]
    assert log.getvalue() == ""


def test_a_defence_is_named_with_the_settings_that_are_not_the_default(sweep: SweepRun) -> None:
    defended = defend_job(JOBS[0], "feature_squeezing", bit_depth=3)
    assert job_name(defended) == "defend resnet18 rank=0.5 theta=1 defence=feature_squeezing bit_depth=3 seed=0"
    assert cost(defended) == 1


def test_a_training_that_goes_on_from_a_rung_counts_the_epochs_that_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pretrain_job(epochs=10)
    rung = Job(spec=TrainSpec(**dict(whole.spec) | {"until": 3}))
    resumed = whole.model_copy(update={"resumes": Earlier(key=rung.key, epochs=3)})
    assert [cost(job) for job in (whole, rung, resumed)] == [10, 3, 7]
    assert job_name(rung).endswith("seed=0 until=3 of 10")
    store = open_store(f"sqlite:///{tmp_path}/results.db", upgrade=True)
    record_sweep(store, name="small", space_text="", jobs=[resumed])
    recorder = Recorder(store, sweep="small", artifacts=Artifacts(tmp_path))
    sweep = SweepRun(JobQueue([resumed], max_failures=1), recorder, (resumed,))
    taken = sweep.take()
    assert taken is not None
    wait = clocked(sweep, monkeypatch)
    sweep.begin(taken)
    seconds = []
    for epoch in (1, 4, 5, 9):  # the first: the checkpoint was gone after all
        wait(10.0)
        sweep.epoch(taken, epoch_record(epoch))
        seconds.append(seconds_left(sweep))
        assert [job.partition(", loss")[0] for job in sweep.running] == [f"{sweep.supply.names(taken)}: epoch {epoch} of 10"]
    assert seconds[0] is None
    assert seconds[1] > seconds[3] > 0
    store.close()


def test_a_defence_that_was_put_around_has_no_training_accuracy_to_show(tmp_path: Path) -> None:
    jobs = (JOBS[0], defend_job(JOBS[0]))
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=jobs)
        recorder = Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts"))
        sweep = SweepRun(JobQueue(jobs, max_failures=1), recorder, jobs)
        for _ in jobs:
            run_next(sweep, tmp_path)
    assert sweep.last_event == "defend defence random_resize_pad: defence put around"
    assert seconds_left(sweep) == 0


def test_a_surface_is_summed_up_by_its_losses(tmp_path: Path) -> None:
    jobs = (JOBS[0], surface_job(JOBS[0], source=JOBS[0], resolution=41))
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=jobs)
        recorder = Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts"))
        sweep = SweepRun(JobQueue(jobs, max_failures=1), recorder, jobs)
        for _ in jobs:
            run_next(sweep, tmp_path)
    assert sweep.last_event == "loss surface of example 0, direction theta_one: loss 0.125 to 9.5"
    assert seconds_left(sweep) == 0


def test_labels_tell_jobs_of_one_model_apart() -> None:
    labels = [(job.parents.get("model"), job_name(job)) for job in JOBS]
    assert len(set(labels)) == len(JOBS)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "pgd 8/255 randomized, repeat 0"),
        ({"norm": "l2"}, "pgd l2 8/255 randomized, repeat 0"),
        ({"target": "next", "sign_gradient": "tanh"}, "pgd 8/255 target=next sign=tanh randomized, repeat 0"),
    ],
)
def test_a_label_names_what_is_unusual_about_an_attack(more: dict[str, object], text: str) -> None:
    assert job_name(attack_job(pretrain_job(), attack=attack_settings(name="pgd", **more))) == text


def test_a_transfer_is_labelled_with_its_source_and_costs_no_more_than_an_evaluation(sweep: SweepRun) -> None:
    full, model, pgd = pretrain_job(), fine_tune_job(pretrain_job()), attack_settings(name="pgd", steps=10)
    crafted = craft_job(full, attack=pgd)
    job = transfer_job(model, attack=pgd, crafted=crafted, source=full)
    assert job_name(job) == f"pgd 8/255 transfer from {full.key[:8]}, repeat 0"
    assert cost(job) == 1


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3661, "1:01:01")])
def test_times_are_shown_as_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def clocked(sweep: SweepRun, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that only the test moves."""
    now = [100.0]
    monkeypatch.setattr("orchestrator.driver.work_meter.time.monotonic", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


@pytest.fixture
def attacks(tmp_path: Path) -> Iterator[SweepRun]:
    """A sweep of two long attacks of equal cost on a model that is there."""
    model = pretrain_job()
    attack = attack_settings(name="pgd", steps=33)
    jobs = tuple(attack_job(model, attack=attack, repeat=repeat, examples=100) for repeat in range(2))
    with open_store(f"sqlite:///{tmp_path / 'attacks.db'}", upgrade=True) as store:
        record_sweep(store, name="small", space_text="", jobs=[model, *jobs])
        recorder = Recorder(store, sweep="small", artifacts=Artifacts(tmp_path / "artifacts"))
        yield SweepRun(JobQueue(jobs, max_failures=1), recorder, jobs)


def take(sweep: SweepRun) -> Job:
    job = sweep.take()
    assert job is not None
    sweep.begin(job)
    return job


def test_every_batch_of_a_long_attack_moves_the_estimate(attacks: SweepRun, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = clocked(attacks, monkeypatch)
    job = take(attacks)
    assert seconds_left(attacks) is None
    wait(10)
    attacks.batch(job, BatchRecord(done=10, total=100))
    assert seconds_left(attacks) == pytest.approx(190)
    assert attacks.last_event == f"{job_name(job)}: 10 of 100 examples"
    wait(10)
    attacks.batch(job, BatchRecord(done=20, total=100))
    assert seconds_left(attacks) == pytest.approx(180)


def test_what_an_earlier_attempt_had_done_shortens_the_estimate_and_says_nothing_of_speed(
    attacks: SweepRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = clocked(attacks, monkeypatch)
    job = take(attacks)
    wait(10)
    attacks.batch(job, BatchRecord(done=90, total=100, before=80))
    assert seconds_left(attacks) == pytest.approx(110)


def test_a_failed_attempts_batches_are_counted_once(attacks: SweepRun, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = clocked(attacks, monkeypatch)
    job = take(attacks)
    wait(50)
    attacks.batch(job, BatchRecord(done=50, total=100))
    attacks.fail(job, error="killed", traceback="")
    assert take(attacks) == job
    wait(10)
    attacks.batch(job, BatchRecord(done=60, total=100, before=50))
    assert seconds_left(attacks) == pytest.approx(140)


def test_nothing_is_left_after_attacks_that_reported_on_their_way(
    attacks: SweepRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = clocked(attacks, monkeypatch)
    job = take(attacks)
    wait(25)
    attacks.batch(job, BatchRecord(done=50, total=100))
    wait(75)
    folder = Artifacts(tmp_path / "artifacts").folder(job.key)
    folder.begin(job)
    folder.commit(result_of(job))
    attacks.succeed(job)
    assert seconds_left(attacks) == pytest.approx(100)


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({"name": "pgd", "steps": 10}, 30),
        ({"name": "pgd", "steps": 10, "eot_samples": 4}, 120),
        ({"name": "pgd", "steps": 10, "restarts": 3}, 90 + 2),  # a point of a deterministic net is seen once
        ({"name": "pgd", "steps": 10, "restarts": 3, "selection_draws": 8}, 90 + 2 * 16),
        ({"name": "pgd", "steps": 10, "target": "least_likely", "selection_draws": 8}, 30 + 8),
        ({"name": "apgd_ce", "steps": 10}, 30),
        ({"name": "apgd_ce", "steps": 10, "selection_draws": 8}, 30 + 10 * 16),
        ({"name": "square", "steps": 10}, 10),
        ({"name": "square", "steps": 10, "selection_draws": 8}, 160),
        ({"name": "noise", "steps": 1}, 0),
    ],
)
def test_an_attacks_cost_counts_the_passes_that_its_settings_ask_for(settings: dict[str, object], passes: int) -> None:
    model, attack = pretrain_job(), attack_settings(**settings)  # type: ignore[arg-type]
    assert cost(attack_job(model, attack=attack, knowledge="eot" if attack.eot_samples > 1 else None, draws=5)) == passes + 5
    if attack.eot_samples == 1:
        crafted = craft_job(model, attack=attack)
        assert cost(crafted) == max(1, passes)
        assert cost(attack_job(model, attack=attack, crafted=crafted, draws=5)) == 5
    assert cost(evaluate_job(model, draws=3)) == 3


def test_an_interruption_that_was_swallowed_comes_again_at_the_next_job(sweep: SweepRun) -> None:
    with pytest.raises(KeyboardInterrupt):
        sweep.interrupt()
    with pytest.raises(KeyboardInterrupt):
        sweep.take()
    assert sweep.interrupted
