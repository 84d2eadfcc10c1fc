"""Accuracy, example by example, of a network under fresh sketches: clean, attacked, or on stored adversarial examples."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.artifacts.per_example import PerExample
from workers.attacks.engine import UNIT, Bounds, Memory, Watched, attack_of, can_be_remembered, check_examples, pose, remembered_step
from workers.components.component_registry import Component
from workers.components.facts import MetricFacts
from workers.data.loading.device_split import DeviceSplit
from workers.errors import JobError
from workers.measure.ledger import Ledger
from workers.measure.resumable_loop import Found, ResumableLoop
from workers.models.network import Network
from workers.models.network.behaviour import require_logits
from workers.spec.attack import AttackSettings
from workers.spec.fields import NormName

_CHECKED, _DRAWS = 8, 8
Perturb = Callable[[slice, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Evaluated:
    """Flags of the examples that were classified right in each draw, (draws, examples), metrics of attacked examples by name (None: of no
    example had it a value), the numbers of each example, and what was made of the first of them, where these are kept."""

    correct: NDArray[np.bool_]
    metrics: dict[str, float | None]
    examples: PerExample
    kept: Tensor | None = None


def evaluated(  # noqa: PLR0913 (each belongs to an evaluation)
    network: Network,
    data: DeviceSplit,
    *,
    batch_size: int,
    draws: int = 1,
    perturb: Perturb | None = None,
    metrics: Sequence[Component[MetricFacts]] = (),
    ledger: Ledger | None = None,
    keep: int = 0,
    loop: ResumableLoop = ResumableLoop(),  # noqa: B008 (a frozen value)
) -> Evaluated:
    """Evaluate `network` on each example in each of `draws` forward passes.

    The examples of a batch are made once; each pass over them is under fresh draws, none of which the attacker has seen.

    Args:
        network: in eval mode, its sketch seeded.
        data: the examples on the network's device.
        batch_size: examples that share a draw; part of the result's meaning for a randomised net.
        draws: how often each example is evaluated.
        perturb: makes adversarial examples of (the batch's place, inputs, labels); None evaluates clean examples.
        metrics: what is measured of attacked examples.
        ledger: of the attack, where it is taken down what it costs and how large perturbations are.
        keep: number of examples, from the first on, that are returned as they were evaluated.
        loop: whom to tell, and where to save, how far it is.
    """

    def compute(place: slice, inputs: Tensor, labels: Tensor) -> Found:
        examples = inputs if perturb is None else perturb(place, inputs, labels)
        found = _judged(network, examples, labels, draws=draws) | ({} if ledger is None else ledger.measured(inputs, examples))
        found |= {"kept": examples[: max(0, keep - place.start)].cpu()} if keep else {}
        return found | {f"metric {metric.name}": _measured(metric, inputs, examples, labels) for metric in metrics}

    found = loop.through(data, compute, batch_size=batch_size)
    sizes = None
    if ledger is not None:
        ledger.close(found)
        sizes = ledger.sizes_in(found)
    values = {metric.name: over_examples(metric.facts, found[f"metric {metric.name}"]) for metric in metrics}
    numbers = PerExample.pack(found["classes"].numpy(), found["margins"].numpy(), None if sizes is None else sizes.numpy())
    return Evaluated(found["correct"].T.numpy(), values, numbers, found.get("kept"))


def _measured(metric: Component[MetricFacts], inputs: Tensor, examples: Tensor, labels: Tensor) -> Tensor:
    values = metric.create(inputs, examples, labels)
    if not isinstance(values, Tensor) or values.shape != labels.shape:
        found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise JobError(
            f"metric {metric.name} ({metric.place}): returned {found}, must be one number for each example, {tuple(labels.shape)}"
        )
    return values.cpu()


def over_examples(facts: MetricFacts, values: Tensor) -> float | None:
    """One value for all examples, over those that have one; None where none has."""
    known = values[~values.isnan()].double()
    if len(known) == 0:
        return None
    return float(known.quantile(0.5) if facts.over_examples == "median" else known.mean())


def correct_flags(
    network: Network, data: DeviceSplit, *, batch_size: int, draws: int = 1, perturb: Perturb | None = None
) -> NDArray[np.bool_]:
    """Flag the examples that `network` classifies correctly in each of `draws` forward passes, (draws, examples); see `evaluated`."""
    return evaluated(network, data, batch_size=batch_size, draws=draws, perturb=perturb).correct


@torch.no_grad()
def _judged(network: Network, examples: Tensor, labels: Tensor, *, draws: int) -> Found:
    """Flag the examples that are classified correctly, draw by draw, (batch, draws); none is whose logits are not finite. By the mean
    logits over the draws, find the predicted classes, and the margins of the true ones, (batch,)."""
    correct, total = [], torch.zeros(())
    for draw in range(draws):
        logits = network(examples)
        correct.append((logits.argmax(dim=1) == labels) & logits.isfinite().all(dim=1))
        total = logits.double() if draw == 0 else total + logits
    own = total.gather(1, labels[:, None])[:, 0]
    others = total.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
    found = {"correct": torch.stack(correct, dim=1), "classes": total.argmax(dim=1), "margins": (own - others) / draws}
    return {name: values.cpu() for name, values in found.items()}


def attacker(
    network: Network,
    settings: AttackSettings,
    *,
    generator: torch.Generator,
    memory: Memory | None = None,
    ledger: Ledger | None = None,
) -> Perturb:
    """Return the attack as a function for `correct_flags`; the network's parameters must be frozen.

    Args:
        network: the attacked net, in eval mode.
        settings: the attack.
        generator: of everything that the attack draws, on the network's device.
        memory: of this net's clean gradients over batches of this size, for FGSM at several epsilons; it is not used while the net
            is randomised.
        ledger: where what the attack spends is taken down.

    Raises:
        UserError: the settings do not apply to such a network (when the function is called).
    """
    attack = attack_of(settings)

    def perturb(place: slice, inputs: Tensor, labels: Tensor) -> Tensor:
        randomness, watched = network.randomness, Watched.all_of(network, labels)
        with network.sign_gradient(settings.sign_gradient):
            if memory is not None and randomness == "none" and can_be_remembered(settings):
                posed = pose(watched, inputs, labels, settings=settings, generator=generator, bounds=network.bounds)
                examples = remembered_step(posed, memory, place=place)
            else:
                examples = attack(
                    watched, inputs, labels, settings=settings, generator=generator, bounds=network.bounds, randomness=randomness
                )
        watched.require_finite()
        if ledger is not None:
            ledger.note(watched, minimises=settings.facts.minimises)
        with _said_of(settings):
            check_examples(examples, inputs, epsilon=settings.epsilon, bounds=network.bounds, norm=settings.norm)
        return examples

    return perturb


@contextmanager
def _said_of(attack: AttackSettings) -> Iterator[None]:
    """Inside, an error that the attack of a user or a library makes names it, and its place."""
    try:
        yield
    except JobError as error:
        place = f" ({attack.component.place})" if attack.component.place else ""
        if not (place or attack.facts.library):
            raise
        raise type(error)(f"attack {attack.name}{place}: {error}") from error


def require_logits_before_training(network: Network, data: DeviceSplit, *, n_classes: int, named: str) -> None:
    """Check what a network of a user's own gives before it is trained, with its randomness off: logits for each class, finite ones.

    Raises:
        JobError: it does not; the message names it.
    """
    inputs, _ = data.batch(slice(0, _CHECKED))
    training = network.training
    with torch.no_grad(), network.full_weights():
        logits = network.eval()(inputs)
    network.train(training)
    require_logits(logits, (len(inputs), n_classes), named=f"{named}, before its training")


@torch.no_grad()
def require_draws_before_training(network: Network, data: DeviceSplit) -> None:
    """Check that the forward pass of a network that should be random draws, before it is trained; its generator is another one after that.

    Raises:
        JobError: it draws nothing: a defence of a user's own may act on layers that the network lacks.
    """
    if not network.randomised or network.randomised_body:
        return
    network.seed(0)
    before, training = _drawn(network), network.training
    inputs, _ = data.batch(slice(0, _CHECKED))
    network.eval()(inputs)
    network.train(training)
    if torch.equal(before, _drawn(network)):
        raise JobError(f"{_named(network)}: a forward pass draws nothing, and it should be random")


def replayer(examples: Tensor, *, epsilon: float, bounds: Bounds = UNIT, norm: NormName = "linf") -> Perturb:
    """Return examples made before, (all examples, *shape), as a function for `correct_flags`."""

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
    ledger: Ledger | None = None,
    loop: ResumableLoop = ResumableLoop(),  # noqa: B008 (a frozen value)
) -> tuple[Tensor, float]:
    """Return adversarial examples for the network's full weights, on the CPU, and their largest distance in input units; the `ledger` tells
    what they cost.

    Raises:
        JobError: with its full weights the network is still random, or an example is not legal.
    """
    ledger = Ledger() if ledger is None else ledger
    perturb = attacker(network, settings, generator=generator, memory=memory, ledger=ledger)

    def compute(place: slice, inputs: Tensor, labels: Tensor) -> Found:
        return {"examples": perturb(place, inputs, labels).cpu(), **ledger.rows}

    with network.full_weights():
        _require_equal_passes(network, data)
        found = loop.through(data, compute, batch_size=batch_size)
    examples = found["examples"]
    ledger.close(found)
    clean = torch.cat([inputs.cpu() for _, inputs, _ in batches(data, batch_size)])
    return examples, check_examples(examples, clean, epsilon=settings.epsilon, bounds=network.bounds, norm=settings.norm)


@torch.no_grad()
def _require_equal_passes(network: Network, data: DeviceSplit) -> None:
    """Check, inside `full_weights`, that the network is deterministic.

    Raises:
        JobError: forward passes on equal inputs differ, or are not finite (which would never be equal).
    """
    inputs, _ = data.batch(slice(0, _CHECKED))
    first = _finite(network(inputs))
    if any(not torch.equal(network(inputs), first) for _ in range(_DRAWS)):
        raise JobError(f"{_named(network)}: repeated forward passes with full weights differ; the sketch or the defence is still live")


@torch.no_grad()
def require_sketch(network: Network, data: DeviceSplit) -> None:
    """Check that the network is random where it should be, theta < 1 or a randomised defence, and nowhere else: forward passes must draw
    random numbers, or be equal.

    Draws may well drop nothing, or nothing that counts: equal logits alone are no fault of a network that should be random. A body that
    is randomised itself is believed to be so.

    Raises:
        JobError: they are not as required, or not finite (NaN would look like a live sketch).
    """
    inputs, _ = data.batch(slice(0, _CHECKED))
    before = _drawn(network)
    first = _finite(network(inputs))
    differ = not torch.equal(network(inputs), first)
    drawn = network.randomised_body or not torch.equal(before, _drawn(network))
    if network.randomised and not (differ or drawn):
        raise JobError(f"{_named(network)}: repeated forward passes are all equal: they draw nothing")
    if differ and not network.randomised:
        raise JobError(f"{_named(network)}: repeated forward passes differ")


def _drawn(network: Network) -> Tensor:
    """Return the state of the network's generator, which every draw changes."""
    generator = network.sketch.generator
    return torch.empty(0) if generator is None else generator.get_state()


def _finite(logits: Tensor) -> Tensor:
    if not logits.isfinite().all():
        raise JobError("the network's logits are not finite: its training has diverged; try a smaller learning_rate")
    return logits


def _named(network: Network) -> str:
    return f"theta={network.sketch.theta}{network.defence.label}"


def batches(data: DeviceSplit, batch_size: int) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield the place, the inputs and the labels of each batch, in order."""
    for start in range(0, len(data), batch_size):
        place = slice(start, start + batch_size)
        yield place, *data.batch(place)
