"""The generated parts of the pages are what the program makes of itself today."""

from pathlib import Path

import pytest

from docs.generate.pages import PAGES, PARTS, generated
from orchestrator.naming.glossary import settings
from orchestrator.naming.glossary.setting_entries import _about


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.name)
def test_a_page_is_up_to_date(page: Path) -> None:
    assert generated(page.read_text()) == page.read_text(), f"{page.name}: out of date; run make docs and commit what it changes"


def test_every_generated_part_is_on_a_page() -> None:
    text = "".join(page.read_text() for page in PAGES.glob("*.md"))
    assert [name for name in PARTS if f"<!-- generated: {name} -->" not in text] == []


def test_every_setting_is_described_once_and_nothing_else_is() -> None:
    described = {(section, name) for section, names in _about().items() for name in names}
    declared = {(one.section or "space", one.name) for one in settings()}
    assert declared - described == set(), "describe these in orchestrator/naming/glossary/settings.yaml"
    assert described - declared == set(), "these are no settings any more"
