import re
import sqlite3
from collections.abc import Iterator
from importlib.resources import files

import pytest
from sqlalchemy import make_url

from orchestrator.store import Store, open_store, record_result, result_rows
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.schema.views import VIEWS
from tests.builders import result_of, small_plan
from tests.stored import record_sweep
from workers.errors import UserError

_MODEL = (
    "dataset train_examples model tensorized rank_fraction rank_kind theta sketch_modes rescale binary defence adversarial_training seed "
    "epochs n_parameters"
)
_MODEL_MORE = (
    "until rank_fractions modality n_classes randomised validation_examples data_settings model_settings model_options defence_settings"
)
_TRAINING = (
    "loss epochs batch_size optimizer learning_rate momentum nesterov weight_decay schedule milestones gamma clip_norm "
    "precision channels_last horizontal_flip crop_padding cutout augmentation mixing mixing_alpha "
    "time_shift background_noise spectrogram_masks adversarial_training adversarial_epsilon adversarial_steps "
    "adversarial_stepsize adversarial_alpha adversarial_norm adversarial_loss adversarial_noise gradient_alignment weight_perturbation "
    "weight_perturbation_from warm_up weight_average ema_decay average_from checkpoint label_smoothing pairing beta"
)
_MODEL_OWN = " ".join(
    [
        "training fine_tuning width depth layers patch heads widen_factor split_lists image_size channels evaluated",
        "dropout activation_bits lipschitz_beta bit_depth median_size pad_factor pruning_samples",
        "model_factorization model_tensorize_first model_tensorize_linear model_tensorize_attention model_tensorize_transposed",
        "model_execution model_all_zero model_draws model_init",
        "model_normalisation model_weights model_weights_map",
        *(f"{section}_{name}" for section in ("training", "fine_tuning") for name in _TRAINING.split()),
    ]
)
PUBLIC = {
    "v_jobs": "sweep in_space job_key stage state attempts error spec",
    "v_corruptions": (
        f"sweep in_space model_key job_key {_MODEL} corruption severity corruption_seed corruption_settings n_examples "
        "evaluation_batch_size example_order repeat draws n_correct accuracy seconds finished_at"
    ),
    "v_models": (
        f"model_key stage {_MODEL} clean_accuracy verdict seconds finished_at resumed_key validation_clean_accuracy "
        f"{_MODEL_MORE} {_MODEL_OWN}"
    ),
    "v_results": (
        f"sweep in_space model_key job_key {_MODEL} attack knowledge norm epsilon epsilon_literal random_start loss target restarts "
        "eot_samples selection_draws early_stop backend sign_gradient source_key n_examples evaluation_batch_size repeat draws n_correct "
        f"robust_accuracy clean_accuracy verdict seconds finished_at {_MODEL_MORE} takes_gradients selects one_step attack_settings "
        "metrics forward_passes backward_passes queries example_order split "
        "training fine_tuning steps classes version abs_stepsize attacks_loss precision searches stepsize first_weight momentum samples "
        f"sigma schedule snr_db {_MODEL_OWN.removeprefix('training fine_tuning ')}"
    ),
    "v_worst_case": (
        f"model_key {_MODEL} knowledge norm epsilon epsilon_literal n_examples evaluation_batch_size draws "
        "attacks accuracy ci_low ci_high verdict "
        f"{_MODEL_MORE} example_order split {_MODEL_OWN}"
    ),
}
"""The columns that users' queries rely on: they may grow, at the end, and none may go."""


@pytest.fixture
def filled(url: str) -> Iterator[Store]:
    with open_store(url, upgrade=True) as store:
        for name, theta in (("first", 0.8), ("second", 0.5)):
            jobs = small_plan(theta=theta)
            record_sweep(store, name=name, space_text="", jobs=jobs)
            for job in jobs:
                record_result(store, job, result_of(job), attempt_id=None)
    with open_store(url, upgrade=False) as store:
        yield store


def test_the_public_views_have_the_columns_that_they_promise(filled: Store) -> None:
    assert set(VIEWS) == set(PUBLIC)
    for view, columns in PUBLIC.items():
        assert " ".join(ask(filled, f"SELECT * FROM {view}").columns) == columns


def test_results_in_sql_are_those_of_the_results_command(filled: Store) -> None:
    statement = """SELECT theta, knowledge, avg(robust_accuracy), avg(clean_accuracy), count(*) FROM v_results WHERE sweep = 'first'
                   GROUP BY theta, knowledge ORDER BY knowledge"""
    rows = sorted(result_rows(filled, "first", per_repeat=False), key=lambda row: row.knowledge)
    expected = [(row.theta, row.knowledge, row.robust_accuracy, row.clean_accuracy, row.repeats) for row in rows]
    assert list(ask(filled, statement).rows) == expected


def test_models_and_jobs_are_found_by_sweep_and_state(filled: Store) -> None:
    assert ask(filled, "SELECT theta, stage, clean_accuracy FROM v_models WHERE theta < 1 ORDER BY theta").rows == (
        (0.5, "fine_tune", 0.5),
        (0.8, "fine_tune", 0.5),
    )
    (counts,) = ask(filled, "SELECT count(*), min(attempts) FROM v_jobs WHERE sweep = 'second' AND state = 'done'").rows
    assert counts == (len(small_plan()), 0)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM jobs",
        "DROP TABLE jobs",
        "INSERT INTO verdicts SELECT key, 'sound', '[]', '2026-01-01' FROM jobs",
        "CREATE TABLE mine (x INTEGER)",
        "SELECT 1; DELETE FROM attack_results",
        "COMMIT; DELETE FROM attack_results",
        "SELEKT 1",
        "SELECT * FROM nowhere",
        "",
    ],
)
def test_whatever_does_not_only_read_is_refused_in_one_line_and_changes_nothing(filled: Store, statement: str) -> None:
    before = ask(filled, "SELECT count(*) FROM v_results").rows
    with pytest.raises(UserError, match=r"^query: .+") as caught:
        ask(filled, statement)
    assert "\n" not in str(caught.value)
    assert ask(filled, "SELECT count(*) FROM v_results").rows == before


def test_a_percent_sign_in_a_query_is_text(filled: Store) -> None:
    assert ask(filled, "SELECT count(*) FROM v_models WHERE model LIKE 'res%' AND theta < 1").rows == ((2,),)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("statement", ["ATTACH DATABASE '{}' AS other", "VACUUM INTO '{}'", "PRAGMA query_only = OFF"])
def test_sqlite_can_write_to_no_other_file(filled: Store, statement: str) -> None:
    path = make_url(str(filled.engine.url)).database
    other = f"{path}.other"
    with pytest.raises(UserError, match="query: "):
        ask(filled, statement.format(other))
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(f"file:{other}?mode=ro", uri=True)


FILTERED = {
    "SELECT * FROM v_results WHERE sweep = 'first' AND theta = 0.8": {"attack_results", "clean_results", "sweep_jobs", "trained_models"},
    "SELECT * FROM v_results WHERE attack = 'fgsm' AND epsilon_literal = '8/255'": {"attack_results", "clean_results", "sweep_jobs"},
    "SELECT * FROM v_results WHERE model_key = 'x'": {"attack_results", "clean_results", "sweep_jobs", "trained_models"},
    "SELECT * FROM v_models WHERE model_key = 'x'": {"clean_results", "jobs", "trained_models"},
    "SELECT * FROM v_models WHERE theta = 0.8": {"clean_results", "jobs"},
    "SELECT * FROM v_jobs WHERE sweep = 'first'": {"attempts", "jobs", "sweep_jobs"},
    "SELECT * FROM v_jobs WHERE state = 'failed'": {"attempts", "jobs", "sweep_jobs"},
    "SELECT * FROM v_worst_case WHERE model_key = 'x'": {"trained_models", "worst_cases"},
    "SELECT * FROM v_worst_case WHERE theta = 0.8": {"worst_cases"},
}
"""Queries as users filter, and the tables that must be reached by an index: those that grow with the jobs."""


@pytest.mark.parametrize("statement", FILTERED)
def test_filtered_views_reach_the_large_tables_by_an_index(filled: Store, statement: str) -> None:
    with filled.reading() as connection:
        if filled.engine.dialect.name == "postgresql":  # on a few rows it would rather scan: where it still does, it has no index
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}")]
            scanned = {line.split(" on ")[1].split()[0] for line in plan if "Seq Scan on" in line}
        else:
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
            scanned = {line.split()[1] for line in plan if line.startswith("SCAN") and "INDEX" not in line}
    assert scanned.isdisjoint(FILTERED[statement]), plan


def test_every_question_on_the_page_of_examples_is_answered(filled: Store) -> None:
    page = files("orchestrator.cli").joinpath("queries.sql").read_text("utf-8")
    statements = [statement for statement in re.sub(r"(?m)^--.*$", "", page).split(";") if statement.strip()]
    assert len(statements) == 14
    answers = [ask(filled, statement.replace("'quickstart'", "'first'")) for statement in statements]
    assert sum(bool(answer.rows) for answer in answers) >= 8
