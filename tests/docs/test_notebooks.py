"""The notebooks of the pages: executed in order, without an error, with nothing of the machine in them, and each a page of the site."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import robustsweep as rs
from docs.generate.notebook_pages import page_of
from docs.generate.notebooks import NOTEBOOKS, code_cells
from tests.docs.blocks import ROOT

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
MACHINE = re.compile(r"(?:/home|/root|/tmp|/work|/Users|/usr|/var|/private)/|File \"|0x[0-9a-f]{8}")
OF_A_SWEEP = {"swept": rs.Sweep, "audited": rs.Audit}


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def sources(path: Path) -> Iterator[str]:
    return ("".join(cell["source"]) for cell in code_cells(read(path)))


def test_there_are_two_and_each_is_a_page_in_the_navigation() -> None:
    assert len(PATHS) == 2
    assert [path.stem for path in PATHS if f"notebooks/{path.stem}.md" not in (ROOT / "mkdocs.yml").read_text()] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_cell_was_executed_in_order_and_shows_neither_errors_nor_the_machine(path: Path) -> None:
    cells = list(code_cells(read(path)))
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert len(outputs) > 4
    assert [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"] == []
    assert MACHINE.findall(json.dumps(outputs)) == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_what_a_notebook_uses_of_robustsweep_is_there(path: Path) -> None:
    used = [node for source in sources(path) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)]
    owners: dict[str, Any] = {"rs": rs, **OF_A_SWEEP}
    named = {(node.value.id, node.attr) for node in used if isinstance(node.value, ast.Name) and node.value.id in owners}
    assert len(named) > 3
    assert {(owner, name) for owner, name in named if not hasattr(owners[owner], name)} == set()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_page_has_the_texts_the_code_and_the_outputs(path: Path) -> None:
    page = page_of(read(path), path.stem)
    assert all(f"```python\n{source.strip()}\n```" in page for source in sources(path))
    assert page.count('<div class="output">') > 4
    assert page.startswith("# ")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_executes_anew_from_its_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbclient", reason="needs nbclient, of the extra docs")
    from docs.generate.notebooks import executed
    from tests.browsers import skip_without_browser

    skip_without_browser()  # figures are drawn by one
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    found = executed(path)
    kinds = [{output["output_type"] for output in cell["outputs"]} for cell in code_cells(found)]
    assert kinds == [{output["output_type"] for output in cell["outputs"]} for cell in code_cells(read(path))]
    assert MACHINE.findall(json.dumps([cell["outputs"] for cell in code_cells(found)])) == []
