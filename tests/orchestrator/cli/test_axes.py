"""A sweep over settings of the training, looked at by every command: models are told apart by what varies."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.api.results import Results, open_results, pivot
from orchestrator.cli.main import app
from orchestrator.naming.names import JobNames
from orchestrator.naming.own_settings import value_of
from orchestrator.naming.varying_axes import Axes, in_words, settings_of
from orchestrator.planning.expand import expand_space
from orchestrator.store import Store, model_verdicts, open_store, result_rows
from orchestrator.store.reading.report_evidence import training_runs
from orchestrator.store.reading.varying_settings import sweep_models
from orchestrator.tables.results_table import render_results
from orchestrator.tables.verdicts_table import render_verdicts
from search_spaces.file.loader import LoadedSpace, parse_space
from tests.stored import launch, record_sweep
from workers.errors import UserError
from workers.spec.job import Job

SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: [1.0, 0.9]}
training: {epochs: 1, learning_rate: [0.05, 0.2], batch_size: [32, 64], clip_norm: [null, 1.0]}
fine_tuning: {learning_rate: 0.01}
evaluation: {examples: 16, batch_size: 8, repeats: 1}
attacks:
  - {attack: fgsm, epsilon: [8/255]}
  - {attack: pgd, steps: 2, epsilon: [8/255], knowledge: [randomized, omniscient]}
"""


def jobs_of(text: str, name: str = "grid") -> list[Job]:
    return expand_space(parse_space(text, label=name, stem=name))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep `grid`, of which one training has failed, and `other`, of the half of it."""
    folder = tmp_path_factory.mktemp("axes")
    (folder / "grid.yaml").write_text(SPACE)
    with open_store(f"sqlite:///{folder / 'results.db'}", upgrade=True) as store:
        jobs = jobs_of(SPACE)
        lost = next(job for job in jobs if job.stage == "pretrain")
        gone = {lost.key}
        for job in jobs:
            gone |= {job.key} if gone.intersection(job.parents.values()) else set()
        launch(store, [job for job in jobs if job.key not in gone or job is lost], name="grid", failing=[lost])
        record_sweep(store, name="grid", space_text=SPACE, jobs=jobs)
        launch(store, jobs_of(SPACE.replace("[32, 64]", "64"), "other"), name="other")
    return folder


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{home / 'results.db'}", upgrade=False) as opened:
        yield opened


@pytest.fixture
def frames(home: Path) -> Iterator[Results]:
    with open_results(home) as opened:
        yield opened


def run(home: Path, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments, "--home", str(home)], env={"COLUMNS": "160"})
    assert done.exit_code == code, done.output
    return done.output


def refused(home: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--home", str(home)])
    assert isinstance(done.exception, UserError)
    assert "\n" not in str(done.exception)
    return str(done.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ("results", "grid"),
        ("results", "grid", "-f", "csv"),
        ("results", "grid", "-f", "json"),
        ("results", "grid", "-f", "markdown"),
        ("results", "grid", "--worst-case"),
        ("results", "grid", "--pivot", "attack,knowledge"),
        ("verdicts", "grid"),
        ("verdicts", "grid", "-f", "csv"),
        ("best", "grid"),
        ("compare", "grid", "other"),
        ("status", "grid", "--failed"),
        ("plan", "SPACE"),
        ("plan", "SPACE", "--jobs"),
        ("plan", "SPACE", "-f", "json"),
        ("show", "KEY"),
        ("query", "SELECT training_learning_rate FROM v_models LIMIT 1"),
        ("query", "SELECT training.learning_rate FROM v_models LIMIT 1"),
    ],
    ids=" ".join,
)
def test_every_command_shows_a_varied_training_setting(home: Path, store: Store, arguments: tuple[str, ...]) -> None:
    key = result_rows(store, "grid", per_repeat=False)[0].job_keys[0]
    shown = run(home, *(str(home / "grid.yaml") if word == "SPACE" else key if word == "KEY" else word for word in arguments))
    assert "learning_rate" in shown
    assert "0.05" in shown or "0.2" in shown


def test_what_all_models_have_in_common_is_one_line(home: Path) -> None:
    assert run(home, "results", "grid").count("width 2") == 1
    assert "All models: dataset digits, train_examples 64" in run(home, "plan", str(home / "grid.yaml"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("results", "grid"),
        ("results", "grid", "-f", "csv"),
        ("results", "grid", "--pivot", "attack"),
        ("verdicts", "grid"),
        ("best", "grid"),
        ("compare", "other", "grid"),
    ],
    ids=" ".join,
)
def test_every_table_says_which_models_have_no_results_and_why(home: Path, arguments: tuple[str, ...]) -> None:
    shown = " ".join(run(home, *arguments).split())
    assert "2 of 16 models have no results: training failed (boom) at batch_size 32, training.learning_rate 0.05, clip_norm none" in shown
    assert f"see `robustsweep status grid --home {home} --failed`" in shown


def test_commands_show_the_space_as_it_was_last_launched_and_how_many_models_it_had_before(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "results.db", tmp_path / "results.db")
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        before = len(result_rows(store, "other", per_repeat=False))
        narrower = SPACE.replace("[32, 64]", "64").replace("[0.05, 0.2]", "0.2").replace("[1.0, 0.9]", "1.0")
        text = LoadedSpace(
            parse_space(narrower, label="other", stem="other"), narrower, "other", ("model.theta=1.0", "seed=0")
        ).recorded_text
        launch(store, jobs_of(narrower, "other"), name="other", space=text)
        assert {row.training["learning_rate"] for row in result_rows(store, "other", per_repeat=False)} == {0.2}
        assert len(result_rows(store, "other", per_repeat=False, every_space=True)) == before
        assert {run.settings["training.learning_rate"] for run in training_runs(store, "other")} == {0.2}
    for command in ("results", "verdicts", "best"):
        said = f"6 models of earlier versions of this space; see `robustsweep {command} other --home {tmp_path} --all`"
        assert "".join(said.split()) in "".join(run(tmp_path, command, "other").split())  # lines are wrapped, also within a long path
        assert "earlier versions" not in run(tmp_path, command, "other", "--all")
    assert "was launched by: robustsweep launch ... --set model.theta=1.0 --set seed=0" in run(tmp_path, "status", "other")


def test_many_models_stay_readable(home: Path, store: Store) -> None:
    """A grid of 200 models: a line each, by their varying settings, and everything else said once."""
    (row, *_) = result_rows(store, "grid", per_repeat=False)
    rates = [f"{0.001 * (1 + place):g}" for place in range(200)]
    rows = [replace(row, model_key=rate, training={**row.training, "learning_rate": float(rate)}) for rate in rates]
    lines = str(render_results(rows, "markdown")).splitlines()
    assert [line.count("|") for line in lines[2:204]] == [lines[2].count("|")] * 202
    assert "learning_rate" in lines[2]
    assert "model key" not in lines[2]
    assert len(lines) < 206 + 5  # footnotes
    (verdict, *_) = model_verdicts(store, "grid")
    many = [replace(verdict, model_key=rate * 64, description=f"learning_rate {rate}") for rate in rates]
    assert len(str(render_verdicts(many, "markdown")).splitlines()) < 210


def test_a_failed_training_is_named_by_what_varies(home: Path) -> None:
    shown = run(home, "status", "grid", "--failed")
    assert "pretrain theta 1, batch_size 32, training.learning_rate 0.05, clip_norm none, job " in shown


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("training.learning_rate=0.2", {0.2}),
        ("batch_size=32", {0.05, 0.2}),
        ("training.batch_size=32", {0.05, 0.2}),
        ("evaluation.batch_size=8", {0.05, 0.2}),
        ("evaluation_batch_size=32", set()),
        ("fine_tuning.learning_rate=0.01", {0.05, 0.2}),
        ("clip_norm=none", {0.05, 0.2}),
        ("model.width=2", {0.05, 0.2}),
        ("model.draws=example", set()),
        ("attack.steps=2", {0.05, 0.2}),
        ("data.train_examples=64", {0.05, 0.2}),
    ],
)
def test_conditions_take_any_setting_by_its_name_in_the_space(frames: Results, condition: str, values: set[float]) -> None:
    assert set(frames.frame("grid", where=[condition])["training.learning_rate" if len(values) > 1 else "theta"]) == (
        values if len(values) > 1 else {1.0, 0.9} if values else set()
    )


@pytest.mark.parametrize("option", ["--where=learning_rate=0.2", "--sort=learning_rate", "--pivot=learning_rate"])
def test_an_ambiguous_name_names_the_settings_that_it_may_be(home: Path, option: str) -> None:
    assert "'learning_rate': several settings are called so; one of training.learning_rate, fine_tuning.learning_rate" in refused(
        home, "results", "grid", option
    )


def test_no_mean_of_a_frame_or_of_our_own_examples_is_over_what_is_not_to_be_mixed(home: Path, frames: Results) -> None:
    assert "'theta': a mean would mix attack fgsm, pgd (and knowledge)" in refused(home, "results", "grid", "--group-by", "theta")
    assert "theta" in run(home, "results", "grid", "--group-by", "theta,training.learning_rate,attack", "--across", "knowledge")
    frame = frames.frame("grid")
    with pytest.raises(UserError, match="would mix knowledge omniscient, randomized"):
        pivot(frame, index="training.learning_rate", columns="attack")
    assert pivot(frame, index="training.learning_rate", columns="attack", across="knowledge").shape == (2, 2)
    assert pivot(frames.frame("other"), index="clip_norm", columns="attack", across="knowledge").shape == (2, 2)
    queries = files("orchestrator.cli").joinpath("queries.sql").read_text("utf-8").split(";")
    for query in [query for query in queries if "avg(robust_accuracy)" in query]:
        assert all(name in query for name in ("sweep =", "in_space", "dataset", "attack", "knowledge", "norm", "epsilon")), query


def test_a_column_for_programs_is_called_as_in_the_space(home: Path, frames: Results) -> None:
    (first, *_) = csv.DictReader(io.StringIO(run(home, "results", "other", "-f", "csv")))
    assert {"training.learning_rate", "training.clip_norm", "evaluation_batch_size", "width"} <= first.keys()
    assert "batch_size" not in first
    assert {"training.learning_rate", "training.batch_size"} <= {*frames.frame("grid").columns} & {*frames.models().columns}
    (job, *_) = json.loads(run(home, "plan", str(home / "grid.yaml"), "-f", "json"))["jobs"]
    assert job["settings"]["training.learning_rate"] == 0.05


def test_a_fine_tuned_model_has_the_training_that_the_space_calls_so(frames: Results) -> None:
    asked = frames.query("SELECT DISTINCT training_learning_rate, fine_tuning_learning_rate FROM v_models WHERE theta < 1 ORDER BY 1")
    assert asked.to_numpy().tolist() == [[0.05, 0.01], [0.2, 0.01]]
    models = frames.models()
    assert set(models[models["theta"] < 1]["training.learning_rate"]) == {0.05, 0.2}


def test_models_are_listed_by_their_settings_and_idle_settings_are_not_said(home: Path, store: Store) -> None:
    names = ("training.batch_size", "training.learning_rate")
    listed = [[run.settings[name] for name in names] for run in training_runs(store, "grid") if run.stage == "pretrain"]
    assert listed == sorted(listed)
    assert "sketch modes" in run(home, "results", "grid")
    assert "sketch modes" not in run(home, "results", "grid", "--where", "theta=1")


def test_rows_and_jobs_say_the_same_settings_of_a_model(store: Store) -> None:
    with store.reading() as connection:
        of_jobs = sweep_models(connection, None)
    for row in result_rows(store, "grid", per_repeat=False):
        said = settings_of(row)
        assert {name: value for name, value in said.items() if name != "sweep"} == of_jobs[row.model_key]


def test_epsilons_of_trainings_are_said_as_one_writes_them_not_in_lowest_terms() -> None:
    row = {"training": {"adversarial_epsilon": ["8/85", "8/85"]}, "fine_tuning": {"adversarial_epsilon": ["31/1000", "8/255"]}}
    assert value_of(row, "training.adversarial_epsilon") == ["24/255", "24/255"]
    said = {name: in_words(value) for name, value in settings_of(row).items() if name.endswith("adversarial_epsilon")}
    assert said == {"training.adversarial_epsilon": "24/255", "fine_tuning.adversarial_epsilon": "[0.031, 8/255]"}


def test_axes_are_what_varies_among_the_models_that_have_it() -> None:
    dense = {"model.name": "a", "model.width": 4, "training.learning_rate": 0.1, "seed": 0}
    other = {"model.name": "b", "training.learning_rate": 0.1, "fine_tuning.learning_rate": 0.1, "seed": 0}
    assert Axes.of([dense, other]).titles == {"model.name": "model"}
    assert Axes.of([dense, {**other, "fine_tuning.learning_rate": 0.2, "training.learning_rate": 0.2}]).titles == {
        "model.name": "model",
        "training.learning_rate": "learning_rate",
    }
    apart = Axes.of([dense, {**other, "training.learning_rate": 1e30}])
    assert apart.label(dense) == "model a, training.learning_rate 0.1"
    assert apart.label({**other, "training.learning_rate": 1e30}) == "model b, training.learning_rate 1e30"


def test_a_model_of_a_recipe_is_named_by_what_tells_it_apart_not_by_all_that_the_recipe_sets() -> None:
    space = """
seed: [0, 1]
data: {name: digits, train_examples: 64}
model: {width: 2, tensorized: false}
training: {recipe: [madry, trades, awp], epochs: 1, adversarial_steps: [5, 5]}
attacks: [{attack: fgsm, epsilon: 8/255}]
"""
    jobs = jobs_of(space)
    names, trained = JobNames(jobs), [job for job in jobs if job.stage == "pretrain"]
    assert {names(job) for job in trained} == {
        f"pretrain training.loss {loss}, weight_perturbation {perturbation}, seed {seed}"
        for loss, perturbation in (("cross_entropy", 0), ("trades", 0), ("cross_entropy", 0.01))
        for seed in (0, 1)
    }
    assert "training.weight_decay" in names.axes.titles, "in tables, every setting that varies has its column"


def test_a_pair_of_equal_ends_is_one_value() -> None:
    assert (in_words(["8/255", "8/255"]), in_words((2, 10)), in_words([3 / 7, 5 / 7])) == ("8/255", "[2, 10]", "[0.428571, 0.714286]")


def test_a_model_of_which_nothing_varies_is_named_by_its_theta_and_a_dense_one_by_its_network() -> None:
    sketched = {"model.name": "resnet18", "model.tensorized": True, "model.theta": 0.9}
    assert Axes.of([sketched]).label(sketched) == "theta 0.9"
    dense = {"model.name": "mine:net", "model.tensorized": False, "model.theta": 1.0}
    assert Axes.of([dense]).label(dense) == "mine:net"
