import csv
import html as standard_html
import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.store import Failure, SweepStatus
from orchestrator.tables.results_table import render_results
from orchestrator.tables.status_table import render_failures, render_status
from orchestrator.terminal.escaping import csv_cell, html, latex, markdown, visible
from tests.orchestrator.store.stored import stored_row

ANSI = "\x1b[31mred\x1b]8;;http://evil\x07"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name_1 ü", "plain name_1 ü"),
        (ANSI, r"\x1b[31mred\x1b]8;;http://evil\x07"),
        ("a\rb\nc\td\x00\x7f\x9b", r"a\rb\nc\td\x00\x7f\x9b"),
        ("abc\u202edef\u2066\u200b\u2028", r"abc\u202edef\u2066\u200b\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_line_ends_stay_where_they_are_wanted() -> None:
    assert visible("a\n\tb\x1b\r", keep="\n\t") == "a\n\tb\\x1b\\r"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\" onload='x'", "a & b", "&lt;", "</style><!--"])
def test_html_has_no_markup_and_reads_as_before(text: str) -> None:
    escaped = html(text)
    assert not set("<>\"'") & set(escaped)
    assert standard_html.unescape(escaped) == text
    assert "\x1b" not in html(ANSI)


def test_latex_has_no_command_of_the_names_own() -> None:
    assert latex("a") == "a"
    assert latex(r"\input{x}") == r"\textbackslash{}input\{x\}"
    assert latex("& % $ # _ { }") == r"\& \% \$ \# \_ \{ \}"
    assert latex("~^<>|\"'`") == "".join(
        rf"\text{name}{{}}" for name in ("asciitilde", "asciicircum", "less", "greater", "bar", "quotedbl", "quotesingle", "asciigrave")
    )
    assert latex("--sweep,,") == "-{}-sweep,{},"
    assert latex("^^5c") == r"\textasciicircum{}\textasciicircum{}5c"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("a\\|b", r"a\\\|b"),
        ("<script>", r"\<script\>"),
        ("[x](http://evil)", r"\[x\](http\://evil)"),
        ("![x]", r"\!\[x\]"),
        ("*b* `c` ~~d~~ $e$", r"\*b\* \`c\` \~\~d\~\~ \$e\$"),
        ("r_fgsm _x_", r"r_fgsm \_x\_"),
        ("&lt;", r"\&lt;"),
        ("www.evil.org @me #1", r"www\.evil.org \@me \#1"),
    ],
)
def test_markdown_has_no_markup(text: str, escaped: str) -> None:
    assert markdown(text) == escaped


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1"])
def test_a_text_cell_is_no_formula(text: str) -> None:
    cell = csv_cell(text)
    assert isinstance(cell, str)
    assert cell.startswith("'")


@pytest.mark.parametrize("value", [-1, -0.5, 1e-9, None, True, "8/255", "a=b", ""])
def test_numbers_and_ordinary_text_stay_what_they_are(value: object) -> None:
    assert csv_cell(value) is value or csv_cell(value) == value


def printed(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(renderable, crop=False)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


HOSTILE = [f"[red]{ANSI}[/red]", "<script>alert(1)</script>", r"\input{x}", "=cmd()", "a|b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sweeps_name_is_only_a_name_in_every_results_format(name: str) -> None:
    rows = [replace(stored_row(), sweep=name), stored_row()]
    text = printed(render_results(rows, "table"))
    assert visible(name) in text
    assert "\x1b" not in text
    (first, *_) = csv.DictReader(io.StringIO(str(render_results(rows, "csv"))))
    assert first["sweep"] == ("'" if name.startswith("=") else "") + visible(name)
    lines = [line for line in str(render_results(rows, "markdown")).splitlines() if line.startswith("|")]
    assert markdown(name) in lines[2]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "\x1b" not in str(render_results(rows, "json"))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sweeps_name_a_host_and_an_error_are_only_text_in_status(name: str) -> None:
    status = SweepStatus(name=name, launched_at=None, heartbeat_at=None, driver_alive=True, driver_host=name, driver_pid=1, stages={})
    failure = Failure(key="a" * 64, stage="attack", description=name, attempts=1, error=name, traceback=f"line 1\n  {name}\nline 3")
    for text in (printed(render_status([status])), printed(render_failures([failure]))):
        assert text.replace("\n", "").count(visible(name)) >= 2
        assert "\x1b" not in text
    assert "line 1\n  " in printed(render_failures([failure]))
