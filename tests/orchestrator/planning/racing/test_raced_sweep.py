"""A sweep with a race from its command to its tables: what stops early is marked, and nowhere among whole results."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.commands import robustsweep, write_space

SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: [1.0, 0.8]}
training: {epochs: 2, batch_size: 32}
fine_tuning: {epochs: 1}
evaluation: {examples: 60, batch_size: 5, draws: 1}
attacks:
  - {attack: fgsm, epsilon: [1/255, 128/255]}
  - {attack: fgsm, epsilon: 128/255, knowledge: transfer}
racing: {shard: 20, precision: 45}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("raced")
    path = write_space(made, SPACE, name="raced")
    planned = robustsweep("plan", path, "-f", "json", cwd=made)
    (made / "plan.json").write_text(planned.stdout)
    launched = robustsweep("launch", path, "--executor", "inline", cwd=made)
    assert launched.returncode == 0, launched.stderr
    (made / "launch.txt").write_text(launched.stdout + launched.stderr)
    return made


def results(folder: Path, *more: str):
    return json.loads(robustsweep("results", "raced", "-f", "json", *more, cwd=folder).stdout)


def test_what_stopped_early_says_at_how_many_examples_and_has_an_interval(folder: Path):
    rows = results(folder)
    early = [row for row in rows if row["asked_examples"]]
    assert early
    for row in early:
        assert row["n_examples"] < row["asked_examples"] == 60
        assert row["ci_low"] <= row["robust_accuracy"] <= row["ci_high"]
        assert row["clean_accuracy"] is not None
    shown = robustsweep("results", "raced", "-f", "markdown", cwd=folder).stdout
    assert "stopped at" in shown
    assert f"{early[0]['n_examples']} of 60" in shown


def test_partial_results_are_in_no_table_view_or_verdict_of_whole_ones(folder: Path):
    whole = [row for row in results(folder) if not row["asked_examples"]]
    with sqlite3.connect(folder / "sweeps" / "results.db") as store:
        assert {size for (size,) in store.execute("SELECT DISTINCT n_examples FROM v_results")} <= {60}
        assert {size for (size,) in store.execute("SELECT DISTINCT n_examples FROM v_worst_case")} <= {60}
        attacked = {key for (key,) in store.execute("SELECT job_key FROM v_results")}
        (shards,) = store.execute("SELECT count(*) FROM shard_results").fetchone()
    assert attacked == {key for row in whole if row["attack"] != "none" for key in row["job_keys"]}
    assert shards > 0
    assert {row["n_examples"] for row in results(folder, "--worst-case")} <= {60}


def test_the_plan_was_the_most_that_could_be_and_a_second_launch_has_nothing_to_do(folder: Path):
    plan = json.loads((folder / "plan.json").read_text())
    assert "at most" in plan["races"]
    again = robustsweep("launch", "raced.yaml", "--executor", "inline", cwd=folder)
    assert "nothing to do" in again.stdout + again.stderr
    with sqlite3.connect(folder / "sweeps" / "results.db") as store:
        (jobs,) = store.execute("SELECT count(*) FROM v_jobs WHERE in_space").fetchone()
        assert store.execute("SELECT DISTINCT state FROM v_jobs").fetchall() == [("done",)]
    assert jobs < len(plan["jobs"])
    assert "stopped early" in (folder / "launch.txt").read_text()


def test_a_race_that_asks_for_all_examples_takes_the_shards_there_are(folder: Path):
    with sqlite3.connect(folder / "sweeps" / "results.db") as store:
        before = {key for (key,) in store.execute("SELECT job_key FROM shard_results")}
    command = ("launch", "raced.yaml", "--executor", "inline", "--set", "racing.precision=null", "--set", "racing.among=none")
    assert robustsweep(*command, cwd=folder).returncode == 0
    with sqlite3.connect(folder / "sweeps" / "results.db") as store:
        after = {key for (key,) in store.execute("SELECT job_key FROM shard_results")}
        once = store.execute("SELECT max(number) FROM attempts").fetchone()
    assert before < after
    assert once == (1,)
    rows = results(folder)
    assert all(row["asked_examples"] is None for row in rows)
    assert {row["n_examples"] for row in rows} == {60}
