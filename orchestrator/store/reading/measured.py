"""Input of the aggregation of results: measurements, each a finished evaluation or attack in one setting."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.statistics.shared_luck import SharedDraws
from workers.artifacts.outcomes import unpack_flags
from workers.spec.fields import CRAFTED

Own = tuple[tuple[str, Any], ...]
"""An attack's own settings, sorted by name."""


class _Hashed:
    """Place for the hash of a value that is looked up more often than it is made."""

    __slots__ = ("_hash",)
    _hash: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting(_Hashed):
    """The attack that was measured (all defaults: none), its facts, the split, the numbers of examples and draws, the size of batches.

    One that has left a race was to be measured on `asked_examples`; None where all that were asked for were measured."""

    attack: str = "none"
    knowledge: str = "none"
    source_key: str | None = None
    norm: str = "none"
    epsilon: float = 0.0
    attack_settings: Own = ()
    takes_gradients: bool | None = False
    random_start: bool | None = False
    selects: bool | None = False
    one_step: bool | None = False
    loss: str | None = "none"
    target: str = "none"
    restarts: int = 0
    eot_samples: int = 0
    selection_draws: int = 0
    early_stop: bool = False
    backend: str = "none"
    sign_gradient: str = "identity"
    n_examples: int
    evaluation_batch_size: int
    draws: int = 1
    split: str = "test"
    example_order: str = "balanced"
    asked_examples: int | None = None

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash(fields_of(self)))
            return self._hash

    @property
    def randomised(self) -> bool:
        """True where the attack itself draws each time it is measured (crafted examples were made once), and where that is not known."""
        return (self.random_start is not False or self.restarts > 1 or self.target == "random") and self.knowledge not in CRAFTED

    @property
    def shared_draws(self) -> SharedDraws:
        """Examples that share a draw of a randomised model: a batch, also under an attack that is not crafted on full weights."""
        return SharedDraws(batch=self.evaluation_batch_size, crafted=self.attack != "none" and self.knowledge not in CRAFTED)


fields_of = attrgetter(*(field.name for field in fields(Setting)))


class Measurement(NamedTuple):
    """One finished evaluation or attack of a model in a sweep; `flags` are packed bits."""

    sweep: str
    model_key: str
    job_key: str
    setting: Setting
    repeat: int
    flags: bytes
    epsilon_literal: str = "0"
    metrics: Mapping[str, float | None] = MappingProxyType({})
    forward_passes: int | None = None
    backward_passes: int | None = None
    queries: int | None = None

    @property
    def correct(self) -> NDArray[np.bool_]:
        """The flags, (draws, n_examples)."""
        return unpack_flags(self.flags, n_examples=self.setting.n_examples, draws=self.setting.draws)


SPENT = ("forward_passes", "backward_passes", "queries")
"""Costs of an attack; see `Spent`."""
WORST_CASE, ANY = "worst_case", "any"
"""The attack and the knowledge of a row over several attacks, and over attacks of more than one knowledge."""

MeasurementGroup = tuple[str, str, Setting, int | None]
"""A sweep, a model (or a pool of them), a setting and a repeat (None: all)."""
EVALUATION = ("n_examples", "evaluation_batch_size", "draws", "split", "example_order")
"""The fields of a setting that say on what, and how often, it was measured."""
KNOWLEDGES = {"none": -1, "transfer": 0, "randomized": 1, "eot": 2, "omniscient": 3, ANY: 9}
"""An attacker's knowledge as a number that grows with it."""
