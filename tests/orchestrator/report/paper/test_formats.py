import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from orchestrator.report.paper import ComparedTable, compare, published_tables, render_paper
from orchestrator.store import ResultRow
from orchestrator.terminal.escaping import html, latex, markdown, visible
from tests.orchestrator.report.paper.rows import cell_at, row_for, rows_for

EVERY_ROW = [row for number in range(1, 6) for row in rows_for(number)]
TEXT_FORMATS = ("html", "latex", "markdown")
NAMES = ["<script>alert(1)</script>", r"\input{/etc/passwd}", "=cmd()", "\x1b[31mred", "a|b & 100 % of $x_1^2$ #~", "[link=http://evil]x"]


def printed(report: object, *, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(report, crop=False)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def text_of(tables: list[ComparedTable], form: str) -> str:
    rendered = render_paper(tables, form)  # type: ignore[arg-type]
    assert isinstance(rendered, str)
    return rendered


def two_ranks() -> list[ResultRow]:
    wide = [
        row_for(cell, rank_fraction=1.0, accuracy=1.0)
        for table in published_tables()
        for row in table.cells
        for cell in row
        if cell.tensorized
    ]
    return [*EVERY_ROW, *wide]


@pytest.mark.parametrize("rows", [[], EVERY_ROW, two_ranks(), EVERY_ROW[::3]], ids=["empty", "full", "two ranks", "gaps"])
def test_the_terminal_tables_fit_100_columns_with_every_figure_whole(rows: list[ResultRow]) -> None:
    tables = compare(rows, every_setup=False)
    text = printed(render_paper(tables, "table"), width=100)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "…" not in text
    for table in tables:
        shown = [figure for lines in table.lines for figure in lines.figures.values()]
        assert text.count("Table ") == 5
        assert all(f"{figure.low:.1f}-{figure.high:.1f}" in text for figure in shown)
        for row in table.cells:
            assert all(f"{cell.published:.1f}" in text for cell in row)


def test_a_terminal_cell_has_ours_the_interval_the_papers_the_difference_and_whether_it_is_covered() -> None:
    cell = cell_at(3, "8", "PGD")  # 74.1
    near, far = row_for(cell, accuracy=0.75, half_width=0.02), row_for(cell, accuracy=0.3, half_width=0.02)
    for row, difference in ((near, "+0.9  in"), (far, "-44.1 out")):
        text = printed(render_paper(compare([row], numbers=[3], every_setup=False), "table"), width=100)
        lines = [line.split() for line in text.splitlines()]
        start = next(place for place, line in enumerate(lines) if line[:2] == ["8", "paper"])
        assert "74.1" in lines[start]
        assert f"{100 * row.robust_accuracy:.1f}" in lines[start + 1]  # type: ignore[operator]
        assert " ".join(difference.split()) in " ".join(lines[start + 2])


def test_an_empty_cell_says_what_to_launch_in_every_format() -> None:
    tables = compare(rows_for(1)[:3], numbers=[1, 5], every_setup=False)
    for form in TEXT_FORMATS:
        text = text_of(tables, form)
        assert text.count("launch table1") >= 37
        assert text.count("launch table5") >= 32
    wide = printed(render_paper(tables, "table"), width=200)
    assert wide.count("launch table1") >= 37
    narrow = printed(render_paper(tables, "table"), width=100)
    assert narrow.count("table5") >= 32
    records = json.loads(text_of(tables, "json"))
    assert [cell["launch"] for cell in records[1]["cells"]] == ["robustsweep launch table5"] * 32
    assert [cell["launch"] for cell in records[0]["cells"]] == [None] * 3 + ["robustsweep launch table1"] * 37


def test_a_dense_net_stands_once_under_all_ranks() -> None:
    text = text_of(compare(two_ranks(), numbers=[2], every_setup=False), "markdown")
    lines = [[cell.strip() for cell in line.split("|")[1:3]] for line in text.splitlines() if line.startswith("|")]
    start = lines.index(["DQ", "paper"])
    assert lines[start : start + 3] == [["DQ", "paper"], ["", "dense"], ["Feature Squeezing", "paper"]]
    assert lines[-3:] == [["Ours (theta=0.95) + Adv. training PGD", "paper"], ["", "rank 0.5"], ["", "rank 1"]]


def test_markdown_tables_have_as_many_cells_in_each_line() -> None:
    text = text_of(compare(two_ranks(), every_setup=False), "markdown")
    for section in text.split("\n## ")[1:]:
        lines = [line for line in section.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "| FGSM 2 | paper | 48.7 | 84.9 | 86.8 | 83.4 |" in text
    assert "50.0 (40.0-60.0), +1.3 in" in text


def test_latex_is_balanced_and_every_row_has_every_column() -> None:
    tables = compare(two_ranks(), every_setup=False)
    text = text_of(tables, "latex")
    bare = re.sub(r"\\[{}]", "", text)
    depth = 0
    for letter in bare:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    text = text.replace("{table*}", "{table}")  # wide ones take both columns of a page
    for environment in ("table", "tabular"):
        assert text.count(f"\\begin{{{environment}}}") == text.count(f"\\end{{{environment}}}") == 5
    for table, part in zip(tables, text.split(r"\begin{table}")[1:], strict=True):
        columns = 2 + len(table.published.columns)
        assert rf"\begin{{tabular}}{{ll{'r' * (columns - 2)}}}" in part
        body = part[part.index(r"\toprule") : part.index(r"\bottomrule")]
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {columns - 1}
    assert [line for line in text.splitlines() if re.search(r"(?<!\\)%", line)] == [
        text.splitlines()[0],
        *[r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"] * 5,
    ]


class Page(HTMLParser):
    """Every tag with its attributes, open elements being closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(text: str) -> Page:
    parsed = Page()
    parsed.feed(text)
    parsed.close()
    assert parsed.open == []
    return parsed


def test_the_page_asks_for_nothing_runs_nothing_and_scrolls_its_tables_by_themselves() -> None:
    text = text_of(compare(two_ranks(), every_setup=False), "html")
    parsed = page(text)
    names = [tag for tag, _ in parsed.tags]
    assert not {"script", "link", "img", "iframe", "object"} & set(names)
    assert all(
        (value or "").startswith("#") for _, attributes in parsed.tags for name, value in attributes.items() if name in ("href", "src")
    )
    assert not re.search(r"url\(|@import|https?:", text)
    assert names.count("table") == 5
    assert "prefers-color-scheme: dark" in text
    assert sum(attributes.get("class") == "scroll" for _, attributes in parsed.tags) == 5
    assert 'name="viewport"' in text


@pytest.mark.parametrize("name", NAMES)
def test_a_sweeps_name_is_only_text_in_every_format(name: str) -> None:
    tables = compare(
        [row_for(cell_at(1, "clean", "baseline"), sweep=name), row_for(cell_at(1, "clean", "baseline"), sweep="x", width=4, model_key="x")],
        numbers=[1],
        every_setup=False,
    )
    plain = page(text_of(compare([row_for(cell_at(1, "clean", "baseline"), sweep="plain")], numbers=[1], every_setup=False), "html"))
    text = text_of(tables, "html")
    assert html(name) in text
    assert {tag for tag, _ in page(text).tags} == {tag for tag, _ in plain.tags}
    assert latex(name) in text_of(tables, "latex")
    assert markdown(name) in text_of(tables, "markdown")
    shown = printed(render_paper(tables, "table"), width=200)
    assert visible(name) in shown
    for form in TEXT_FORMATS:
        assert "\x1b" not in text_of(tables, form) + shown
    assert json.loads(text_of(tables, "json"))[0]["setups"][0]["sweep"] == name


def test_json_has_every_cell_with_all_it_is_of() -> None:
    records = json.loads(text_of(compare(EVERY_ROW, every_setup=False), "json"))
    assert [len(record["cells"]) for record in records] == [40, 49, 9, 40, 32]
    cell = records[2]["cells"][0]
    assert (cell["published"], cell["knowledge"], cell["attack"], cell["epsilon"], cell["theta"]) == (
        91.1,
        "omniscient",
        "fgsm",
        "2/255",
        0.9,
    )
    ours = cell["ours"]["ours"]
    assert (ours["accuracy"], ours["ci_low"], ours["ci_high"], ours["difference"], ours["covers"]) == (50, 40, 60, -41.1, False)
    assert (
        records[2]["setups"][0] | {"label": "ours", "width": 64, "rank_fraction": 0.5, "sketch_modes": "channels"}
        == records[2]["setups"][0]
    )
