"""AutoAttack (Croce & Hein, 2020) as the attacks that it consists of. Imports no torch."""

from typing import Any, Literal, NamedTuple

from workers.spec.attack import AttackSettings, settled

SuiteVersion = Literal["plus", "rand", "standard"]


class _Part(NamedTuple):
    attack: str
    restarts: int = 1
    settings: dict[str, Any] = {}


_SQUARE = _Part("square", settings={"schedule": "paper"})
_PARTS: dict[str, tuple[_Part, ...]] = {
    "standard": (_Part("apgd_ce"), _Part("apgd_t"), _Part("fab_t"), _SQUARE),
    "plus": (_Part("apgd_ce", 5), _Part("apgd_dlr", 5), _Part("fab", 5), _SQUARE, _Part("apgd_t"), _Part("fab_t")),
    "rand": (_Part("apgd_ce"), _Part("apgd_dlr")),
}
MOST_PARTS = max(map(len, _PARTS.values()))
AFTER = "after"
"""The name, next to an attack's own settings in results, of the attacks whose survivors it was given."""
_SHARED = ("norm", "epsilon", "epsilon_literal", "eot_samples", "selection_draws", "sign_gradient")


def parts(suite: AttackSettings, *, early_stop: bool) -> list[AttackSettings]:
    """Return the attacks of a suite in their order, with the official numbers of steps, queries and restarts.

    Args:
        suite: the attack `autoattack`; its ball, its draws and its `sign_gradient` are the parts' own.
        early_stop: whether an example leaves a part once it is fooled: on deterministic nets.
    """
    shared = {name: getattr(suite, name) for name in _SHARED}
    version: str = getattr(suite.settings, "version")  # noqa: B009 (a setting of this attack alone)
    return [_resolved(part, shared | {"early_stop": early_stop}) for part in _PARTS[version]]


def _resolved(part: _Part, shared: dict[str, Any]) -> AttackSettings:
    values = {"name": part.attack, "restarts": part.restarts, "settings": part.settings, **shared}
    return AttackSettings.model_validate({**values, **settled(AttackSettings.model_construct(**values))})
