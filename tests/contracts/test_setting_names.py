"""Settings in SQL by their names in a space, on both databases."""

from collections.abc import Iterator

import pytest

from orchestrator.planning.expand import expand_space
from orchestrator.store import Store, open_store
from orchestrator.store.connection.read_only_sql import ask
from search_spaces.file.loader import parse_space
from tests.contracts.conftest import fresh_database
from tests.stored import launch
from workers.errors import UserError

SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: [1.0, 0.9], draws: example}
training: {epochs: 2, learning_rate: [0.05, 0.2], batch_size: [32, 64]}
fine_tuning: {learning_rate: 0.01}
evaluation: {examples: 16, batch_size: 8, repeats: 1}
attacks: [{attack: pgd, steps: 4, epsilon: 8/255}]
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "sqlite":
        yield from filled(f"sqlite:///{tmp_path_factory.mktemp('names') / 'store.db'}")
        return
    with fresh_database(request.getfixturevalue("postgres_server"), "setting_names") as url:
        yield from filled(url)


def filled(url: str) -> Iterator[Store]:
    with open_store(url, upgrade=True) as made:
        launch(made, expand_space(parse_space(SPACE, label="grid", stem="grid")), name="grid")
    with open_store(url, upgrade=False) as opened:
        yield opened


# Each a statement as users write it, and with the views' own columns.
ALIKE = {
    "SELECT training.learning_rate, count(*) FROM v_models GROUP BY training.learning_rate": (
        "SELECT training_learning_rate, count(*) FROM v_models GROUP BY training_learning_rate"
    ),
    "SELECT batch_size, avg(robust_accuracy) FROM v_results WHERE batch_size >= 32 AND training.learning_rate < 0.1 GROUP BY 1": (
        "SELECT training_batch_size, avg(robust_accuracy) FROM v_results"
        " WHERE training_batch_size >= 32 AND training_learning_rate < 0.1 GROUP BY 1"
    ),
    'SELECT "training.learning_rate" AS rate FROM v_models WHERE model.settings.width = 2 ORDER BY rate, batch_size': (
        "SELECT training_learning_rate AS rate FROM v_models WHERE width = 2 ORDER BY rate, training_batch_size"
    ),
    "SELECT Fine_Tuning.Learning_Rate FROM V_MODELS WHERE data.name = 'digits' AND rank = 0.5 AND model.draws = 'example'": (
        "SELECT fine_tuning_learning_rate FROM v_models WHERE dataset = 'digits' AND rank_fraction = 0.5 AND model_draws = 'example'"
    ),
    "SELECT m.batch_size, r.attack.steps FROM v_models m JOIN v_results AS r ON r.model_key = m.model_key WHERE r.batch_size = 32": (
        "SELECT m.training_batch_size, r.steps FROM v_models m JOIN v_results AS r ON r.model_key = m.model_key"
        " WHERE r.training_batch_size = 32"
    ),
    "WITH a AS (SELECT batch_size, theta FROM v_models) SELECT batch_size, max(theta) FROM a GROUP BY batch_size": (
        "WITH a AS (SELECT training_batch_size AS b, theta FROM v_models) SELECT b, max(theta) FROM a GROUP BY b"
    ),
    "SELECT model_key FROM v_models AS o WHERE EXISTS (SELECT 1 FROM v_jobs WHERE o.batch_size = 64 AND batch_size = 64)": (
        "SELECT model_key FROM v_models WHERE training_batch_size = 64"
    ),
    "SELECT max(training.epochs) AS epochs FROM v_results GROUP BY theta HAVING max(attacks.steps) > 3 ORDER BY epochs": (
        "SELECT max(training_epochs) AS epochs FROM v_results GROUP BY theta HAVING max(steps) > 3 ORDER BY epochs"
    ),
    "SELECT theta /* learning_rate */, 'training.learning_rate' AS said FROM v_models -- batch_size": (
        "SELECT theta, 'training.learning_rate' AS said FROM v_models"
    ),
    "SELECT training.loss FROM v_models UNION SELECT optimizer FROM v_results ORDER BY 1": (
        "SELECT training_loss FROM v_models UNION SELECT training_optimizer FROM v_results ORDER BY 1"
    ),
}


@pytest.mark.parametrize("said", ALIKE)
def test_a_setting_may_have_its_name_in_the_space(store: Store, said: str) -> None:
    expected = ask(store, ALIKE[said]).rows
    assert expected
    assert sorted(map(repr, ask(store, said).rows)) == sorted(map(repr, expected))


def test_a_column_is_called_as_it_was_asked_for(store: Store) -> None:
    asked = "SELECT training.learning_rate, m.batch_size, epochs, training.epochs AS all_epochs, max(attack.steps) AS steps"
    answer = ask(store, f"{asked} FROM v_results AS m GROUP BY 1, 2, 3, 4")
    assert answer.columns == ("training.learning_rate", "batch_size", "epochs", "all_epochs", "steps")
    assert ask(store, "EXPLAIN SELECT batch_size FROM v_models").rows


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT learning_rate FROM v_models", "'learning_rate': several settings are called so; one of training.learning_rate, fine_tun"),
        ("SELECT 1 FROM v_models AS m WHERE m.learning_rate > 0", "'learning_rate': several settings are called so; one of training.l"),
        ("SELECT training.lerning_rate FROM v_models", "training"),
        ("SELECT batch_size FROM v_jobs", "batch_size"),
        ("SELECT batch_size, FROM v_models WHERE (", "query: "),
    ],
)
def test_what_is_ambiguous_or_no_setting_is_one_line(store: Store, statement: str, said: str) -> None:
    with pytest.raises(UserError, match=r"^query: ") as caught:
        ask(store, statement)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
