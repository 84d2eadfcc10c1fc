"""Pages with generated parts."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from docs.generate.commands import commands
from docs.generate.components import components
from docs.generate.spaces import settings_by_section, spaces
from docs.generate.tables import table
from orchestrator.naming.glossary import words

PAGES = Path(__file__).parents[1]
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _words() -> str:
    return table(("word", "meaning"), words().items())


PARTS: dict[str, Callable[[], str]] = {
    "attacks": partial(components, "attack"),
    "commands": commands,
    "corruptions": partial(components, "corruption"),
    "datasets": partial(components, "dataset"),
    "defences": partial(components, "defence"),
    "losses": partial(components, "loss"),
    "metrics": partial(components, "metric"),
    "models": partial(components, "model"),
    "settings": settings_by_section,
    "spaces": spaces,
    "words": _words,
}


def generated(text: str) -> str:
    """Return a page's text with its generated parts as the program makes them now."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}\n{found[3]}", text)
