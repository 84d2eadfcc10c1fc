"""Plan of the layers of a spec's network, and the check that what is asked of its layers finds some to act on."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

from workers.components.facts import DatasetInfo
from workers.errors import UserError
from workers.layers import resolve_rank
from workers.models.network.layer_choice import KINDS, LayerKinds, layer_choices
from workers.models.network.network import bare_body, build_defence, tensorization
from workers.models.network.tensorize import made_binary
from workers.spec.component import DefenceSpec
from workers.spec.model import ModelSpec

_NAMED = 20


@dataclass(frozen=True)
class LayerPlan:
    """Plan of one layer: its kernel's shape, and its rank or the reason why it stays dense."""

    name: str
    shape: tuple[int, ...] | None
    rank: tuple[int, ...] | None
    reason: str


def planned_layers(spec: ModelSpec, info: DatasetInfo) -> list[LayerPlan]:
    """Return what becomes of each convolution, linear layer and attention of a spec's network; its weights are drawn, none is kept.

    Raises:
        UserError: a pattern of `rank_fractions` matches no layer that is tensorized.
    """
    plans = _planned(bare_body(spec, info, seed=0), spec)
    require_matched(spec, _tensorized(plans))
    return plans


def _planned(body: nn.Module, spec: ModelSpec) -> list[LayerPlan]:
    settings = tensorization(spec, "random", body)
    plans = []
    for choice in layer_choices(body, settings):
        fraction, shape = settings.fractions.get(choice.name, settings.rank_fraction), choice.shape
        reason = choice.reason if spec.tensorized else "tensorized: false"
        rank = (
            None
            if reason or shape is None
            else resolve_rank(shape, fraction, kind=settings.rank_kind, factorization=settings.factorization)
        )
        plans.append(LayerPlan(", ".join(choice.names), shape, rank, reason))
    return plans


def require_effects(body: nn.Module, spec: ModelSpec, defence: DefenceSpec) -> None:
    """Check that a model's sketch, ranks, binary weights and defence have layers to act on: without any, a net that should be random
    would draw nothing, and a dense net of real weights would pass for another.

    Args:
        body: the bare network of the spec, which must not be used afterwards: it is changed.
        spec: the network's.
        defence: around or inside it.

    Raises:
        UserError: there is no such layer; the message names the settings that would take some.
    """
    if spec.binary and not made_binary(body):
        raise UserError(f"model.binary=true: {spec.name} has no convolution but the one that takes the input: nothing would be binary")
    build_defence(defence, bounds=(0.0, 1.0)).install(body)
    if not spec.tensorized:
        return
    names = _tensorized(_planned(body, spec))
    asked = spec.asked_of_factors
    if asked and not names:
        raise UserError(f"{asked}: no layer of {spec.name} is tensorized, it would do nothing; {_taking_some(body)}")
    require_matched(spec, names)


def _tensorized(plans: Iterable[LayerPlan]) -> list[str]:
    return [plan.name.partition(", ")[0] for plan in plans if plan.rank is not None]


def _taking_some(body: nn.Module) -> str:
    """Name the settings of a model by which some layer would be tensorized."""
    taking = [name for name in KINDS if any(not choice.reason for choice in layer_choices(body, LayerKinds(**{name: True})))]
    return f"set {' or '.join(f'model.tensorize_{name}' for name in taking)}: true" if taking else "none of its layers can be"


def require_matched(spec: ModelSpec, tensorized: Iterable[str]) -> None:
    """Check that every pattern of `rank_fractions` says the rank of some layer of a network.

    Args:
        spec: the network's.
        tensorized: the names of its layers in Tucker form.

    Raises:
        UserError: a pattern matches none of these; the message names them.
    """
    names = list(tensorized)
    unmatched = [pattern for pattern in spec.rank_fractions or () if spec.tensorized and not any(map(re.compile(pattern).match, names))]
    if unmatched:
        more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        legal = f"one of {', '.join(names[:_NAMED])}{more}" if names else "there are none"
        raise UserError(f"model.rank_fractions={unmatched[0]!r}: matches no layer of {spec.name} that is tensorized; {legal}")
