"""Every key of a space, and the built-in spaces."""

from itertools import groupby

from docs.generate.tables import code, table
from orchestrator.naming.glossary import settings
from search_spaces import builtin_spaces
from search_spaces.schema.registered_sections import LISTS


def spaces() -> str:
    return table(("space", "what it is"), ((code(name), about) for name, about in builtin_spaces()))


def settings_by_section() -> str:
    """A table for each section of a space."""
    parts = []
    for section, rows in groupby(settings(), key=lambda one: one.section):
        found = [(code(one.name), "yes" if one.is_axis else "", one.values, one.default, one.about) for one in rows]
        heading = f"### {section or 'The file itself'}"
        listed = ["A list of groups; every combination within a group is computed."] if section in LISTS else []
        parts += [heading, *listed, table(("setting", "axis", "one value", "default", "what it is"), found)]
    return "\n\n".join(parts)
