"""Words in plain sentences, and what else a word may mean here: settings, components, commands' columns."""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files

import yaml

from orchestrator.naming.glossary.setting_entries import SettingEntry, settings
from workers.errors import UserError
from workers.registry import REGISTRIES


@cache
def words() -> dict[str, str]:
    """The glossary: what each word means here, in the order of its file."""
    found: dict[str, str] = yaml.safe_load(files("orchestrator.naming.glossary").joinpath("words.yaml").read_text())
    return found


def explained(word: str) -> list[tuple[str, str]]:
    """Meaning of a word here: pairs of what it is and a sentence; the word itself, settings and components of that name.

    Raises:
        UserError: there is no such word.
    """
    asked = word.strip().lower().replace("_", " ")
    meanings = [("word", text) for name, text in words().items() if name.lower() == asked]
    of_settings = [(f"setting {one.path}", _sentence(one)) for one in settings() if word in (one.name, one.path)]
    found = [one for registry in REGISTRIES.values() for one in registry if one.name == word]
    meanings += [*of_settings, *((component.kind, component.summary) for component in found)]
    if not meanings:
        known = [*words(), *(one.name for one in settings()), *(name for registry in REGISTRIES.values() for name in registry.names())]
        close = get_close_matches(word, dict.fromkeys(known), n=3)
        raise UserError(f"{word}: is no word, setting or component here" + (f"; did you mean {', '.join(close)}?" if close else ""))
    return meanings


def _sentence(setting: SettingEntry) -> str:
    default = setting.default if setting.default == "required" else f"default {setting.default}"
    axis = "an axis" if setting.is_axis else "not an axis"
    return f"{setting.about} One value: {setting.values}; {default}; {axis}.".strip()
