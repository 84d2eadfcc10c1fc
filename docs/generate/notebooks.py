"""`python -m docs.generate.notebooks [NAME ...]`: execute the pages' notebooks anew, each in an empty folder, and keep what they show."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs.generate.pages import PAGES

NOTEBOOKS = PAGES / "notebooks"
_SECONDS = 1200  # of one cell, on a busy machine


def executed(path: Path) -> dict[str, Any]:
    """Return a notebook with the outputs that its cells have when they are run in order, in an empty folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an error.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook: Any = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=_SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
        text = nbformat.writes(notebook).replace(f"{Path(folder).resolve()}/", "")
    found: dict[str, Any] = json.loads(text)
    return _lasting(found)


def _lasting(notebook: dict[str, Any]) -> dict[str, Any]:
    """The notebook without what differs at every execution and says nothing: identifiers and times."""
    for number, cell in enumerate(notebook["cells"]):
        cell["id"], cell["metadata"] = f"cell-{number}", {}
        for output in cell.get("outputs", ()):
            output.get("metadata", {}).clear()
    notebook["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return notebook


def code_cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cells of a notebook that hold code."""
    return (cell for cell in notebook["cells"] if cell["cell_type"] == "code")


def _write(names: list[str]) -> None:
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not names or path.stem in names:
            path.write_text(json.dumps(executed(path), indent=1, ensure_ascii=False) + "\n")
            print(f"executed: {path.name}")


if __name__ == "__main__":
    _write(sys.argv[1:])
