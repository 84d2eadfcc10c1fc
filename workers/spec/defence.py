"""The defence that a network has, every setting resolved. Imports neither torch nor Ray."""

from typing import ClassVar

from workers.facts import DefenceFacts
from workers.registry import DEFENCES
from workers.spec.component import ComponentSpec


class DefenceSpec(ComponentSpec):
    """A defence and its settings (see the files of `workers.defences`)."""

    registry: ClassVar = DEFENCES

    name: str = "none"

    @property
    def facts(self) -> DefenceFacts:
        facts: DefenceFacts = self.component.facts
        return facts


UNDEFENDED = DefenceSpec()
