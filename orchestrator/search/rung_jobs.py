"""What a rung of a search measures: the same models trained for fewer epochs, on fewer examples, by attacks of fewer steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from orchestrator.planning.expand import distinct, proxies_of
from orchestrator.planning.partial_training import schedule, stopped
from orchestrator.planning.training_chain import Lineage
from orchestrator.search.objectives import Evidence
from search_spaces import Asked, Grid, Objective, Rung, Space
from workers.spec.attack import KINDS
from workers.spec.job import Job


def proxy_jobs(space: Space, grid: Grid, rung: Rung) -> list[Job]:
    """The jobs of a trial on a rung, parents first: clean accuracy, and the attacks that an objective is measured by, no others.

    A source of transferred examples is trained to its end, since other trials share it.
    """
    objectives = space.search.objectives if space.search is not None else ()
    asked = [capped(attack, rung.steps) for objective in objectives for attack in space.attacks_of(objective, grid)]
    return distinct(proxies_of(grid, list(dict.fromkeys(asked)), stop=lambda trained: _stopped(trained, rung), examples=rung.examples))


def _stopped(trained: Lineage, rung: Rung) -> Lineage:
    return trained if rung.epochs is None else stopped(trained, until=epochs_of(rung.epochs, schedule(trained)))


def epochs_of(asked: float, schedule: int) -> int:
    """How many epochs of a schedule a rung's number (a whole one) or share (in (0, 1), rounded up) of them is; at most all."""
    if isinstance(asked, int):
        return min(asked, schedule)
    return -int(-Fraction(str(asked)) * schedule // 1)


def capped(asked: Asked, steps: int | None) -> Asked:
    """The attack in at most so many steps, which are the longer the fewer they are, so that it comes as far."""
    attack = asked.attack
    if steps is None or attack.steps <= steps or not KINDS[attack.name].steps:
        return asked
    longer = {"abs_stepsize": attack.abs_stepsize * attack.steps / steps} if KINDS[attack.name].stepsize is None else {}
    return asked._replace(attack=attack.model_copy(update={"steps": steps, **longer}))


@dataclass(frozen=True)
class ProxyEvidence(Evidence):
    """What came of a rung's jobs: its objectives are measured by attacks of at most `steps`."""

    steps: int | None = None

    def meant(self, objective: Objective) -> Sequence[Asked]:
        return [capped(asked, self.steps) for asked in super().meant(objective)]
