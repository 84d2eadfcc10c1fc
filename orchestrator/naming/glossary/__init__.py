"""The words of commands, tables and pages in plain sentences, and the settings of a space with what they may be."""

from orchestrator.naming.glossary.setting_entries import SettingEntry, settings
from orchestrator.naming.glossary.words import explained, words

__all__ = ["SettingEntry", "explained", "settings", "words"]
