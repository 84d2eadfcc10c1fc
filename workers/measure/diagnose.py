"""Measurements that distinguish a robust network from one with masked gradients: the gradients, and a comparison of attacks."""

from collections.abc import Callable

import torch
from torch import Tensor

from workers.artifacts.results import DiagnosisOutcome, FlagsOutcome, ProbeOutcome
from workers.attacks.engine import input_gradient
from workers.attacks.engine.norms import LinfBall
from workers.data.loading.device_split import DeviceSplit
from workers.errors import NonFiniteError
from workers.measure.evaluate import attacker, batches, correct_flags
from workers.models.network import Network
from workers.spec.diagnosis import DiagnosisSettings, Probe, probes

Seeds = Callable[[str], int]


def diagnose(network: Network, data: DeviceSplit, settings: DiagnosisSettings, *, seeds: Seeds) -> DiagnosisOutcome:
    """Return the shares of useless gradients, and each probe's outcome; the verdict is computed elsewhere.

    Every probe starts anew from seeds of its own, so that its figures do not depend on those before it.

    Args:
        network: in eval mode, its parameters frozen.
        data: the examples, on the network's device.
        settings: the diagnosis.
        seeds: a seed for each purpose.

    Raises:
        JobError: a probe's examples are not legal.
    """
    zero, nonfinite = _useless_gradients(network, data, settings, seeds)
    low, high = network.bounds
    tried = probes(settings, half_range=(high - low) / 2, randomised=network.randomised)
    outcomes = [_probed(network, data, probe, settings, seeds) for probe in tried]
    return DiagnosisOutcome(n_examples=len(data), draws=settings.draws, zero_gradients=zero, nonfinite_gradients=nonfinite, probes=outcomes)


def _useless_gradients(network: Network, data: DeviceSplit, settings: DiagnosisSettings, seeds: Seeds) -> tuple[float, float]:
    """Return the shares of examples with a zero and with a non-finite gradient, at the examples or at random points, the larger each."""
    generator = torch.Generator(data.device).manual_seed(seeds("gradients"))
    network.seed(seeds("sketch gradients"))
    useless = torch.zeros(2, 2, dtype=torch.float64)
    with network.sign_gradient(settings.sign_gradient):
        for _, inputs, labels in batches(data, settings.batch_size):
            nearby = LinfBall(inputs, epsilon=settings.epsilon, bounds=network.bounds).random(generator)
            useless += torch.stack([_useless(network, points, labels, draws=settings.draws) for points in (inputs, nearby)])
    zero, nonfinite = (useless / len(data)).amax(dim=0).tolist()
    return zero, nonfinite


def _useless(network: Network, points: Tensor, labels: Tensor, *, draws: int) -> Tensor:
    """Count the examples with a gradient of exactly zero in all draws, and those with values that are not finite in any, (2,).

    A draw of a sketch may drop a whole layer: such a draw has no gradient, but an attacker gets other draws.
    """
    zero, finite = torch.ones_like(labels, dtype=torch.bool), torch.ones_like(labels, dtype=torch.bool)
    for _ in range(draws):
        gradients = input_gradient(network, points, labels).flatten(1)
        zero &= (gradients == 0).all(dim=1)
        finite &= gradients.isfinite().all(dim=1)
    return torch.stack([zero.sum(), (~finite).sum()]).cpu()


def _probed(network: Network, data: DeviceSplit, probe: Probe, settings: DiagnosisSettings, seeds: Seeds) -> ProbeOutcome:
    generator = torch.Generator(data.device).manual_seed(seeds(f"start {probe.name}"))
    network.seed(seeds(f"sketch {probe.name}"))
    named = ProbeOutcome(name=probe.name, attack=probe.attack, knowledge=probe.knowledge)
    perturb = attacker(network, probe.attack, generator=generator)
    try:
        flags = correct_flags(network, data, batch_size=settings.batch_size, draws=settings.draws, perturb=perturb)
    except NonFiniteError as error:
        return named.model_copy(update={"failure": str(error)})
    found = FlagsOutcome.pack(flags)
    return named.model_copy(update={"draws": found.draws, "n_correct": found.n_correct, "flags": found.flags})
