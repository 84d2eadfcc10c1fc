"""Footnotes: the words of a table that a newcomer may not know, in a few words each; `robustsweep explain WORD` says more."""

from collections.abc import Iterable

from orchestrator.tables.table import Table, shown

_TITLES = {
    "theta": "probability of keeping a latent component in a forward pass; 1 has no randomness",
    "rank": "size of the tensor's core, as a share of the full one",
    "epsilon": "largest change of an input that the attacker may make",
    "robust %": "right under the attack, of all examples",
}
_VALUES = {
    "knowledge": {
        "randomized": "the attacker sees gradients through fresh sketches",
        "eot": "the attacker averages gradients over many sketches",
        "omniscient": "examples are made on the full weights",
        "transfer": "examples are made on another model",
    },
    "verdict": {
        "sound": "no sign of masked gradients was found",
        "suspicious": "a check is in doubt or was not made",
        "unsound": "a check failed, the robustness is not real",
    },
}
_EXPLAIN = "more on a word: robustsweep explain WORD"


def footnotes(table: Table) -> tuple[str, ...]:
    """Return a line on the columns whose titles need one, one for each column of words that do, and where there is more."""
    titles = {column.title: place for place, column in enumerate(table.columns)}
    said = [_line((name, _TITLES[name]) for name in titles if name in _TITLES)]
    for name, meanings in _VALUES.items():
        if name in titles:
            there = {shown(row[titles[name]]) for row in table.rows}
            said.append(_line((word, meanings[word]) for word in meanings if word in there))
    known = tuple(filter(None, said))
    return (*known, _EXPLAIN) if known and table.rows else ()


def _line(explained: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{word}: {meaning}" for word, meaning in explained)
