"""Plain English in what is read: docstrings begin with a verb or a noun, and no word that the house avoids."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[2]
ROOMS = ("orchestrator", "workers", "search_spaces", "robustsweep", "docs")
QUESTIONS = {"What", "Whether", "How", "Which", "Where", "Who", "When", "Why"}
AVOIDED = re.compile(r"\b(nobody|whoever|beside|(?:hangs?|hanging) on)\b", re.IGNORECASE)


def files(*suffixes: str) -> Iterator[Path]:
    for room in ROOMS:
        yield from (path for path in sorted((HERE / room).rglob("*")) if path.suffix in suffixes)
    yield HERE / "README.md"


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    found = [text for path in files(".py") if path.suffix == ".py" for text in docstrings(path)]
    assert len(found) > 3000
    assert [text for text in found if re.split(r"\W", text, maxsplit=1)[0] in QUESTIONS] == []


def test_words_that_are_to_be_avoided_are_avoided() -> None:
    lines = ((path, line) for path in files(".py", ".md", ".yaml", ".j2") for line in path.read_text("utf-8").splitlines())
    assert [(str(path.relative_to(HERE)), line) for path, line in lines if AVOIDED.search(line)] == []
