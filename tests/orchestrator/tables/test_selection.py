import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from orchestrator.store import ResultRow, open_store, record_result, result_rows
from orchestrator.tables.results_table import render_results
from orchestrator.tables.selection import grouped, ordered, pivoted
from orchestrator.tables.table import Table, table_of
from orchestrator.tables.writers import Format, render
from tests.builders import result_of, small_plan
from tests.commands import robustsweep
from tests.orchestrator.changed_rows import changed
from tests.stored import record_sweep
from workers.errors import UserError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}", upgrade=True) as store:
        jobs = small_plan(repeats=2)
        record_sweep(store, name="small", space_text="", jobs=jobs)
        for job in jobs:
            record_result(store, job, result_of(job), attempt_id=None)
    return tmp_path


@pytest.fixture
def row(home: Path) -> ResultRow:
    with open_store(f"sqlite:///{home / 'results.db'}", upgrade=False) as store:
        return result_rows(store, "small", per_repeat=False)[0]


def names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


@pytest.fixture
def rows(row: ResultRow) -> list[ResultRow]:
    """Two thetas under two attacks at two epsilons; the steps depend on epsilon."""
    return list(_rows(row))


def _rows(row: ResultRow) -> Iterator[ResultRow]:
    for place, (theta, attack, epsilon) in enumerate((t, a, e) for t in (1.0, 0.8) for a in ("bim", "pgd") for e in (2, 8)):
        model = {"theta": theta, "model_key": f"{theta}"}
        ball = {"epsilon": epsilon / 255, "epsilon_literal": f"{epsilon}/255", "steps": epsilon}
        yield changed(row, attack=attack, **ball, robust_accuracy=place / 10, **model)


def test_rows_are_sorted_by_a_field_either_way_and_those_without_value_come_last(rows: list[ResultRow]) -> None:
    unknown = replace(rows[0], robust_accuracy=None)
    assert [row.robust_accuracy for row in ordered([unknown, *rows], "-robust_accuracy")] == [place / 10 for place in range(7, -1, -1)] + [
        None
    ]
    assert [row.robust_accuracy for row in ordered([unknown, *rows], "robust_accuracy")][-1] is None
    with pytest.raises(UserError, match="'nothing': no field"):
        ordered(rows, "nothing")


def test_groups_have_the_means_of_their_rows_in_percent(rows: list[ResultRow]) -> None:
    table = grouped(rows, "theta,attack", across="epsilon")
    assert names(table) == ("theta", "attack", "rows", "clean %", "robust %", "least robust %")
    assert table.rows == (
        (1.0, "bim", 2, 50.0, 5.0, 0.0),
        (1.0, "pgd", 2, 50.0, 25.0, 20.0),
        (0.8, "bim", 2, 50.0, 45.0, 40.0),
        (0.8, "pgd", 2, 50.0, 65.0, 60.0),
    )


def test_a_mean_over_what_is_not_to_be_mixed_is_refused_unless_it_is_asked_for(rows: list[ResultRow]) -> None:
    with pytest.raises(UserError, match=r"'theta': a mean would mix attack bim, pgd \(and epsilon\); .* --across attack,epsilon$"):
        grouped(rows, "theta")
    assert grouped(rows, "theta", across="attack, epsilon").rows == ((1.0, 4, 50.0, 15.0, 0.0), (0.8, 4, 50.0, 55.0, 40.0))
    unattacked = replace(rows[0], attack="none", knowledge="none", norm="none", epsilon_literal="0", robust_accuracy=None)
    assert len(grouped([unattacked, *rows[:1]], "theta").rows) == 1
    with pytest.raises(UserError, match="'beauty' is none of sweep, dataset, split, attack, knowledge, norm, epsilon"):
        grouped(rows, "theta", across="beauty")


def test_a_pivot_averages_over_what_it_is_asked_to_and_else_keeps_it_apart(rows: list[ResultRow]) -> None:
    every = [replace(row, knowledge=knowledge) for row in rows for knowledge in ("randomized", "eot")]
    assert names(pivoted(every, "attack,epsilon"))[:2] == ("theta", "knowledge")
    assert names(pivoted(every, "attack,epsilon", across="knowledge"))[:2] == ("theta", "bim 2/255")


def test_a_pivot_has_a_column_for_each_combination_and_none_for_what_hangs_on_them(rows: list[ResultRow]) -> None:
    table = pivoted(rows, "attack,epsilon")
    assert names(table) == ("theta", "bim 2/255", "bim 8/255", "pgd 2/255", "pgd 8/255")
    assert table.rows == ((1.0, 0.0, 10.0, 20.0, 30.0), (0.8, 40.0, 50.0, 60.0, 70.0))


def test_a_pivot_keeps_rows_apart_that_differ_in_another_setting(rows: list[ResultRow]) -> None:
    again = [replace(row, knowledge="eot", robust_accuracy=0.9) for row in rows[:2]]
    table = pivoted([*rows, *again], "attack,epsilon")
    assert names(table)[:2] == ("theta", "knowledge")
    assert (1.0, "eot", 90.0, 90.0, None, None) in table.rows


def test_a_column_of_a_pivot_says_what_its_number_is(rows: list[ResultRow]) -> None:
    trained = [replace(row, training={**row.training, "learning_rate": 0.1, "clip_norm": None}) for row in rows]
    assert names(pivoted(trained, "training.learning_rate,attack,epsilon"))[1] == "learning_rate 0.1 bim 2/255"
    assert names(pivoted(trained, "clip_norm,attack,epsilon"))[1] == "clip_norm none bim 2/255"


def test_what_all_rows_of_a_mean_have_in_common_is_one_line(rows: list[ResultRow]) -> None:
    for table in (pivoted(rows, "attack,epsilon"), grouped(rows, "theta,attack,epsilon")):
        assert {"sweep small", "dataset digits"} <= {*table.common}


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_a_limit_cuts_rows_and_leaves_the_columns_that_tell_all_rows_apart(rows: list[ResultRow], form: Format) -> None:
    whole, cut = (str(render_results(rows, form, limit=limit)).splitlines() for limit in (None, 3))
    whole, cut = ([line for line in lines if form == "csv" or line.startswith("|")] for lines in (whole, cut))
    assert cut == whole[:-5]
    assert "theta" in cut[0]


def test_values_are_shown_to_people_and_kept_for_programs() -> None:
    columns, values = ("name", "n", "share %"), [("=1+1", 3, 12.345), ("<b>", None, None), (b"12", 1e-7, 0.0)]

    def written(form: Format, tenths: int = 0) -> Any:
        return render(table_of(columns, values, tenths=tenths), form)

    text = io.StringIO()
    Console(file=text, width=60).print(written("table", 1))
    assert [line.split() for line in text.getvalue().splitlines()[2:]] == [
        ["=1+1", "3", "12.3"],
        ["<b>", "-", "-"],
        ["(2", "bytes)", "1e-07", "0.0"],
    ]
    assert json.loads(str(written("json")))[0] == {"name": "=1+1", "n": 3, "share %": 12.345}
    assert list(csv.reader(io.StringIO(str(written("csv")))))[1:] == [
        ["'=1+1", "3", "12.345"],
        ["<b>", "", ""],
        ["(2 bytes)", "1e-07", "0.0"],
    ]
    assert str(written("markdown", 1)).splitlines()[3] == r"| \<b\> | - | - |"


def test_the_command_filters_pivots_and_asks_in_sql(home: Path) -> None:
    place = ("--home", str(home), "-f", "json")
    found = robustsweep("results", "small", "--where", "knowledge=omniscient", *place, cwd=home)
    assert [row["knowledge"] for row in json.loads(found.stdout)] == ["omniscient"]
    pivot = robustsweep("results", "small", "--pivot", "knowledge", "--where", "theta=0.8", *place, cwd=home)
    assert json.loads(pivot.stdout) == [{"theta": 0.8, "randomized": 50.0, "omniscient": 50.0}]
    for making, rows in (("--pivot", "attack"), ("--group-by", "theta,knowledge,attack,epsilon")):
        cut = robustsweep("results", "small", making, rows, "--limit", "1", "--home", str(home), cwd=home).stdout
        whole = robustsweep("results", "small", making, rows, *place, cwd=home).stdout
        assert f"1 of {len(json.loads(whole))} rows: --limit 1" in cut  # means are over all rows
    asked = robustsweep("query", "SELECT knowledge, count(*) AS n FROM v_results GROUP BY 1 ORDER BY 1", *place, cwd=home)
    assert json.loads(asked.stdout) == [{"knowledge": "omniscient", "n": 2}, {"knowledge": "randomized", "n": 2}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("results", "--group-by", "theta", "--pivot", "attack"), "--group-by with --pivot"),
        (("results", "--per-repeat", "--worst-case"), "--per-repeat with --worst-case"),
        (("results", "--sort", "beauty"), "'beauty': no field of the results"),
        (("query", "DROP TABLE jobs"), "query: "),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(home: Path, arguments: tuple[str, ...], message: str) -> None:
    found = robustsweep(*arguments, "--home", str(home), cwd=home)
    assert found.returncode == 2
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1
