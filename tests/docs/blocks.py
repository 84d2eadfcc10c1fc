"""Blocks of code in README and the pages, and the commands in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(robustsweep [^`]+)`")
COMMENT = re.compile(r"\s+#\s.*$")


class Block(NamedTuple):
    """A fenced block: its page, its first line there, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(language: str | None = None) -> list[Block]:
    """All blocks of a language, or of any."""
    return [block for page in PAGES for block in _of_page(page) if language in (None, block.language)]


def _of_page(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in _BLOCK.finditer(text):
        yield Block(page.name, text.count("\n", 0, found.start()) + 2, found[1], found[2])


def command_lines() -> list[str]:
    """Every line of a shell block, without its comment."""
    return [line for block in blocks("sh") for whole in block.text.splitlines() if (line := COMMENT.sub("", whole).strip())]


def inline_commands() -> list[str]:
    """Every command in running text that begins with the program's name."""
    return [found for page in PAGES for found in _INLINE.findall(page.read_text())]
