import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from orchestrator.store import failures, finished_keys, migrations, open_store, record_result, result_rows, sweep_status
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.connection.session import Store
from tests.builders import result_of, small_plan
from tests.stored import record_sweep

DATABASES = Path(__file__).parent / "databases"


@pytest.fixture
def config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return found


def restored(dump: Path, folder: Path) -> str:
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        connection.executescript(dump.read_text())
    return f"sqlite:///{folder / 'store.db'}"


def use(store: Store) -> None:
    """The dumps hold a small sweep called `old`: a model attacked and evaluated in one repeat each, and a failed omniscient attack."""
    (row,) = result_rows(store, "old", per_repeat=False)
    assert (row.attack, row.epsilon_literal, row.clean_accuracy, row.robust_accuracy, row.draws) == ("fgsm", "8/255", 0.5, 0.5, 1)
    assert [failure.error for failure in failures(store, "old")] == ["JobError: boom"]
    (status,) = sweep_status(store, "old")
    assert sum(counts.done for counts in status.stages.values()) == len(finished_keys(store)) == 5
    jobs = small_plan(theta=0.3)
    record_sweep(store, name="new", space_text="", jobs=jobs)
    for job in jobs:
        record_result(store, job, result_of(job), attempt_id=None)
    assert len(result_rows(store, "new", per_repeat=True)) == 4


@pytest.mark.parametrize("revision", migrations.REVISIONS)
def test_a_database_of_every_revision_is_upgraded_and_used(revision: str, tmp_path: Path) -> None:
    with open_store(restored(DATABASES / f"{revision}.sql", tmp_path), upgrade=True) as store:
        use(store)


def test_an_epsilon_of_an_old_database_is_written_as_its_sweeps_space_does_else_in_the_usual_way(tmp_path: Path) -> None:
    url = restored(DATABASES / "0007.sql", tmp_path)
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
        connection.execute("UPDATE attack_results SET epsilon_literal = '16/510'")
        connection.execute("UPDATE sweeps SET space = 'epsilon: 16/510'")
        connection.execute("INSERT INTO sweeps (name, space, created_at) VALUES ('other', 'epsilon: 8/255', '2026-01-01')")
        connection.execute("INSERT INTO sweep_jobs (sweep_id, job_key, in_space, stage) SELECT 2, job_key, in_space, stage FROM sweep_jobs")
    with open_store(url, upgrade=True) as store:
        assert {row.sweep: row.epsilon_literal for row in result_rows(store, None, per_repeat=False)} == {"old": "16/510", "other": "8/255"}


@pytest.mark.parametrize(
    ("revision", "sign_gradient"),
    [
        ("0001", "identity"),
        ("0002", "tanh"),
        *((later, "identity") for later in ("0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")),
    ],
)
def test_attacks_of_an_old_database_keep_the_gradient_that_they_were_made_with(revision: str, sign_gradient: str, tmp_path: Path) -> None:
    with open_store(restored(DATABASES / f"{revision}.sql", tmp_path), upgrade=True) as store:
        (row,) = result_rows(store, "old", per_repeat=False)
    assert row.sign_gradient == sign_gradient


@pytest.mark.parametrize(
    ("revision", "defence", "settings"),
    [
        ("0001", "none", None),
        ("0002", "none", None),
        *(
            (later, "random_resize_pad", {"pad_factor": 1.107})
            for later in ("0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")
        ),
    ],
)
def test_models_of_an_old_database_keep_the_defence_that_they_had(revision: str, defence: str, settings: object, tmp_path: Path) -> None:
    with open_store(restored(DATABASES / f"{revision}.sql", tmp_path), upgrade=True) as store:
        (row,) = result_rows(store, "old", per_repeat=False)
    assert (row.defence, row.defence_settings) == (defence, settings)


USUAL = ("linf", {"loss": "ce"}, "none", 1, 1, 1, False, "native")


def attacked(store: Store) -> tuple[object, ...]:
    (row,) = result_rows(store, "old", per_repeat=False)
    assert row.loss == row.attack_settings["loss"]
    choices = (row.norm, row.attack_settings, row.target, row.restarts, row.eot_samples, row.selection_draws)
    return (*choices, row.early_stop, row.backend)


@pytest.mark.parametrize(
    ("revision", "settings"),
    [
        *((old, USUAL) for old in ("0001", "0002", "0003")),
        *(
            (later, ("l2", {"loss": "dlr"}, "least_likely", 1, 4, 8, False, "native"))
            for later in ("0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")
        ),
    ],
)
def test_attacks_of_an_old_database_keep_the_settings_that_they_had(revision: str, settings: object, tmp_path: Path) -> None:
    with open_store(restored(DATABASES / f"{revision}.sql", tmp_path), upgrade=True) as store:
        assert attacked(store) == settings


def test_attacks_stored_before_their_settings_had_columns_take_them_from_their_spec(tmp_path: Path) -> None:
    old, dump = (DATABASES / "0003.sql").read_text(), tmp_path / "specs.sql"
    given = '"loss":"margin","target":"next","restarts":5,"early_stop":true,"sign_gradient":"identity"'
    dump.write_text(old.replace('"sign_gradient":"identity"', given))
    with open_store(restored(dump, tmp_path), upgrade=True) as store:
        assert attacked(store) == ("linf", {"loss": "margin"}, "next", 5, 1, 1, True, "native")


def test_the_revisions_listed_are_those_there_are(config: Config) -> None:
    script = ScriptDirectory.from_config(config)
    assert tuple(revision.revision for revision in script.walk_revisions())[::-1] == migrations.REVISIONS
    assert script.get_heads() == [migrations.REVISIONS[-1]]


def test_there_is_no_downgrade_and_trying_one_loses_nothing(config: Config, tmp_path: Path) -> None:
    url = restored(DATABASES / f"{migrations.REVISIONS[-1]}.sql", tmp_path)
    engine = create_engine(url)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        with pytest.raises(NotImplementedError, match="only moves forward"):
            command.downgrade(config, "base")
    engine.dispose()
    with open_store(url, upgrade=False) as store:
        assert len(finished_keys(store)) == 5


def test_results_of_an_old_database_on_all_examples_are_in_file_order(tmp_path: Path) -> None:
    url = restored(DATABASES / "0010.sql", tmp_path)
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
        connection.execute("""UPDATE jobs SET spec = replace(spec, '"evaluation":{"examples":16', '"evaluation":{"examples":null')""")
        ball = "model_key, 'eot', norm, epsilon, n_examples, batch_size, draws, epsilon_literal, 1, 0.5, 0.2, 0.8"
        connection.execute("DELETE FROM worst_cases")
        connection.execute(f"INSERT INTO worst_cases SELECT {ball} FROM attack_results")
    with open_store(url, upgrade=True) as store:
        (row,) = result_rows(store, "old", per_repeat=False)
        assert (row.example_order, row.clean_accuracy) == ("file", 0.5)
        assert ask(store, "SELECT example_order FROM v_worst_case").rows == (("file",),)
