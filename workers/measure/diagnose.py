"""Measurements that distinguish a robust network from one with masked gradients: the gradients, and a comparison of attacks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.artifacts.outcomes import DiagnosisOutcome, FlagsOutcome, ProbeOutcome
from workers.attacks.engine.losses import Goal
from workers.attacks.engine.norms import LinfBall
from workers.attacks.engine.queries import loss_gradient
from workers.data.loading.device_split import DeviceSplit
from workers.errors import NonFiniteError
from workers.measure.evaluate import Perturb, attacker, batches, correct_flags
from workers.models.network import Network
from workers.spec.diagnosis import SETTLED, DiagnosisSettings, Probe, more_queries, probes

Seeds = Callable[[str], int]
Surrogate = Callable[[], Network]
_Flags = NDArray[np.bool_]


def diagnose(network: Network, data: DeviceSplit, settings: DiagnosisSettings, *, seeds: Seeds, surrogate: Surrogate) -> DiagnosisOutcome:
    """Return the shares of useless gradients, and each probe's outcome; the verdict is computed elsewhere.

    Every probe starts anew from seeds of its own, so that its figures do not depend on those before it; only Square goes on, where nothing
    is random, with the examples that fewer queries did not fool.

    Args:
        network: in eval mode, its parameters frozen.
        data: the examples, on the network's device.
        settings: the diagnosis.
        seeds: a seed for each purpose.
        surrogate: makes a net, frozen and in eval mode, whose adversarial examples are tried on this one by a full diagnosis.

    Raises:
        JobError: a probe's examples are not legal.
    """
    zero, nonfinite = _useless_gradients(network, data, settings, seeds)
    outcomes = list(_Probing(network, data, settings, seeds, surrogate).outcomes())
    return DiagnosisOutcome(n_examples=len(data), draws=settings.draws, zero_gradients=zero, nonfinite_gradients=nonfinite, probes=outcomes)


def _useless_gradients(network: Network, data: DeviceSplit, settings: DiagnosisSettings, seeds: Seeds) -> tuple[float, float]:
    """Return the shares of examples with a zero and with a non-finite gradient, at the examples or at random points, the larger each."""
    generator = torch.Generator(data.device).manual_seed(seeds("gradients"))
    network.seed(seeds("sketch gradients"))
    losses = ("ce", "margin") if settings.depth == "full" else ("ce",)
    useless = torch.zeros(2 * len(losses), 2, dtype=torch.float64)
    with network.sign_gradient(settings.sign_gradient):
        for _, inputs, labels in batches(data, settings.batch_size):
            nearby = LinfBall(inputs, epsilon=settings.epsilon, bounds=network.bounds).random(generator)
            tried = [(points, Goal(labels, loss=loss)) for loss in losses for points in (inputs, nearby)]
            useless += torch.stack([_useless(network, *each, draws=settings.draws) for each in tried])
    zero, nonfinite = (useless / len(data)).amax(dim=0).tolist()
    return zero, nonfinite


def _useless(network: Network, points: Tensor, goal: Goal, *, draws: int) -> Tensor:
    """Count the examples with a gradient of exactly zero in all draws, and those with values that are not finite in any, (2,).

    A draw of a sketch may drop a whole layer: such a draw has no gradient, but an attacker gets other draws.
    """
    zero, finite = torch.ones_like(goal.labels, dtype=torch.bool), torch.ones_like(goal.labels, dtype=torch.bool)
    for _ in range(draws):
        gradients = loss_gradient(network, points, goal).flatten(1)
        zero &= (gradients == 0).all(dim=1)
        finite &= gradients.isfinite().all(dim=1)
    return torch.stack([zero.sum(), (~finite).sum()]).cpu()


@dataclass(frozen=True)
class _Probing:
    """The attacks of one diagnosis."""

    network: Network
    data: DeviceSplit
    settings: DiagnosisSettings
    seeds: Seeds
    surrogate: Surrogate

    def outcomes(self) -> Iterator[ProbeOutcome]:
        """Yield the outcome of each probe, in order, more of Square as long as it gains."""
        settings, low, high = self.settings, *self.network.bounds
        standing: _Flags | None = None
        guided = 1.0
        for probe in probes(settings, half_range=(high - low) / 2, randomised=self.network.randomised, n_classes=self._n_classes()):
            queries = (
                settings.depth == "full"
                and not self.network.randomised
                and probe.attack.facts.selects
                and not probe.attack.facts.takes_gradients
            )
            yield (found := self._outcome(probe, standing=standing if queries else None))
            if (
                probe.knowledge in ("eot", "randomized")
                and probe.attack.facts.takes_gradients
                and probe.name != "unbounded"
                and found.draws
            ):
                guided = min(guided, found.n_correct / (found.draws * len(self.data)))
            if queries and found.draws:
                before, standing = standing, self._flags(found)
                if probe.name == "square" and before is not None and guided > SETTLED:
                    yield from self._until_settled(before, standing)

    def _until_settled(self, before: _Flags, standing: _Flags) -> Iterator[ProbeOutcome]:
        """Yield runs of Square with twice as many queries as the run before, until a run gains no more than `SETTLED`."""
        for probe in more_queries(self.settings):
            if before.mean() - standing.mean() <= SETTLED:
                return
            yield (found := self._outcome(probe, standing=standing))
            if not found.draws:
                return
            before, standing = standing, self._flags(found)

    def _outcome(self, probe: Probe, *, standing: _Flags | None = None) -> ProbeOutcome:
        """Return a probe's outcome; where some examples are not `standing` any more, (1, examples), it attacks the others alone."""
        self.network.seed(self.seeds(f"sketch {probe.name}"))
        named = ProbeOutcome(name=probe.name, attack=probe.attack, knowledge=probe.knowledge)
        perturb = self._perturb(probe, torch.Generator(self.data.device).manual_seed(self.seeds(f"start {probe.name}")))
        try:
            flags = self._attacked(perturb) if standing is None else self._attacked_again(perturb, standing)
        except NonFiniteError as error:
            return named.model_copy(update={"failure": str(error)})
        found = FlagsOutcome.pack(flags)
        return named.model_copy(update={"draws": found.draws, "n_correct": found.n_correct, "flags": found.flags})

    def _perturb(self, probe: Probe, generator: torch.Generator) -> Perturb:
        if probe.knowledge != "transfer":
            return attacker(self.network, probe.attack, generator=generator)
        source = self.surrogate()
        source.seed(self.seeds("sketch surrogate"))
        own = {} if source.signs is not None else {"sign_gradient": "identity"}
        perturb = attacker(source, probe.attack.model_copy(update=own), generator=generator)

        def with_full_weights(place: slice, inputs: Tensor, labels: Tensor) -> Tensor:
            with source.full_weights():
                return perturb(place, inputs, labels)

        return with_full_weights

    def _attacked(self, perturb: Perturb, data: DeviceSplit | None = None) -> _Flags:
        data = self.data if data is None else data
        return correct_flags(self.network, data, batch_size=self.settings.batch_size, draws=self.settings.draws, perturb=perturb)

    def _attacked_again(self, perturb: Perturb, standing: _Flags) -> _Flags:
        left = np.flatnonzero(standing[0])
        flags = np.zeros_like(standing)
        if len(left):
            chosen = torch.from_numpy(left).to(self.data.device)
            flags[:, left] = self._attacked(perturb, DeviceSplit(self.data.inputs[chosen], self.data.labels[chosen]))
        return flags

    def _flags(self, found: ProbeOutcome) -> _Flags:
        return FlagsOutcome(n_examples=len(self.data), draws=found.draws, flags=found.flags).correct()

    @torch.no_grad()
    def _n_classes(self) -> int:
        self.network.seed(self.seeds("sketch classes"))
        logits: Tensor = self.network(self.data.batch(slice(0, 1))[0])
        return logits.shape[1]
