"""`orchestrator.open_results` on every back end."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestrator import Results, open_results
from orchestrator.store import StoreMissing, open_store, result_rows
from tests.builders import attack_job, defend_job, evaluate_job, pretrain_job, small_plan
from tests.stored import launch
from workers.errors import UserError

JOBS = small_plan()
MODEL = JOBS[1]
DENSE = pretrain_job(tensorized=False)


@pytest.fixture
def results(url: str) -> Iterator[Results]:
    with open_store(url, upgrade=True) as store:
        launch(store, JOBS, name="small")
        launch(store, [DENSE, evaluate_job(DENSE), attack_job(DENSE, examples=8), defend_job(DENSE)], name="dense")
    with open_results(url) as opened:
        yield opened


def test_frames_hold_the_rows_of_the_results_command(results: Results, url: str) -> None:
    frame = results.frame("small")
    with open_store(url, upgrade=False) as store:
        rows = result_rows(store, "small", per_repeat=False)
    assert [tuple(frame[name]) for name in ("attack", "knowledge", "job_keys")] == [
        tuple(getattr(row, name) for row in rows) for name in ("attack", "knowledge", "job_keys")
    ]
    assert list(frame["robust_accuracy"]) == [row.robust_accuracy for row in rows]
    assert frame["rank"][0] == rows[0].rank
    assert len(results.frame("small", per_repeat=True)) == 2 * len(frame)
    assert set(results.frame("small", worst_case=True)["attack"]) == {"worst_case"}
    assert results.frame("small", over_seeds=True)["seed"].isna().all()
    assert len(results.frame()) == len(frame) + len(results.frame("dense"))
    assert set(results.frame(where=["theta=0.8", "knowledge=omniscient"])["knowledge"]) == {"omniscient"}


def test_a_frame_of_one_job_has_a_row_for_each_example(results: Results) -> None:
    frame = results.frame("small")
    numbers = results.per_example(frame["job_keys"][0][0])
    assert list(numbers.columns) == ["right", "predicted", "margin", "size", "job"]
    assert numbers["right"].tolist() == [1.0, 0.0] * 8
    assert numbers["margin"].isna().all()  # as in a result of an older version
    (worst,) = (row for _, row in results.frame("small", worst_case=True).iterrows() if row["knowledge"] == "any")
    every = results.per_example(worst)
    assert every.index.tolist() == list(range(16))
    assert set(every["job"]) <= set(worst["job_keys"])


def test_columns_have_types_that_do_not_hang_on_their_values(results: Results) -> None:
    frame, empty = results.frame(), results.frame(where=["attack=pgd"])
    assert len(empty) == 0
    assert frame.dtypes.to_dict() == empty.dtypes.to_dict()
    expected = {"theta": "float64", "tensorized": "bool", "n_examples": "int64", "train_examples": "Int64", "repeat": "Int64"}
    expected |= {"robust_accuracy": "float64", "se_seeds": "float64", "attack": "str", "rank": "object", "job_keys": "object"}
    assert {name: str(frame[name].dtype) for name in expected} == expected


def test_models_and_their_training_are_frames(results: Results) -> None:
    models = results.models().set_index("model_key")
    assert len(models) == 4
    assert models.loc[MODEL.key, "clean_accuracy"] == 0.5
    assert pd.isna(models.loc[JOBS[0].key, "clean_accuracy"])
    assert models.loc[DENSE.key, "rank"] is None
    assert {name: str(models[name].dtype) for name in ("theta", "train_examples", "tensorized", "finished_at", "clean_accuracy")} == {
        "theta": "float64",
        "train_examples": "Int64",
        "tensorized": "bool",
        "finished_at": "datetime64[us, UTC]",
        "clean_accuracy": "float64",
    }
    history = results.history(MODEL.key[:8])
    assert history.to_dict("records") == [{"epoch": 0, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1}]
    defended = results.history(models[models["stage"] == "defend"].index[0])
    assert len(defended) == 0
    assert defended.dtypes.to_dict() == history.dtypes.to_dict()
    with pytest.raises(UserError, match="has trained no model"):
        results.history(JOBS[-1].key)


def test_outcomes_are_the_flags_of_every_repeat_draw_and_example(results: Results) -> None:
    frame = results.frame("small")
    row = frame.iloc[0]
    flags = results.outcomes(row)
    assert (flags.shape, flags.dtype) == ((2, 1, 16), np.dtype(bool))
    assert flags.mean() == row["robust_accuracy"]
    assert np.array_equal(results.outcomes(row["job_keys"]), flags)
    assert np.array_equal(results.outcomes(row.to_dict()), flags)
    assert np.array_equal(results.outcomes(row["job_keys"][1]), flags[1:])
    with pytest.raises(UserError, match="has no evaluations"):
        results.outcomes(MODEL.key)
    with pytest.raises(UserError, match="no jobs"):
        results.outcomes([])


def test_sql_gives_a_frame_with_numbers(results: Results) -> None:
    found = results.query("SELECT attack, avg(n_examples) AS mean, count(*) AS jobs FROM v_results GROUP BY attack ORDER BY attack")
    assert list(found["attack"]) == ["fgsm"]
    assert (str(found["mean"].dtype), str(found["jobs"].dtype)) == ("float64", "int64")
    with pytest.raises(UserError, match=r"^query:"):
        results.query("DELETE FROM jobs")
    assert results.sweeps() == ["dense", "small"]


def test_mistakes_are_user_errors(results: Results) -> None:
    with pytest.raises(UserError, match=r"^sweep 'x': one of dense, small$"):
        results.frame("x")
    with pytest.raises(UserError, match="per_repeat with worst_case"):
        results.frame(per_repeat=True, worst_case=True)


def test_a_home_a_url_or_the_environment_say_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "sweeps"):
        with open_store(f"sqlite:///{tmp_path / name}/results.db", upgrade=True) as store:
            launch(store, JOBS[:1], name=name)
    monkeypatch.chdir(tmp_path)
    for variable in ("ROBUSTSWEEP_HOME", "ROBUSTSWEEP_STORE"):
        monkeypatch.delenv(variable, raising=False)

    def sweeps(where: str | Path | None = None) -> list[str]:
        with open_results(where) as opened:
            return opened.sweeps()

    assert sweeps() == ["sweeps"]
    assert sweeps("one") == sweeps(tmp_path / "one") == sweeps(f"sqlite:///{tmp_path}/one/results.db") == ["one"]
    monkeypatch.setenv("ROBUSTSWEEP_HOME", str(tmp_path / "one"))
    assert sweeps() == ["one"]
    monkeypatch.setenv("ROBUSTSWEEP_STORE", f"sqlite:///{tmp_path}/sweeps/results.db")
    assert sweeps() == ["sweeps"]
    assert sweeps("one") == ["one"]
    with pytest.raises(StoreMissing, match="no such file"):
        open_results(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import orchestrator", {"pandas", "numpy", "sqlalchemy", "torch", "ray"}),
        ("from orchestrator import open_results", {"torch", "ray"}),
        (
            "import orchestrator.report.sweep_page.page",
            {"torch", "ray", "orchestrator.store.writing", "orchestrator.report.examples.attacked"},
        ),
    ],
)
def test_importing_brings_nothing_heavy(statement: str, absent: set[str]) -> None:
    code = f"import sys; {statement}; print(sorted({absent!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_an_unknown_name_is_no_attribute() -> None:
    import orchestrator

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = orchestrator.nothing
