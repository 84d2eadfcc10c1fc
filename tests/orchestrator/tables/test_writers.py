"""One table in every format: what people and programs see, and that names are only text."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal, get_args

import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.store import open_store, record_result
from orchestrator.tables.first_of_answer import first_of_answer
from orchestrator.tables.table import Code, Column, Estimate, Mark, Table, table_of
from orchestrator.tables.writers import Format, parts, render
from orchestrator.terminal.escaping import html, latex, markdown, visible
from tests.builders import result_of, small_plan
from tests.commands import write_space
from tests.stored import record_sweep

HOSTILE = "<script>\x1b[31m$a_b$ & 100 % \\input{x} | [l](http://h)"
TABLE = Table(
    name="t",
    title=f"sweep {HOSTILE}:",
    mark=Mark("sound", "good"),
    columns=(
        Column("name", heading="the na~me"),
        Column("share", "percent"),
        Column("model_key", "key", "model key"),
        Column("whole", only="programs"),
        Column("said", only="people"),
    ),
    rows=((HOSTILE, 0.125, "0123456789", 1, "one"), ("b", None, "abcdef0123", 2, "two")),
    groups=(1, 1),
    common=(f"sweep {HOSTILE}",),
    notes=(f"note {HOSTILE}",),
    total=("all", 0.5, None, 3, "three"),
)


def written(form: Format, *, width: int = 120) -> str:
    found = render(TABLE, form)
    if isinstance(found, str):
        return found
    text = io.StringIO()
    Console(file=text, width=width).print(found, crop=False)
    return text.getvalue()


def test_people_see_percent_the_beginnings_of_keys_and_their_own_columns() -> None:
    for form in ("table", "markdown", "latex", "html"):
        text = written(form)
        for word in ("12.5", "01234567", "one", "three", "the name", "sound", "50.0"):
            assert word in text, (form, word)
        for word in ("0123456789", "whole", "0.125"):
            assert word not in text, (form, word)


def test_programs_see_values_as_they_are_and_nothing_but_rows() -> None:
    assert json.loads(written("json")) == [
        {"name": HOSTILE, "share": 0.125, "model_key": "0123456789", "whole": 1},
        {"name": "b", "share": None, "model_key": "abcdef0123", "whole": 2},
    ]
    rows = list(csv.DictReader(io.StringIO(written("csv"))))
    assert rows[1] == {"name": "b", "share": "", "model_key": "abcdef0123", "whole": "2"}


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_names_are_only_text_in_every_format() -> None:
    shown: dict[Format, str] = {"html": html(HOSTILE), "latex": latex(HOSTILE), "markdown": markdown(HOSTILE), "table": visible(HOSTILE)}
    for form, text in shown.items():
        assert written(form, width=300).count(text) >= 4, form
        assert "\x1b" not in written(form)
    tags = Tags(written("html"))
    assert tags.open == []
    assert not {"script", "a", "img", "link"} & tags.seen
    tex = re.sub(r"\\[{}]", "", written("latex"))
    assert tex.count("{") == tex.count("}")


def test_a_terminal_that_is_too_narrow_gets_broken_titles_and_at_last_is_run_over() -> None:
    table = Table(columns=(Column("a wide head~ing", "number"), Column("b", "number")), rows=((1, 123_456_789),))
    for width, heights in ((40, 3), (16, 6), (5, 6)):
        text = io.StringIO()
        Console(file=text, width=width).print(render(table, "table"), crop=False)
        lines = text.getvalue().splitlines()
        assert len(lines) == heights, width
        assert "123456789" in lines[-1]
        assert "…" not in text.getvalue()


def test_an_estimate_stands_next_to_its_reference_and_a_command_is_code() -> None:
    columns = (Column("row", "group", ""), Column("line", "label", ""), Column("x", align="right"), Column("y", align="right"))
    rows = (("r", "paper", "70.0", "1.0"), ("", "ours", Estimate(75.0, 72.0, 78.0, 70.0), Code("launch x")))
    table = Table(columns=columns, rows=rows, groups=(2,))
    assert "| 75.0 (72.0-78.0), +5.0 out | `launch x` |" in str(render(table, "markdown"))
    assert r"75.0 {\scriptsize (72.0--78.0)} $+5.0$ out & \texttt{launch x} \\" in str(render(table, "latex"))
    page = str(render(table, "html"))
    assert '<b>75.0</b> <small>72.0-78.0</small><span class="mark bad">+5.0 out</span>' in page
    assert '<th scope="rowgroup" rowspan="2">r</th>' in page
    assert "<code>launch x</code>" in page


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    with open_store(f"sqlite:///{folder / 'results.db'}", upgrade=True) as store:
        for name, repeats in (("small", 2), ("other", 1)):
            jobs = small_plan(repeats=repeats)
            record_sweep(store, name=name, space_text="", jobs=jobs)
            for job in jobs:
                record_result(store, job, result_of(job), attempt_id=None)
    write_space(folder)
    return folder


COMMANDS = {
    "results": ["results", "small"],
    "groups": ["results", "--group-by", "theta", "--across", "sweep,attack,knowledge,epsilon"],
    "pivot": ["results", "--pivot", "attack"],
    "compare": ["compare", "small", "other", "--all"],
    "status": ["status"],
    "failures": ["status", "--failed"],
    "verdicts": ["verdicts"],
    "query": ["query", "SELECT * FROM v_models"],
    "best": ["best", "small"],
    "plan": ["plan", "{home}/tiny.yaml"],
    "jobs": ["plan", "{home}/tiny.yaml", "--jobs"],
    "paper": ["report", "--paper"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_table_command_has_every_format(command: str, home: Path) -> None:
    arguments = [word.format(home=home) for word in COMMANDS[command]]
    starts = {"html": "<!doctype html>", "latex": "% needs", "json": ("[", "{")}
    for form in get_args(Format):
        done = CliRunner().invoke(app, [*arguments, "--home", str(home), "-f", form])
        assert done.exit_code == 0, (form, done.output, done.exception)
        assert done.stdout.startswith(starts.get(form, "")), form
        if form == "csv":
            assert len({len(row) for row in csv.reader(io.StringIO(done.stdout))}) == 1


def test_commands_in_sentences_are_code_in_html() -> None:
    table = Table(columns=(Column("a"),), rows=(("1",),), notes=("see `robustsweep status '<b>'`; a lone ` stays",))
    assert "<li>see <code>robustsweep status &#39;&lt;b&gt;&#39;</code>; a lone ` stays</li>" in str(render(table, "html"))


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 250])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_parts_of_a_table_are_the_whole_text(form: Literal["csv", "json"], rows: int) -> None:
    table = table_of(["n", "said"], [(row, HOSTILE) for row in range(rows)])
    assert "".join(parts(table, form)) == f"{render(table, form)}\n"
    assert form == "csv" or json.loads("".join(parts(table, form))) == [{"n": row, "said": HOSTILE} for row in range(rows)]


def test_people_see_the_first_of_an_answer_too_long_to_read() -> None:
    many = first_of_answer(["n"], [(row,) for row in range(10_001)])
    assert (len(many.rows), many.notes) == (500, ("the first 500 of 10,001 rows; -f csv or -f json has all",))
    long = first_of_answer(["text", "list"], [("x" * 9_999, [1]), ("y" * 10_001, ["z"] * 5_000)])
    assert long.rows[0] == ("x" * 9_999, [1])
    assert long.rows[1][0] == "y" * 10_000 + "... (10,001 characters; -f csv or -f json has all)"
    assert str(long.rows[1][1]).endswith("... (25,000 characters; -f csv or -f json has all)")
    assert long.notes == ()
    wide = first_of_answer(["text"], [("x" * 10_000,)] * 1_000)
    assert len(wide.rows) < 300
    assert wide.notes == (f"the first {len(wide.rows)} of 1,000 rows; -f csv or -f json has all",)
