"""Small networks and splits for the workers' tests."""

import torch

from workers.attacks.engine import attack_of
from workers.data.loading import DataSource, source
from workers.data.loading.device_split import DeviceSplit
from workers.models.network import Network, build
from workers.spec.component import UNDEFENDED, DataSpec, DefenceSpec
from workers.spec.model import ModelSpec

CPU = torch.device("cpu")


def data_set(name: str, **settings: object) -> DataSource:
    """A data set with its settings."""
    return source(DataSpec.model_validate({"name": name, **settings}))


DIGITS = data_set("digits")


def run_attack(logits, inputs, labels, *, settings, **given):
    """The points of the attack that the settings ask for."""
    return attack_of(settings)(logits, inputs, labels, settings=settings, **given)


def network(*, seed: int = 0, width: int = 2, defence: DefenceSpec = UNDEFENDED, **fields: object) -> Network:
    """A small net for the digits in eval mode, its parameters frozen, its sketch and its defence seeded."""
    built = build(ModelSpec(width=width, **fields), DIGITS.info, seed=seed, defence=defence).eval().requires_grad_(False)
    built.seed(seed)
    return built


def split(count: int, *, part: str = "test") -> DeviceSplit:
    """The first digits."""
    return DeviceSplit.put(getattr(DIGITS.load(None), part).first(count), CPU)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same_state(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    """Whether two modules have the same parameters and buffers, bit for bit."""
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
