"""Accuracy, example by example, of a network under fresh sketches: clean, attacked, or on examples made before."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.attack_settings import AttackSettings
from workers.attacks import UNIT, Bounds, Memory, can_be_remembered, check_examples, chosen_attack, pose, remembered_step
from workers.device_data import DeviceSplit
from workers.errors import JobError
from workers.fields import NormName
from workers.models import Network

_DRAWS = 8
Perturb = Callable[[slice, Tensor, Tensor], Tensor]


def correct_flags(
    network: Network, data: DeviceSplit, *, batch_size: int, draws: int = 1, perturb: Perturb | None = None
) -> NDArray[np.bool_]:
    """Which examples `network` classifies right in each of `draws` forward passes, (draws, examples).

    The examples of a batch are made once; each pass over them is under fresh draws, none of which the attacker has seen.

    Args:
        network: in eval mode, its sketch seeded.
        data: the examples on the network's device.
        batch_size: examples that share a draw; part of the result's meaning for a randomised net.
        draws: how often each example is evaluated.
        perturb: makes adversarial examples of (the batch's place, inputs, labels); None evaluates clean examples.
    """
    flags = []
    for place, inputs, labels in _batches(data, batch_size):
        examples = inputs if perturb is None else perturb(place, inputs, labels)
        flags.append(_judged(network, examples, labels, draws=draws))
    return torch.cat(flags, dim=1).cpu().numpy()


@torch.no_grad()
def _judged(network: Network, examples: Tensor, labels: Tensor, *, draws: int) -> Tensor:
    """Whether each example is classified right, draw by draw, (draws, batch)."""
    return torch.stack([network(examples).argmax(dim=1) == labels for _ in range(draws)])


def attacker(network: Network, settings: AttackSettings, *, generator: torch.Generator, memory: Memory | None = None) -> Perturb:
    """The attack as a function for `correct_flags`; the network's parameters must be frozen.

    Args:
        network: the attacked net, in eval mode.
        settings: the attack.
        generator: of everything that the attack draws, on the network's device.
        memory: of this net's clean gradients over batches of this size, for FGSM at several epsilons; it is not used while the net
            is randomised.

    Raises:
        UserError: settings that cannot be for such a network (when the function is called).
    """
    attack = chosen_attack(settings)

    def perturb(place: slice, inputs: Tensor, labels: Tensor) -> Tensor:
        randomness = network.randomness
        with network.sign_gradient(settings.sign_gradient):
            if memory is not None and randomness == "none" and can_be_remembered(settings):
                posed = pose(network, inputs, labels, settings=settings, generator=generator, bounds=network.bounds)
                examples = remembered_step(posed, memory, place=place)
            else:
                examples = attack(
                    network, inputs, labels, settings=settings, generator=generator, bounds=network.bounds, randomness=randomness
                )
        check_examples(examples, inputs, epsilon=settings.epsilon, bounds=network.bounds, norm=settings.norm)
        return examples

    return perturb


def replayer(examples: Tensor, *, epsilon: float, bounds: Bounds = UNIT, norm: NormName = "linf") -> Perturb:
    """Examples made before, (all examples, *shape), as a function for `correct_flags`."""

    def perturb(place: slice, inputs: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG001
        chosen = examples[place].to(inputs.device)
        check_examples(chosen, inputs, epsilon=epsilon, bounds=bounds, norm=norm)
        return chosen

    return perturb


def craft(
    network: Network,
    data: DeviceSplit,
    settings: AttackSettings,
    *,
    batch_size: int,
    generator: torch.Generator,
    memory: Memory | None = None,
) -> tuple[Tensor, float]:
    """Adversarial examples on the network's full weights, on the CPU, and their largest distance in input units."""
    perturb = attacker(network, settings, generator=generator, memory=memory)
    with network.full_weights():
        examples = torch.cat([perturb(place, inputs, labels).cpu() for place, inputs, labels in _batches(data, batch_size)])
    clean = torch.cat([inputs.cpu() for _, inputs, _ in _batches(data, batch_size)])
    return examples, check_examples(examples, clean, epsilon=settings.epsilon, bounds=network.bounds, norm=settings.norm)


def require_sketch(network: Network, data: DeviceSplit) -> None:
    """Check that the network is random where it should be, theta < 1 or a randomised defence, and nowhere else: forward passes on
    equal inputs must differ, or be equal.

    Raises:
        JobError: they are not as they should be, or not finite (NaN would pass for a live sketch).
    """
    inputs, _ = data.batch(slice(0, min(len(data), 8)))
    random = network.randomised
    with torch.no_grad():
        first = network(inputs)
        if not first.isfinite().all():
            raise JobError("the network's logits are not finite: its training has diverged; try a smaller learning_rate")
        # Two draws of a small net may well be equal; nine are not.
        differ = any(not torch.equal(network(inputs), first) for _ in range(_DRAWS if random else 1))
    if differ != random:
        named = f"theta={network.sketch.theta}{network.defence.label}"
        raise JobError(f"{named}: repeated forward passes {'differ' if differ else 'are all equal'}")


def _batches(data: DeviceSplit, batch_size: int) -> Iterator[tuple[slice, Tensor, Tensor]]:
    for start in range(0, len(data), batch_size):
        place = slice(start, start + batch_size)
        yield place, *data.batch(place)
