"""Completion of words in a shell: names of sweeps and spaces, words that are explained, kinds of components.

What cannot be read completes nothing, and says nothing.

Shells put a completed word on the command line as it is: names that mean more than themselves there are left out.
"""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import typer

_WORD = re.compile(r"(?![-=])[\w@%+=:,./-]+")
"""Words that every shell takes for themselves; one that begins with a dash would be an option."""


def complete_sweep(ctx: typer.Context, incomplete: str) -> list[str]:
    """The sweeps in the store, or else the home, that the words before name, or the environment."""
    from orchestrator.paths import DEFAULT_HOME, Paths
    from orchestrator.store import open_store, sweep_names

    given = {name: ctx.params.get(name) or os.environ.get(f"ROBUSTSWEEP_{name.upper()}") for name in ("home", "store")}
    with suppress(Exception):  # no store here, or one that does not answer
        url = Paths.resolve(home=Path(given["home"] or DEFAULT_HOME), store=given["store"]).store_url
        with open_store(url, upgrade=False) as opened:
            return [name for name in sweep_names(opened) if name.startswith(incomplete) and _WORD.fullmatch(name)]
    return []


def complete_space(incomplete: str) -> list[str]:
    """The built-in spaces, and YAML files and folders on the way to some."""
    from search_spaces import builtin_spaces

    files = filter(_WORD.fullmatch, _files(incomplete))
    return [*(name for name, _ in builtin_spaces() if name.startswith(incomplete)), *files]


def complete_word(incomplete: str) -> list[str]:
    """The glossary's words and the settings of a space."""
    from orchestrator.naming.glossary import settings, words

    known = dict.fromkeys([*words(), *(entry.path for entry in settings())])
    return [word for word in known if word.startswith(incomplete) and _WORD.fullmatch(word)]


def complete_kind(incomplete: str) -> list[str]:
    """The kinds of components."""
    from workers.registry import REGISTRIES

    return [kind for kind in REGISTRIES if kind.startswith(incomplete)]


def _files(incomplete: str) -> Iterator[str]:
    written, slash, first = incomplete.rpartition("/")
    with suppress(OSError):
        for found in sorted(Path(written + slash or ".").iterdir()):
            if found.name.startswith(first) and (first or not found.name.startswith(".")):
                if found.suffix in (".yaml", ".yml"):
                    yield f"{written}{slash}{found.name}"
                elif found.is_dir():
                    yield f"{written}{slash}{found.name}/"
